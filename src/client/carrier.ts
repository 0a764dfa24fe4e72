// The client's seam: one way to the server of a session (PROTOCOL.md, "Carriers"), and the callbacks that it makes.

import type { OpenRecord, ServerRecord } from "../codec/session-record.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
import type { Endpoint, Query } from "./endpoint.ts";
import type { Time } from "./environment.ts";

/** Transports that may carry a connection, best first. A server names its transports in the same words. */
export type CarrierKind = "websocket" | "sse" | "poll";

/** Callbacks of a carrier. None is called before the function that starts the carrier has returned. */
export interface CarrierEvents {
  /** A request that asks for the session is being sent. */
  onStart(): void;
  /** Bytes have arrived. */
  onAlive(): void;
  onRecord(record: ServerRecord): void;
  /** The carrier is over; `end` is called then. Later callbacks of it are ignored. */
  onEnd(end: CarrierEnd): void;
}

/** The parameters of a carrier. */
export interface Link extends Time, CarrierEvents {
  readonly endpoint: Endpoint;
  readonly session: ClientSession;
  /** Returns the query of a request that takes the session up; each call is a new attempt. */
  readonly resumption: () => Query;
}

export interface Carrier {
  readonly kind: CarrierKind;
  /**
   * Called first, when this carrier has the session: sends the records that are not acknowledged, and with each `flush` those
   * that were added.
   */
  begin(open: OpenRecord): void;
  /** Called when there are records to send, or there is room for them. */
  flush(): void;
  /** Tells the server which records have arrived. */
  acknowledge(): void;
  /** Called each `heartbeatMs`: sends a sign of life. Returns false if sent records do not arrive. */
  heartbeat(): boolean;
  /** Until `release`, a poll that has ended is not followed by another. */
  hold?(): void;
  release?(): void;
  /**
   * Sends the remaining records of the session, acknowledges received ones, and ends; then `onEnd` is called.
   *
   * @param by the end that has closed the session: a server that has closed it takes no more messages from a WebSocket
   */
  finish(by: "client" | "server"): void;
  /** Ends now. */
  end(): void;
}
