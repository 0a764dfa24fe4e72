// The application's check of a WebSocket before the handler runs: the `upgrade` option.

import type { HeadersInput } from "../channel/headers.ts";
import type { SendInit } from "../channel/send-data.ts";
import type { ChannelRequest } from "./request.ts";

/** Consent of an `upgrade` check: the handler has the request next. */
export interface UpgradeAccepted<Attachment = unknown> {
  /** Headers of the 101, beside those of the channel's own options. @default none */
  readonly headers?: HeadersInput | undefined;
  /** `attachment` of the request, and of its channel from the start: the user who was let in, for example. @default undefined */
  readonly attachment?: Attachment | undefined;
  /** Consent has no status; an object with one is the answer. */
  readonly status?: undefined;
  /** Consent has no body; an object with one is the answer. */
  readonly body?: undefined;
}

/**
 * The result of an `upgrade` check. Nothing, or `UpgradeAccepted`: the handler is called. An object literal with a status or
 * a body, or a Fetch `Response`: the client gets this answer. Any other value is BAD_DATA, and the client gets a 500.
 */
export type UpgradeResult<Attachment = unknown> =
  | UpgradeAccepted<Attachment>
  | SendInit
  | Response
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a check that returns nothing has the return type void
  | void;

/** Called for each WebSocket before the handler. */
export type UpgradeCheck<Attachment = unknown> = (
  request: ChannelRequest,
) => UpgradeResult<Attachment> | PromiseLike<UpgradeResult<Attachment>>;
