// The context that the exchanges of one server share, of every version of HTTP: limits, clock, budgets, and the server's own
// reaction to their beginning and end.

import type { Clock } from "../base/clock.ts";
import type { ChannelError } from "../base/errors.ts";
import type { Http1Options } from "../protocol/http1.ts";
import type { Exchange } from "./exchange.ts";
import type { Http1Timeouts } from "./input/inactivity.ts";
import type { BufferBudget } from "./io/buffer-budget.ts";
import type { Flusher } from "./io/flusher.ts";

/** The part of a server that all its exchanges share. */
export interface ExchangeContext {
  readonly http: Http1Options;
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Bytes that all clients have sent and the application has not taken. */
  readonly received: BufferBudget;
  /** How long a connection that we have ended may stay open for the peer to end its side, in milliseconds. */
  readonly closeTimeoutMs: number;
  readonly timeouts: Http1Timeouts;
  /** A request has arrived; its answer may be given at any time. Never throws. */
  onExchange(exchange: Exchange): void;
  /** The response is complete: all of it is in the output. After 101 the connection is a WebSocket's. Never throws. */
  onExchangeEnd(exchange: Exchange, status: number): void;
  /** The exchange ended before its response did. `status`: undefined if no response had begun. Never throws. */
  onExchangeCut(exchange: Exchange, status: number | undefined): void;
  /** The fields by which a page of another origin may read the answer to a request that is refused. Never throws. */
  corsFieldsOf?(exchange: Exchange): readonly string[] | undefined;
  /** A request that has no exchange was answered with this error. Never throws. */
  onRefusal(error: ChannelError): void;
}
