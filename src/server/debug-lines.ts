// Writes the lines for NODE_DEBUG=unichannel: one for each connection, handshake, refusal and channel. `session/transport.ts` and
// `session/ending.ts` write those of sessions. No line has a query, a header field with credentials or a whole token.

import { type DebugLog, quoted } from "../base/debug-log.ts";
import type { ChannelError } from "../base/errors.ts";
import { nextId } from "../channel/ids.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import { type CloseStatus, describeClose } from "../transport/close-status.ts";
import type { Exchange } from "../transport/exchange.ts";
import type { OpenConnection } from "./exchange-source.ts";

/** Undefined unless NODE_DEBUG has `unichannel`. Node reads it when the process starts. */
export function openDebugLog(): DebugLog | undefined {
  const { NODE_DEBUG } = process.env;
  if (NODE_DEBUG === undefined || NODE_DEBUG === "") return undefined;
  const log = process.getBuiltinModule("node:util").debuglog("unichannel");
  // Bun's has no `enabled`, and prints when NODE_DEBUG says so.
  const isRead = log.enabled ?? /(^|,)\s*(unichannel|\*)\s*(,|$)/i.test(NODE_DEBUG);
  return isRead ? (line) => log("%s", line) : undefined;
}

export class DebugLines {
  readonly #log: DebugLog;
  readonly #ids = new WeakMap<OpenConnection, string>();
  /** WebSocket requests that have no answer yet. */
  readonly #handshakes = new WeakMap<Exchange, ChannelRequest>();

  constructor(log: DebugLog) {
    this.#log = log;
  }

  /** `what`: the new state of the server, with details. */
  server(what: string): void {
    this.#log(`server ${what}`);
  }

  connectionOpened(connection: OpenConnection): void {
    const id = nextId();
    this.#ids.set(connection, id);
    this.#log(`connection ${id} opened: ${from(connection.remoteAddress)}${connection.isEncrypted ? ", TLS" : ""}`);
  }

  connectionClosed(connection: OpenConnection): void {
    const { bytesReceived, bytesSent } = connection;
    this.#log(`connection ${this.#ids.get(connection)} closed: ${bytesReceived} bytes received, ${bytesSent} sent`);
  }

  connectionRefused(address: string | undefined): void {
    this.#log(`connection refused: ${from(address)}; there is no room for it, or the server is stopping`);
  }

  /** A request that cannot be served was refused. */
  requestRefused({ status, message }: ChannelError): void {
    this.#log(`request refused: ${status} ${message}`);
  }

  requestBegun(request: ChannelRequest): void {
    if (request.isWebSocket) this.#handshakes.set(request.exchange, request);
  }

  /** The library itself refuses a request. */
  refused(request: ChannelRequest, status: number, why: string): void {
    const what = this.#handshakes.delete(request.exchange) ? "handshake" : "request";
    const origin = request.headers.get("origin");
    const page = origin === null ? "" : `, origin ${quoted(origin)}`;
    this.#log(`${what} refused: ${whose(request)}${page}: ${status} ${why}`);
  }

  requestEnded(exchange: Exchange, status: number | undefined): void {
    const request = this.#handshakes.get(exchange);
    if (request === undefined) return;
    this.#handshakes.delete(exchange);
    if (status === 101) this.#log(`handshake accepted: ${whose(request)}`);
    else if (status === undefined) this.#log(`handshake ended: ${whose(request)}: no answer, the client has left`);
    else this.#log(`handshake refused: ${whose(request)}: the application answered with ${status}`);
  }

  channelOpened(channel: TransportChannel, request: ChannelRequest): void {
    this.#log(`channel ${channel.id} opened: ${channel.logName}, ${whose(request)}`);
  }

  channelEnded(channel: TransportChannel, status: CloseStatus): void {
    this.#log(`channel ${channel.id} closed: ${channel.transport}, ${describeClose(status)}`);
  }
}

function whose(request: ChannelRequest): string {
  return `${request.method} ${quoted(request.path).slice(1, -1)} ${from(request.remoteAddress)}`;
}

function from(address: string | undefined): string {
  return `from ${address ?? "an unknown address"}`;
}
