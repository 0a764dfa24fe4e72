// The end of a carrier, and its meaning for the connection.

import type { KeptRecord } from "./client-session.ts";

/** The reason why a carrier is over, as far as it is known. */
export interface CarrierEnd {
  /** Status of the HTTP response that ended the carrier. Undefined for a stream that has ended after its `open`. */
  readonly status?: number | undefined;
  /** The delay that `Retry-After` asked for. */
  readonly retryAfterMs?: number;
  /** Close code and reason of a WebSocket. */
  readonly code?: number;
  readonly reason?: string;
  /** Number (`try`) of the request that is over; undefined if a POST ended the carrier. */
  readonly attempt?: number | undefined;
  /** Text for error messages: names the answer that came instead of the expected one. */
  readonly what?: string | undefined;
  /** An exception of the application's `headers` or `params`, or a breach of the protocol by the server. */
  readonly error?: unknown;
  /** The record that the platform has refused, with `error`. */
  readonly refused?: KeptRecord;
}

/** PROTOCOL.md, "Resuming a session": another carrier or client has the session. */
export const REPLACED = 4409;
/** PROTOCOL.md, "The identity of a client": it has ended, or is not accepted any more. */
export const EXPIRED = 4401;
/** PROTOCOL.md, "The end": a WebSocket that the server ends with one of these ends the session. */
const FATAL_CODES: readonly (number | undefined)[] = [1002, 1003, 1007, 1008, 1009, 1011];
/** Close codes for statuses that refuse a client for good. */
const FATAL_STATUS: Readonly<Record<number, number>> = { 401: 1008, 403: 1008, 413: 1009 };

/** Returns the close code of the connection if it ends with this carrier, else undefined. */
export function fatalCode({ code, status = 0 }: CarrierEnd, wasOpen: boolean): number | undefined {
  return (wasOpen && FATAL_CODES.includes(code) ? code : undefined) ?? FATAL_STATUS[status];
}

/** Returns true if an open carrier was answered with something that no session answers. */
export function isOdd({ status }: CarrierEnd): boolean {
  // 410 says that the session has ended; 409 ends a parked poll whose session has another carrier.
  return status !== undefined && status !== 409 && status !== 410;
}
