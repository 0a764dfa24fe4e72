// A session as bytes: all that the next process needs to continue it. Text in JSON, so that it can be read where it is stored.

import { fromBase64, toBase64 } from "../base/base64.ts";
import { utf8, utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { decodeRequest } from "../codec/request-record.ts";
import type { GroupRecord, NumberedRecord } from "../codec/session-record.ts";
import { OutboundRequest } from "../protocol/outbound-request.ts";
import type { CompactRecord } from "../protocol/session.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { CursorsSnapshot } from "./cursors.ts";
import type { RequestsSnapshot } from "./requests.ts";

/** Another version is refused: its session is lost and told, as after a crash. */
const VERSION = 1;

/** A message, or a request that has no reply. */
export type WaitingItem = string | Uint8Array | { readonly id: number; readonly data: string | Uint8Array };

export interface SessionSnapshot {
  readonly token: string;
  readonly identity: string | undefined;
  readonly path: string;
  readonly maxMessageBytes: number;
  readonly resumeMs: number;
  readonly parkMs: number;
  readonly heartbeatMs: number;
  /** The date at which the identity of the client ends, in milliseconds; undefined: never. */
  readonly expiresAt: number | undefined;
  /** The kind of the last carrier. */
  readonly kind: TransportKind;
  /** The client's highest attempt number, if it numbers them. */
  readonly attempt: number | undefined;
  /** The client has acknowledged the records 1 to this number. `kept` follow it. */
  readonly acknowledged: number;
  /** The client's records 1 to this number have arrived. */
  readonly received: number;
  readonly kept: readonly CompactRecord<NumberedRecord>[];
  /** Set if the client keeps the cursors of its groups. */
  readonly cursors: CursorsSnapshot | undefined;
  /** Set if the client takes requests. */
  readonly requests: RequestsSnapshot | undefined;
  /** The number of the client's last record that the application took before it closed; undefined if it has not closed. */
  readonly takenAtClose: number | undefined;
  /** Messages and requests that have arrived, and with which the application is not done. */
  readonly inbox: readonly WaitingItem[];
  /** The JSON value of the channel's `attachment`; undefined if it has none. */
  readonly attachment: unknown;
  /** The memberships of groups, in the form of whoever made them: JSON. */
  readonly memberships: readonly unknown[];
  /** The result of the application's `save`: JSON. */
  readonly state: unknown;
}

/** Numbers that may be Infinity, which JSON does not have: null stands for it. */
type Limit = "maxMessageBytes" | "resumeMs" | "parkMs" | "heartbeatMs";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isLimit: Check = (value) => typeof value === "number" && value >= 0;
const isCount: Check = (value) => Number.isSafeInteger(value) && isLimit(value);
const orMissing =
  (isRight: Check): Check =>
  (value) =>
    value === undefined || isRight(value);

const isRequests: Check = (value) => {
  const { asked, answered, last, lastOfClient } = Object(value) as Partial<Record<string, unknown>>;
  return [asked, answered, last, lastOfClient].every(isCount);
};

const CHECKS: Readonly<Record<Exclude<keyof SessionSnapshot, "kept" | "inbox" | "attachment" | "state">, Check>> = {
  token: isText,
  identity: orMissing(isText),
  path: isText,
  maxMessageBytes: isLimit,
  resumeMs: isLimit,
  parkMs: isLimit,
  heartbeatMs: isLimit,
  expiresAt: orMissing((value) => typeof value === "number"),
  kind: isText,
  attempt: orMissing(isCount),
  acknowledged: isCount,
  received: isCount,
  takenAtClose: orMissing(isCount),
  cursors: orMissing((value) => typeof value === "object" && value !== null),
  requests: orMissing(isRequests),
  memberships: Array.isArray,
};

/**
 * Text as it is; bytes as `{ b: base64 }`; a close as `{ c: code, r: reason, t: retryMs }`; a record of a group as
 * `{ g: group, i: id, x: true for a reset, d: message }`; a record of a request as `{ q: content }`. A request that waits for the
 * application: `{ n: number, d: data }`.
 */
type Packed =
  | (PackedData | PackedGroup)
  | { readonly c: number; readonly r: string; readonly t?: number }
  | { readonly q: string };
type PackedItem = PackedData | { readonly n: number; readonly d: PackedData };
type PackedData = string | { readonly b: string };

interface PackedGroup {
  readonly g: string;
  readonly i?: string | undefined;
  readonly x?: true | undefined;
  readonly d?: PackedData | undefined;
}

export function encodeSnapshot(snapshot: SessionSnapshot): Uint8Array {
  const kept = snapshot.kept.map(packRecord);
  const inbox = snapshot.inbox.map(packItem);
  const limits = mapLimits(snapshot, (limit) => (limit === Number.POSITIVE_INFINITY ? null : limit));
  return utf8Bytes(JSON.stringify({ version: VERSION, ...snapshot, ...limits, kept, inbox }));
}

/** Throws BAD_DATA for bytes of another version, or of anybody else. */
export function decodeSnapshot(bytes: Uint8Array): SessionSnapshot {
  try {
    const { version, ...rest } = JSON.parse(utf8(bytes));
    if (version !== VERSION) throw new Error(`its version is ${version}, and ${VERSION} is known`);
    const limits = mapLimits(rest, (limit) => (limit === null ? Number.POSITIVE_INFINITY : limit));
    const snapshot = { ...rest, ...limits, kept: rest.kept.map(unpackRecord), inbox: rest.inbox.map(unpackItem) };
    for (const [name, isRight] of Object.entries(CHECKS)) {
      if (!isRight(snapshot[name])) throw new Error(`its ${name} is ${String(snapshot[name])}`);
    }
    return snapshot;
  } catch (cause) {
    throw new ChannelError("BAD_DATA", "a session from the store cannot be read", { cause });
  }
}

function mapLimits<From, To>(from: Record<Limit, From>, map: (limit: From) => To): Record<Limit, To> {
  const { maxMessageBytes, resumeMs, parkMs, heartbeatMs } = from;
  return {
    maxMessageBytes: map(maxMessageBytes),
    resumeMs: map(resumeMs),
    parkMs: map(parkMs),
    heartbeatMs: map(heartbeatMs),
  };
}

function packRecord(record: CompactRecord<NumberedRecord>): Packed {
  if (typeof record === "string") return record;
  if (record.type === "message") return packData(record.data);
  if (record.type === "group") {
    const { group, id, reset, data } = record;
    return { g: group, i: id, x: reset === true ? true : undefined, d: data === undefined ? data : packData(data) };
  }
  if (record.type === "request") return { q: record.data };
  // Only clients send records of this kind.
  if (record.type === "since") throw new Error("a client's record is not kept here");
  const { code, reason, retryMs } = record;
  return { c: code, r: reason, ...(retryMs === undefined ? {} : { t: retryMs }) };
}

function unpackRecord(packed: Packed): CompactRecord<NumberedRecord> {
  if (typeof packed === "string") return packed;
  if ("g" in packed) return unpackGroup(packed);
  if ("b" in packed) return { type: "message", data: unpackData(packed) };
  if ("q" in packed) {
    decodeRequest(packed.q);
    return new OutboundRequest(packed.q);
  }
  if (!isCount(packed.c) || !isText(packed.r)) throw new Error("one of its records is of no kind that is known");
  return { type: "close", code: packed.c, reason: packed.r, ...(packed.t === undefined ? {} : { retryMs: packed.t }) };
}

function unpackGroup({ g: group, i: id, x: reset, d }: PackedGroup): GroupRecord {
  return { type: "group", group, id, reset, data: d === undefined ? d : unpackData(d) };
}

function packItem(item: WaitingItem): PackedItem {
  if (typeof item === "string" || item instanceof Uint8Array) return packData(item);
  return { n: item.id, d: packData(item.data) };
}

function unpackItem(packed: PackedItem): WaitingItem {
  if (typeof packed === "string" || !("n" in packed)) return unpackData(packed);
  if (!isCount(packed.n)) throw new Error(`the number of a request is ${packed.n}`);
  return { id: packed.n, data: unpackData(packed.d) };
}

function packData(data: string | Uint8Array): PackedData {
  return typeof data === "string" ? data : { b: toBase64(data) };
}

function unpackData(packed: PackedData): string | Uint8Array {
  if (typeof packed === "string") return packed;
  const bytes = fromBase64(packed.b);
  if (bytes === undefined) throw new Error("its bytes are not base64");
  return bytes;
}
