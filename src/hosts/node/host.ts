// The source of exchanges inside a server of node:http: makes them of its requests, takes the upgrades that are ours, and brings
// both to an exchange server. The server itself, its other requests and its connections stay the application's.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { ChannelError } from "../../base/errors.ts";
import { callSync, guard } from "../../base/guard.ts";
import { IndexedSet } from "../../base/indexed-set.ts";
import { Output } from "../../base/output.ts";
import { encodeResponseHead } from "../../codec/http1-response.ts";
import { hasListMember } from "../../codec/http1-syntax.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { Connection, ExchangeSource } from "../../server/exchange-source.ts";
import { NetStream, type NetStreamOwner } from "../../server/net-stream.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import { switchingFields } from "../../transport/http1/switching-fields.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import type { Transport } from "../../transport/transport.ts";
import { WebSocketTransport } from "../../transport/websocket/transport.ts";
import { NodeExchange, type NodeExchangeOwner, type PendingUpgrade } from "./exchange.ts";
import type { NodeServer } from "./host-server.ts";
import type { UpgradeMatcher } from "./options.ts";
import { readAgain } from "./read-again.ts";
import { HostUpgrade, type UpgradeOwner, type UpgradeRole } from "./upgrade.ts";

/** Sockets tell that they are closed a turn or two after they were destroyed. */
const MAX_CLOSING_TURNS = 10;

/** The server of each connection that came after `attach`. */
const SERVERS = new WeakMap<Socket, NodeServer>();

/** The server of a request whose connection came after `attach`. */
export function serverOf({ socket }: IncomingMessage): NodeServer | undefined {
  return SERVERS.get(socket);
}

type Open = NodeExchange | HostUpgrade | NetStream;

export class NodeHost implements ExchangeSource, NetStreamOwner, NodeExchangeOwner, UpgradeOwner {
  readonly url = undefined;
  readonly isUnix = false;
  readonly server: ExchangeServer;
  readonly budget: BufferBudget;
  readonly writeTimeoutMs: number;
  readonly #http: NodeServer;
  readonly #isOurs: UpgradeMatcher;
  readonly #open = new IndexedSet<Open>();
  /** The upgrades that are not answered, by their request. */
  readonly #upgrades = new WeakMap<IncomingMessage, HostUpgrade>();
  /** The event of a connection that is ready for HTTP. */
  readonly #connectionEvent: "connection" | "secureConnection";
  /** True if every connection came after `attach`, so that an unknown one is another server's. */
  readonly #knowsAll: boolean;
  #hasListened: boolean;
  /** False from the second step of a stop on: a new request is refused. */
  isAccepting = true;

