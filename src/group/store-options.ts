// Checks of the options and arguments of a store and its verbs.

import type { Backplane } from "../backplane/backplane.ts";
import { utf8Length } from "../base/bytes.ts";
import {
  badOption,
  badValue,
  checkAmount,
  checkBoolean,
  checkFunction,
  checkMethods,
  checkOptions,
  checkString,
  type ValueCheck,
} from "../base/option-values.ts";
import type { HeadersInput } from "../channel/headers.ts";
import { implementationOf } from "../channel/public-channel.ts";
import { checkHeadersOption } from "../request/channel-options.ts";
import type {
  ChannelStoreOptions,
  DisconnectOptions,
  JoinOptions,
  MoveOptions,
  PresenceHandlers,
  PublishOptions,
  StoreHistoryLimits,
} from "./channel-store.ts";
import { areFields } from "./control.ts";
import { isOwnGroup } from "./own-groups.ts";

const MAX_NAME_BYTES = 1024;
/** Longest `where`, as JSON. */
const MAX_WHERE_BYTES = 4096;
/** Most groups of one `publish`. */
const MAX_GROUPS = 100;

type OptionalMethod = "release" | "publishLatest" | "latest" | "readRecord" | "swapRecord" | "listRecords";

const BACKPLANE: Readonly<Record<Exclude<keyof Backplane, OptionalMethod>, true>> = {
  publish: true,
  subscribe: true,
  unsubscribe: true,
  history: true,
  compareIds: true,
  isId: true,
  enter: true,
  leave: true,
  present: true,
  close: true,
};

const HISTORY: Readonly<Record<keyof StoreHistoryLimits | "latest", ValueCheck>> = {
  latest: checkFunction,
  size: checkAmount,
  ttlMs: checkAmount,
  maxBytes: checkAmount,
  maxTotalBytes: checkAmount,
  maxKeys: checkAmount,
  valueTtlMs: checkAmount,
};

/** Enough time for a client to lose its network and come back. */
const DEFAULT_HISTORY: StoreHistoryLimits = {
  size: 100,
  ttlMs: 60_000,
  maxBytes: 1024 * 1024,
  maxTotalBytes: 64 * 1024 * 1024,
  maxKeys: 1000,
  valueTtlMs: 86_400_000,
};

/** Returns the limits that are given, and the default of each that is missing or undefined. */
export function toHistoryLimits(given: Partial<StoreHistoryLimits> = {}): StoreHistoryLimits {
  return {
    ...DEFAULT_HISTORY,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
}

export const STORE_OPTIONS: Readonly<Record<keyof ChannelStoreOptions, ValueCheck>> = {
  history: (name, value) => checkOptions(name, value, HISTORY, `${name}.`),
  backplane: checkMethods("a backplane: see redisBackplane, natsBackplane and MemoryBackplane", Object.keys(BACKPLANE)),
  counts: checkBoolean,
  codec: checkMethods("a codec, with encode and decode: see jsonMessages", ["encode"]),
  onJoin: checkFunction,
  onLeave: checkFunction,
  onGroupStart: checkFunction,
  onGroupEnd: checkFunction,
  onError: checkFunction,
  clock: checkMethods("a clock", ["now", "setTimer", "clearTimer"]),
};

const checkChannel = checkMethods("a channel", ["send", "onClose"]);

function checkSince(name: string, value: unknown): void {
  if (value !== null && typeof value !== "string") throw badValue(name, value, "a string, null or undefined");
}

export const JOIN_OPTIONS: Readonly<Record<keyof JoinOptions, ValueCheck>> = {
  since: checkSince,
  ids: checkBoolean,
  onReset: checkFunction,
  snapshot: checkFunction,
  snapshotTimeoutMs: checkAmount,
  presence: () => {},
};

export const PUBLISH_OPTIONS: Readonly<Record<keyof PublishOptions, ValueCheck>> = { except: checkMember };

function checkWhere(name: string, value: unknown): void {
  if (!areFields(value))
    throw badValue(name, value, "an object whose values are texts, finite numbers, booleans or null");
  if (utf8Length(JSON.stringify(value)) <= MAX_WHERE_BYTES) return;
  throw badOption(`${name} has more than ${MAX_WHERE_BYTES} bytes as JSON; it must have at most as many`);
}

export const DISCONNECT_OPTIONS: Readonly<Record<keyof DisconnectOptions, ValueCheck>> = {
  // `checkClose` knows what they may be.
  code: () => {},
  reason: () => {},
  where: checkWhere,
};

export const MOVE_OPTIONS: Readonly<Record<keyof MoveOptions, ValueCheck>> = { keep: checkBoolean, where: checkWhere };

export const PRESENCE_HANDLERS: Readonly<Record<keyof PresenceHandlers, ValueCheck>> = {
  enter: checkFunction,
  change: checkFunction,
  leave: checkFunction,
};

/** The options of `pollGroup`. */
export interface PollOptions {
  /** The `next` of the client's last answer. @default the request's `?since=` */
  readonly since?: string | null | undefined;
  /**
   * Time that the request waits before it is answered with 204, in milliseconds, up to a second more.
   * @default 25_000: under the 30 s that Heroku and the 60 s that nginx and AWS ALB allow by default
   */
  readonly parkMs?: number | undefined;
  /** Headers of every answer. */
  readonly headers?: HeadersInput | undefined;
}

export const POLL_OPTIONS: Readonly<Record<keyof PollOptions, ValueCheck>> = {
  since: checkSince,
  parkMs: checkAmount,
  headers: checkHeadersOption,
};

/** Checks `since` of a store's `history`. */
export function checkHistorySince(since: unknown): void {
  if (since !== undefined) checkSince("since", since);
}

/** Accepts channels of this library, and those of another implementation with the same methods. */
export function checkMember(name: string, channel: unknown): void {
  if (implementationOf(channel) === undefined) checkChannel(name, channel);
}

/** Checks the groups of one `publish`. */
export function checkGroupNames(names: readonly unknown[]): asserts names is readonly string[] {
  if (names.length === 0 || names.length > MAX_GROUPS) {
    throw badOption(`publish got ${names.length} groups; give it 1 to ${MAX_GROUPS}`);
  }
  for (const name of names) checkGroupName(name);
  if (new Set(names).size < names.length) throw badOption("publish got a group twice; name each group once");
}

export function checkGroupName(name: unknown): asserts name is string {
  checkString("the name of a group", name);
  const text = name as string;
  if (isOwnGroup(text)) throw badOption("the name of a group begins like those that stores use among themselves");
  if (text.length * 3 > MAX_NAME_BYTES && utf8Length(text) > MAX_NAME_BYTES) {
    throw badOption(`the name of a group has more than ${MAX_NAME_BYTES} bytes; it must have at most as many`);
  }
}
