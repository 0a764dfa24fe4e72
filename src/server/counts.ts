// The counters of a server: plain numbers, incremented where something happens and read by `stats`.

import { ChannelError, type ErrorCode } from "../base/errors.ts";
import type { ErrorSource, MessageCounts, OverflowPolicy } from "../channel/context.ts";
import type { RatePolicy } from "../channel/rate-limits.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { CloseName } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { OpenConnection } from "./exchange-source.ts";

/** By the first digit of the status (RFC 9110 §15). */
export type StatusClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx";

/** The open connections and channels of a server, and its counters since its start. Counters only grow. */
export interface ServerStats {
  /** Open connections. */
  readonly connections: number;
  /** Connections so far. One with a PROXY header counts when that has been read, one with TLS after its handshake. */
  readonly connectionsOpened: number;
  /** Connections that were refused because of `maxConnections`, or because the server was stopping. */
  readonly connectionsRefused: number;
  /** Requests so far, without those that cannot be served: malformed, too big, too late. */
  readonly requests: number;
  /**
   * Responses so far that are complete or were broken off, not those that are still open. A WebSocket's is its 101. Answers to
   * requests that cannot be served are among them.
   */
  readonly responses: Readonly<Record<StatusClass, number>>;
  /** Open channels by transport. A stream that a handler returned is one of them. */
  readonly channels: Readonly<Record<TransportKind, number>>;
  /** Channels that have ended, by transport and by the name of their close status: only names that occurred. */
  readonly channelsClosed: Readonly<Record<TransportKind, Readonly<Partial<Record<CloseName, number>>>>>;
  /** Messages that clients sent to channels. */
  readonly messagesReceived: number;
  /** Sends that channels took; a stream is one. */
  readonly messagesSent: number;
  /** Bytes that connections carried, HTTP and frames included, above TLS. */
  readonly bytesReceived: number;
  /** Bytes sent on all connections so far. */
  readonly bytesSent: number;
  /** The sum of all open channels' `bufferedAmount`. */
  readonly bufferedBytes: number;
  /** Sends that found their channel full, by the policy that was applied. */
  readonly overflows: Readonly<Record<OverflowPolicy, number>>;
  /** Messages that came faster than they may, by the policy that was applied: channels closed, messages dropped, messages that waited. */
  readonly rateExceeded: Readonly<Record<RatePolicy, number>>;
  /** Channels and sessions that were closed because the identity of their client had ended. */
  readonly expired: number;
  /** Sessions, and how they have moved between the processes of a service. */
  readonly sessions: SessionStats;
  /** Errors that were reported, by source and code; OTHER if it was no `ChannelError`. Only those that occurred. */
  readonly errors: Readonly<Partial<Record<ErrorSource, Readonly<Partial<Record<ErrorCode | "OTHER", number>>>>>>;
}

/** The sessions of a server. All but `open` and `relaysOpen` are counters; those of moves stay 0 without the option `sessions`. */
export interface SessionStats {
  /** Sessions that are open, with a connection or without. */
  readonly open: number;
  /** Requests that are being passed on to the process that has their session. A WebSocket is one until it ends. */
  readonly relaysOpen: number;
  /** Requests that were passed on so far. */
  readonly relayed: number;
  /** Sessions that `stop` has put into the session store. */
  readonly stored: number;
  /** Sessions that `stop` could not put there: their clients were told. */
  readonly notStored: number;
  /** Sessions that were taken from the store. */
  readonly taken: number;
  /** Requests with the token of a session that does not exist, or not any more: their clients got a new one, and were told. */
  readonly lost: number;
}

/** The counters of `SessionStats`, without the sessions that are open. */
export type SessionCounts = { -readonly [Name in Exclude<keyof SessionStats, "open">]: number };

/** A counter for each name that occurred. */
type Tally<Name extends string> = Partial<Record<Name, number>>;

/** The open connections, channels and sessions of a server. */
export interface OpenThings {
  readonly connections: readonly OpenConnection[];
  readonly openChannels: readonly TransportChannel[];
  readonly openSessions: number;
}

export class ServerCounts {
  connectionsOpened = 0;
  connectionsRefused = 0;
  requests = 0;
  expired = 0;
  /** Bytes of connections that are closed. */
  bytesReceived = 0;
  bytesSent = 0;
  readonly messages: MessageCounts = { received: 0, sent: 0 };
  /** By the first digit of the status. */
  readonly #responses: number[] = [0, 0, 0, 0, 0, 0];
  readonly #closed: Record<TransportKind, Tally<CloseName>> = { websocket: {}, sse: {}, stream: {}, poll: {} };
  readonly #overflows: Record<OverflowPolicy, number> = { close: 0, drop: 0 };
  readonly #rateExceeded: Record<RatePolicy, number> = { close: 0, drop: 0, wait: 0 };
  readonly sessions: SessionCounts = { relaysOpen: 0, relayed: 0, stored: 0, notStored: 0, taken: 0, lost: 0 };
  readonly #errors: Partial<Record<ErrorSource, Tally<ErrorCode | "OTHER">>> = {};

  response(status: number): void {
    this.#responses[(status / 100) | 0]! += 1;
  }

  channelClosed(kind: TransportKind, name: CloseName): void {
    add(this.#closed[kind], name);
  }

  overflow(policy: OverflowPolicy): void {
    this.#overflows[policy] += 1;
  }

  rateExceeded(policy: RatePolicy): void {
    this.#rateExceeded[policy] += 1;
  }

  error(error: unknown, source: ErrorSource): void {
    this.#errors[source] ??= {};
    add(this.#errors[source], error instanceof ChannelError ? error.code : "OTHER");
  }

  /** The counters, and the open connections and channels. */
  stats({ connections, openChannels, openSessions }: OpenThings): ServerStats {
    let { bytesReceived, bytesSent } = this;
    for (const connection of connections) {
      bytesReceived += connection.bytesReceived;
      bytesSent += connection.bytesSent;
    }
    const channels = { websocket: 0, sse: 0, stream: 0, poll: 0 };
    let bufferedBytes = 0;
    for (const channel of openChannels) {
      channels[channel.transport] += 1;
      bufferedBytes += channel.bufferedAmount;
    }
    const [, r1, r2, r3, r4, r5] = this.#responses as [number, number, number, number, number, number];
    return {
      connections: connections.length,
      connectionsOpened: this.connectionsOpened,
      connectionsRefused: this.connectionsRefused,
      requests: this.requests,
      responses: { "1xx": r1, "2xx": r2, "3xx": r3, "4xx": r4, "5xx": r5 },
      channels,
      channelsClosed: structuredClone(this.#closed),
      messagesReceived: this.messages.received,
      messagesSent: this.messages.sent,
      bytesReceived,
      bytesSent,
      bufferedBytes,
      overflows: { ...this.#overflows },
      rateExceeded: { ...this.#rateExceeded },
      expired: this.expired,
      sessions: { open: openSessions, ...this.sessions },
      errors: structuredClone(this.#errors),
    };
  }
}

function add<Name extends string>(tally: Tally<Name>, name: Name): void {
  tally[name] = (tally[name] ?? 0) + 1;
}
