// The source of exchanges inside a server of node:http or node:http2: makes them of its requests, takes the upgrades that are
// ours, and brings both to an exchange server. The server itself, its other requests and its connections stay the application's.

import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { ChannelError } from "../../base/errors.ts";
import { callSync, guard } from "../../base/guard.ts";
import { IndexedSet } from "../../base/indexed-set.ts";
import { Output } from "../../base/output.ts";
import { encodeResponseHead } from "../../codec/http1-response.ts";
import { hasListMember } from "../../codec/http1-syntax.ts";
import type { EngineStream, StreamOwner } from "../../server/engine-stream.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { ExchangeSource, OpenConnection } from "../../server/exchange-source.ts";
import { NetStream } from "../../server/net-stream.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import { switchingFields } from "../../transport/http1/switching-fields.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import type { Transport } from "../../transport/transport.ts";
import { WebSocketTransport } from "../../transport/websocket/transport.ts";
import { NodeExchange } from "./exchange.ts";
import type { NodeExchangeOwner, OpenExchange, PendingUpgrade } from "./exchange-owner.ts";
import {
  type AttachedExchange,
  isHttp2Request,
  isHttp2Server,
  type NodeRequest,
  type NodeResponse,
  type NodeServer,
} from "./host-server.ts";
import { NodeHttp2Exchange } from "./http2-exchange.ts";
import { HostHttp2Upgrade } from "./http2-upgrade.ts";
import { connectionOf, SERVERS } from "./known-connections.ts";
import type { UpgradeMatcher } from "./options.ts";
import { readAgain } from "./read-again.ts";
import { HostUpgrade, type UpgradeOwner, type UpgradeRole } from "./upgrade.ts";

/** Sockets tell that they are closed a turn or two after they were destroyed. */
const MAX_CLOSING_TURNS = 10;

/** See `isBodyRead`. */
const READS_BODIES = Number(process.versions.node.split(".")[0]) >= 26;

type Open = OpenExchange | HostUpgrade | HostHttp2Upgrade | EngineStream;

interface NodeHostOptions {
  readonly isOurs: UpgradeMatcher;
  /** Called once, when the first client of HTTP/2 connects to a server without WebSockets over HTTP/2. */
  readonly onNoHttp2WebSockets: () => void;
}

export class NodeHost implements ExchangeSource, StreamOwner, NodeExchangeOwner, UpgradeOwner {
  readonly url = undefined;
  readonly isUnix = false;
  readonly server: ExchangeServer;
  readonly buffered: BufferBudget;
  readonly writeTimeoutMs: number;
  readonly #http: NodeServer;
  /** The same object, for events that only some of these servers have. */
  readonly #events: EventEmitter;
  readonly #isOurs: UpgradeMatcher;
  /** Undefined after the first session of HTTP/2. */
  #onNoHttp2WebSockets: (() => void) | undefined;
  readonly #open = new IndexedSet<Open>();
  /** The upgrades that are not answered, by their request. */
  readonly #upgrades = new WeakMap<IncomingMessage, HostUpgrade>();
  readonly #http2Upgrades = new WeakMap<Http2ServerRequest, HostHttp2Upgrade>();
  /** The event of a connection that is ready for HTTP. */
  readonly #connectionEvent: "connection" | "secureConnection";
  /** True if every connection came after `attach`, so that an unknown one is another server's. */
  readonly #sawAllConnections: boolean;
  #hasListened: boolean;
  /** False from the second step of a stop on: a new request is refused. */
  isAccepting = true;

  constructor(server: ExchangeServer, http: NodeServer, { isOurs, onNoHttp2WebSockets }: NodeHostOptions) {
    this.server = server;
    this.buffered = server.buffered;
    this.writeTimeoutMs = server.limits.writeTimeoutMs;
    this.#http = http;
    this.#events = http;
    this.#isOurs = isOurs;
    // A server that speaks HTTP/1.1 as well has its timeouts. Browsers then open WebSockets over HTTP/1.1.
    this.#onNoHttp2WebSockets = "requestTimeout" in http ? undefined : onNoHttp2WebSockets;
    this.#hasListened = http.listening;
    this.#sawAllConnections = !http.listening;
    this.#connectionEvent = http instanceof TlsServer ? "secureConnection" : "connection";
    // First, because Node reads the bytes that came with a connection at once.
    this.#events.prependListener(this.#connectionEvent, this.#onConnection);
    this.#events.on("upgrade", this.#onUpgrade).on("listening", this.#onListening).on("close", this.#onClose);
    if (isHttp2Server(http)) this.#events.prependListener("session", this.#onSession).on("connect", this.#onConnect);
  }

  get size(): number {
    return this.#open.size;
  }

