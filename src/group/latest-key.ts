// The keys of messages in groups that keep the last value of each key.

/** The key of a message in a group that keeps the last value of each key. */
export interface LatestKey {
  /** At most 1,024 bytes, without lone surrogates. */
  readonly key: string;
  /** True if the message says that the key has no value any more: newcomers receive neither it nor the value. */
  readonly isRemoved: boolean;
}

/** Returns the key of a published value. Undefined: the message has none, and no other one replaces it. */
export type KeyOf<Out> = (data: Out) => string | LatestKey | undefined;
