// What the end of a carrier means for its connection.

import type { Kept } from "./client-session.ts";

/** Why a carrier is over, as far as it is known. */
export interface CarrierEnd {
  /** Of an HTTP response that ended the carrier. A stream that has ended, after its `open`, has none. */
  readonly status?: number | undefined;
  /** What `Retry-After` asked for. */
  readonly retryAfterMs?: number;
  /** Of a WebSocket's end. */
  readonly code?: number;
  readonly reason?: string;
  /** The `try` of the request that is over; undefined if a POST ended the carrier. */
  readonly attempt?: number | undefined;
  /** For people: what came instead of what was expected. */
  readonly what?: string | undefined;
  /** What the application's own `headers` or `params` threw, or a server that does not keep to the protocol. */
  readonly error?: unknown;
  /** A record that the platform refuses, because of `error`. */
  readonly refused?: Kept;
}

/** PROTOCOL.md, "Taking up": somebody else has the session. */
export const REPLACED = 4409;
/** PROTOCOL.md, "The end": a WebSocket that the server ends with one of these ends the session. */
const FATAL_CODES: readonly (number | undefined)[] = [1002, 1003, 1007, 1008, 1009, 1011];
/** What a refused request would be on a WebSocket: to ask again would be no use. */
const FATAL_STATUS: Readonly<Record<number, number>> = { 401: 1008, 403: 1008, 413: 1009 };

/** The close code of the connection, if it ends with this carrier. */
export function fatalCode({ code, status = 0 }: CarrierEnd, wasOpen: boolean): number | undefined {
  return (wasOpen && FATAL_CODES.includes(code) ? code : undefined) ?? FATAL_STATUS[status];
}

/** The carrier was open, and then the server, or something before it, answered otherwise than a session does. */
export function isOdd({ status }: CarrierEnd): boolean {
  // 410 is the end of a session, 409 that of a parked poll whose session has another carrier.
  return status !== undefined && status !== 409 && status !== 410;
}