  constructor(server: ExchangeServer, http: NodeServer, isOurs: UpgradeMatcher) {
    this.server = server;
    this.budget = server.budget;
    this.writeTimeoutMs = server.limits.writeTimeoutMs;
    this.#http = http;
    this.#isOurs = isOurs;
    this.#hasListened = http.listening;
    this.#knowsAll = !http.listening;
    this.#connectionEvent = http instanceof TlsServer ? "secureConnection" : "connection";
    // First, as Node reads what came with a connection at once.
    http.prependListener(this.#connectionEvent, this.#onConnection);
    http.on("upgrade", this.#onUpgrade);
    http.on("listening", this.#onListening).on("close", this.#onClose);
  }

  get size(): number {
    return this.#open.size;
  }

  get allowsHalfOpen(): boolean {
    return (this.#http as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen === true;
  }

  snapshot(): readonly Connection[] {
    return this.#open.snapshot();
  }

  /** Lets the server go: another may be attached to it. */
  detach(): void {
    this.#http.off("upgrade", this.#onUpgrade).off("listening", this.#onListening).off("close", this.#onClose);
    this.#http.off(this.#connectionEvent, this.#onConnection);
  }

  /** True for a request that came on a connection of this server. */
  hasRead({ socket }: IncomingMessage): boolean {
    const server = SERVERS.get(socket);
    return server === undefined ? !this.#knowsAll : server === this.#http;
  }

  /**
   * Makes the exchange of a request that the host has read. One of HTTP/2 has a stream; its version alone would not tell,
   * because a client may write `GET / HTTP/2.0` on a connection of HTTP/1.1.
   */
  toExchange(request: IncomingMessage, response: ServerResponse, body: Uint8Array | undefined): NodeExchange {
    if ("stream" in request) {
      throw new ChannelError("NOT_OUR_REQUEST", `a request of HTTP/${request.httpVersion}, which attach does not read`);
    }
    const upgrade = this.#upgrades.get(request);
    upgrade?.take();
    return new NodeExchange(this, { request, response, body, upgrade });
  }

  acceptWebSocket(
    upgrade: PendingUpgrade,
    request: IncomingMessage,
    fields: readonly string[],
    options: WebSocketOptions,
  ): Transport {
    const output = new Output();
    output.text(`${encodeResponseHead(101, [...switchingFields(request.rawHeaders), ...fields])}\r\n`);
    const { socket, rest } = upgrade.accept();
    const stream = new NetStream(socket, this);
    this.#open.add(stream);
    this.server.connectionOpened(stream);
    const transport = new WebSocketTransport(stream, this.server, options, output);
    stream.listener = transport;
    transport.begins(rest);
    return transport;
  }

  opened(exchange: NodeExchange): void {
    this.#open.add(exchange);
  }

  closed(exchange: NodeExchange): void {
    this.#open.delete(exchange);
    this.server.checkEmpty();
  }

  emit({ request, response }: HostUpgrade): boolean {
    return this.#http.emit("request", request, response);
  }

  upgradeOver(upgrade: HostUpgrade): void {
    this.#open.delete(upgrade);
    this.server.checkEmpty();
  }

  streamClosed(stream: NetStream): void {
    this.#open.delete(stream);
    this.server.connectionClosed(stream);
  }

  /** Its channel ticks for a WebSocket. */
  tickListener(): boolean {
    return false;
  }

  /** Node has no event for the begin of `server.close()`, which waits for WebSockets, and would wait for ever. */
  tick(): void {
    if (this.#hasListened && !this.#http.listening) this.#stop(undefined);
  }

  stopAccepting(): void {}

  endConnections(): void {
    this.isAccepting = false;
  }

  async dropConnections(): Promise<void> {
    for (const one of this.#open.snapshot()) {
      guard(
        () => (one instanceof NetStream ? one.destroy() : one.drop()),
        (error) => this.server.report(error, { source: "connection" }),
      );
    }
    for (let turns = 0; this.#open.size > 0 && turns < MAX_CLOSING_TURNS; turns++) await new Promise(setImmediate);
  }

  readonly #onConnection = (socket: Socket): void => void SERVERS.set(socket, this.#http);

  /**
   * Every listener of "upgrade" gets every upgrade, and one that nobody answers hangs for ever. Without a listener Node takes an
   * upgrade for an ordinary request; so it is one here where no other listener could be meant.
   */
  readonly #onUpgrade = (request: IncomingMessage, duplex: Duplex, head: Buffer): void => {
    const socket = duplex as Socket;
    const role = this.#roleOf(request);
    if (role === "ordinary" && this.#http.listenerCount("upgrade") > 1) return;
    if (role !== "failed" && !hasListMember(request.headers.upgrade ?? "", "websocket")) {
      readAgain(this.#http, this.#connectionEvent, request, socket, head);
      return;
    }
    const upgrade = new HostUpgrade(this, { request, socket, head, role });
    this.#upgrades.set(request, upgrade);
    this.#open.add(upgrade);
    upgrade.begin();
  };

  #roleOf(request: IncomingMessage): UpgradeRole {
    try {
      const isOurs: unknown = callSync("upgrades", () => this.#isOurs(request));
      return isOurs === true ? "ours" : "ordinary";
    } catch (error) {
      this.server.report(error, { source: "upgrade" });
      return "failed";
    }
  }

  readonly #onListening = (): void => {
    this.#hasListened = true;
  };

  readonly #onClose = (): void => this.#stop(0);

  #stop(graceMs: number | undefined): void {
    if (this.server.status === "running") void this.server.stop(graceMs === undefined ? {} : { graceMs });
  }
}