  get allowsHalfOpen(): boolean {
    return (this.#http as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen === true;
  }

  snapshot(): readonly OpenConnection[] {
    return this.#open.snapshot();
  }

  /** Removes all listeners from the server, which may then be attached again. */
  detach(): void {
    this.#events.off("upgrade", this.#onUpgrade).off("listening", this.#onListening).off("close", this.#onClose);
    this.#events.off(this.#connectionEvent, this.#onConnection);
    this.#events.off("session", this.#onSession).off("connect", this.#onConnect);
  }

  /** True for a request that came on a connection of this server. */
  owns(request: NodeRequest): boolean {
    const connection = connectionOf(request);
    if (connection === undefined) return true;
    const server = SERVERS.get(connection);
    return server === undefined ? !this.#sawAllConnections : server === this.#http;
  }

  /** Makes the exchange of a request that Node has read. */
  toExchange(request: NodeRequest, response: NodeResponse, body: Uint8Array | undefined): AttachedExchange {
    if (isHttp2Request(request)) {
      this.#http2Upgrades.get(request)?.take();
      return new NodeHttp2Exchange(this, { request, response: response as Http2ServerResponse, body });
    }
    const upgrade = this.#upgrades.get(request);
    upgrade?.take();
    return new NodeExchange(this, { request, response: response as ServerResponse, body, upgrade });
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

  opened(exchange: OpenExchange): void {
    this.#open.add(exchange);
  }

  closed(exchange: OpenExchange): void {
    this.#open.delete(exchange);
    this.server.checkEmpty();
  }

  emit({ request, response }: { readonly request: NodeRequest; readonly response: NodeResponse }): boolean {
    return this.#events.emit("request", request, response);
  }

  upgradeTaken(upgrade: HostUpgrade): void {
    this.#open.delete(upgrade);
  }

  upgradeOver(upgrade: HostUpgrade | HostHttp2Upgrade): void {
    this.#open.delete(upgrade);
    this.server.checkEmpty();
  }

  /** Another listener of "upgrade" takes every WebSocket for its own, or for nobody's. */
  readonly endedByOthers = (): void => this.server.report(new ChannelError("UPGRADE_TAKEN"), { source: "upgrade" });

  streamClosed(stream: EngineStream): void {
    this.#open.delete(stream);
    this.server.connectionClosed(stream);
  }

  /** The listener is always a WebSocket, which its channel ticks. */
  tickListener(): boolean {
    return false;
  }

  /** Finds a call of `server.close()`, for which Node has no event: without our stop it would wait for WebSockets for ever. */
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
        () => ("drop" in one ? one.drop() : one.destroy()),
        (error) => this.server.report(error, { source: "connection" }),
      );
    }
    for (let turns = 0; this.#open.size > 0 && turns < MAX_CLOSING_TURNS; turns++) await new Promise(setImmediate);
  }

  readonly #onConnection = (socket: Socket): void => void SERVERS.set(socket, this.#http);

  /**
   * Every listener of "upgrade" gets every upgrade; without an answer an upgrade hangs for ever. Without a listener Node takes an
   * upgrade for an ordinary request; so it is one here where no other listener could be meant.
   */
  readonly #onUpgrade = (request: IncomingMessage, duplex: Duplex, head: Buffer): void => {
    const { socket } = request;
    const role = this.#roleOf(request);
    if (role === "ordinary" && this.#http.listenerCount("upgrade") > 1) return;
    const hasBodyRead = isBodyRead(request, duplex);
    if (duplex !== socket) duplex.on("error", () => {}).resume();
    if (!hasBodyRead && role !== "failed" && !hasListMember(request.headers.upgrade ?? "", "websocket")) {
      readAgain(this.#http, this.#connectionEvent, request, socket, head);
      return;
    }
    const upgrade = new HostUpgrade(this, { request, head, role, hasBodyRead });
    this.#upgrades.set(request, upgrade);
    this.#open.add(upgrade);
    upgrade.begin();
  };

  readonly #onSession = (session: ServerHttp2Session): void => {
    SERVERS.set(session, this.#http);
    const onNoHttp2WebSockets = this.#onNoHttp2WebSockets;
    if (onNoHttp2WebSockets === undefined) return;
    this.#onNoHttp2WebSockets = undefined;
    // Our settings apply only when the client has acknowledged them.
    session.once("localSettings", ({ enableConnectProtocol }) => {
      if (enableConnectProtocol !== true) onNoHttp2WebSockets();
    });
  };

  /**
   * node:http2 has this event for each CONNECT, which no route gets: a WebSocket of RFC 8441, or a tunnel. Without a listener
   * it answers 405; so do we where no other listener could be meant. HTTP/1.1 brings its own here: the connection ends then.
   */
  readonly #onConnect = (request: NodeRequest, response: Http2ServerResponse | Duplex): void => {
    const isHttp2 = isHttp2Request(request);
    // A stream listener of the application has answered it.
    if (isHttp2 && request.stream.headersSent) return;
    const isWebSocket = isHttp2 && request.headers[":protocol"] === "websocket";
    const role = isWebSocket ? this.#roleOf(request) : "ordinary";
    if (role === "ordinary") {
      if (this.#events.listenerCount("connect") > 1) return;
      if (isHttp2) (response as Http2ServerResponse).writeHead(405).end();
      else (response as Duplex).destroy();
      return;
    }
    if (!isHttp2) return;
    const upgrade = new HostHttp2Upgrade(this, request, response as Http2ServerResponse);
    this.#http2Upgrades.set(request, upgrade);
    this.#open.add(upgrade);
    if (role === "failed") upgrade.fail();
    else upgrade.begin();
  };

  #roleOf(request: NodeRequest): UpgradeRole {
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

/**
 * True if Node has read the body of an upgrade, or goes on reading it. Node 24.21 does not, Node 26.10 does: where the body has not
 * come whole, a stream of its own then has what follows it.
 */
function isBodyRead({ socket, headers, readableLength }: IncomingMessage, duplex: Duplex): boolean {
  if (duplex !== socket || readableLength > 0) return true;
  return READS_BODIES && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);
}
