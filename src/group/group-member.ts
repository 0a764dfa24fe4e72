// The types of what a store sends, and of those who receive it.

import type { Channel } from "../channel/channel.ts";

/** An object that is not a promise. The union allows both an interface and a literal with any names. */
type NoPromise = (object & { readonly then?: never }) | { readonly [name: string]: unknown; readonly then?: never };

/**
 * The values that a store without a codec publishes: any value that JSON can express, text, bytes, and the results of `json`,
 * `event` and `prepare`. A promise must be awaited first.
 */
export type Publishable = string | number | boolean | null | NoPromise;

/** A channel as a member of a group. With a codec, it sends the values that the store publishes. */
export type GroupMember<Out = Publishable> = Publishable extends Out ? Channel : Channel<unknown, Out>;
