// The connections of the engine: gives each socket its stream and its driver, limits their number, and ends them when the
// server stops. Sockets come from a listener, or from memory in tests.

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterReads } from "../base/after-reads.ts";
import type { Timer } from "../base/clock.ts";
import { guard } from "../base/guard.ts";
import { IndexedSet } from "../base/indexed-set.ts";
import { type Moves, StateMachine } from "../base/state-machine.ts";
import type { ExchangeContext } from "../transport/exchange-context.ts";
import { Http1Driver } from "../transport/http1/driver.ts";
import type { ClientConnection } from "../transport/http1/exchange.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { ByteStreamListener } from "../transport/io/byte-stream.ts";
import { ProxyListener } from "../transport/io/proxy-listener.ts";
import { addressOf, KEEP_ALIVE_MS } from "./address.ts";
import { AddressLimit, BUSY } from "./admission.ts";
import type { EngineStream, StreamOwner } from "./engine-stream.ts";
import type { ExchangeServer } from "./exchange-server.ts";
import type { ExchangeSource, OpenConnection } from "./exchange-source.ts";
import type { Http2Connection, Http2ConnectionOwner } from "./http2-connection.ts";
import { NetStream, turnAway } from "./net-stream.ts";
import type { ProxyFrontOwner } from "./proxy-front.ts";

/** A socket reports its close one or two turns after it was destroyed. */
const MAX_CLOSING_TURNS = 10;

/**
 * How long a connection without a request waits for one when the server stops: it may be on its way. No client repeats a request
 * that is lost on a connection which it has just made. Without this time 1 to 4 of 10,000 requests were, in a restart under load.
 */
const LAST_REQUEST_MS = 100;
/** The same with TLS: before its request a new client needs one or two round trips for the handshake (RFC 8446 §2). */
const LAST_TLS_REQUEST_MS = 500;

/**
 * Node takes one connection in each turn of the event loop (libuv 1.46 to 1.51). A stop begins when a turn brings none; under a load
 * that never ends, after this time. Turns are long while many handshakes are made: 100 ms were enough for half of 60 TLS clients.
 */
const MAX_TAKING_MS = 1000;

/** The point at which connections are limited: `beforeTls` counts sockets in their handshake, too. */
export type LimitPoint = "beforeTls" | "atAccept";

type ConnectionsState = "open" | "ending" | "closed";

/** Every legal move. In "ending" each connection takes one more request; in "closed" no new connection is accepted. */
const MOVES: Moves<ConnectionsState> = {
  open: ["ending", "closed"],
  ending: ["closed"],
  closed: [],
};

/** Makes the connection of a socket whose protocol is "h2". */
export type OpenHttp2 = (
  socket: Socket,
  remoteAddress: string | undefined,
  owner: Http2ConnectionOwner,
) => Http2Connection;

/** Reads the header in front of HTTP. */
export interface Front {
  /** Gives the stream of a new connection its listener. */
  accept(stream: NetStream): void;
}

export class Connections implements ExchangeSource, StreamOwner, ProxyFrontOwner, Http2ConnectionOwner {
  readonly url = undefined;
  readonly isUnix = false;
  readonly buffered: BufferBudget;
  readonly writeTimeoutMs: number;
  readonly keepAliveMs: number = KEEP_ALIVE_MS;
  /** Reads PROXY headers; undefined where connections have none. Set before the first connection. */
  front: Front | undefined;
  /** Undefined where there is no HTTP/2. Set before the first connection. */
  openHttp2: OpenHttp2 | undefined;
  /** Set before the stop. */
  lastRequestMs: number;
  readonly #server: ExchangeServer;
  readonly #context: ExchangeContext;
  readonly #limitPoint: LimitPoint;
  /** Undefined where the connections of an address are not limited. */
  readonly #addresses: AddressLimit | undefined;
  readonly #open = new IndexedSet<EngineStream | Http2Connection>();
  /** Sockets below TLS. Until its handshake is done such a socket has no stream. */
  readonly #belowTls = new Set<Socket>();
  readonly #state = new StateMachine("the connections of a server", MOVES, "open");
  #lastRequestTimer: Timer | undefined;
  /** Sockets that came so far. */
  #taken = 0;

  /** `context`: receives the requests. @default the server */
  constructor(server: ExchangeServer, limitPoint: LimitPoint = "atAccept", context: ExchangeContext = server) {
    this.#server = server;
    this.#context = context;
    this.#limitPoint = limitPoint;
    this.lastRequestMs = limitPoint === "beforeTls" ? LAST_TLS_REQUEST_MS : LAST_REQUEST_MS;
    this.buffered = server.buffered;
    const { maxConnectionsPerAddress, writeTimeoutMs } = server.limits;
    this.writeTimeoutMs = writeTimeoutMs;
    if (maxConnectionsPerAddress < Number.POSITIVE_INFINITY) {
      this.#addresses = new AddressLimit(maxConnectionsPerAddress, server.proxies?.isProxy);
    }
  }

  get size(): number {
    // A handshake may end with a last request.
    return this.#state.is("ending") ? Math.max(this.#open.size, this.#belowTls.size) : this.#open.size;
  }

  snapshot(): readonly OpenConnection[] {
    return this.#open.snapshot();
  }

  /** Takes a new connection: a socket, after its TLS handshake if there is one, or an object that behaves like a socket. */
  accept(socket: Socket): void {
    this.#taken += 1;
    if (this.beginHttp2(socket, addressOf(socket))) return;
    const stream = this.openStream(socket);
    if (stream === undefined) return;
    if (this.front !== undefined) this.front.accept(stream);
    else if (this.#limitPoint === "beforeTls" || this.admit(stream, stream.remoteAddress)) this.beginHttp(stream);
    else this.turnAway(stream);
  }

  /** Takes the stream of a new connection that is no `net.Socket`. */
  take(stream: EngineStream): void {
    this.#taken += 1;
    const { remoteAddress } = stream;
    if (!this.#hasRoom(remoteAddress)) stream.turnAway(BUSY);
    else {
      this.#open.add(stream);
      if (this.admit(stream, remoteAddress)) this.beginHttp(stream);
      else this.turnAway(stream);
    }
  }

  /**
   * Limits and watches a connection that begins its TLS handshake. A socket over the limit is dropped without an
   * answer: that would need the handshake, which is the expensive part.
   */
  watchBelowTls(socket: Socket): void {
    this.#taken += 1;
    const isFull = this.#belowTls.size >= this.#server.limits.maxConnections;
    if (isFull) this.#server.connectionRefused(addressOf(socket));
    if (isFull || (this.front === undefined && !this.admit(socket, addressOf(socket)))) {
      this.#addresses?.leave(socket);
      socket.destroy();
      return;
    }
    this.#belowTls.add(socket);
    socket.once("close", () => {
      this.#belowTls.delete(socket);
      this.#addresses?.leave(socket);
      this.#server.checkEmpty();
    });
  }

  stopAccepting(): void {
    // The last responses of these connections say `Connection: close`.
    this.#eachHttp((http) => {
      if (http instanceof Http1Driver && !http.isIdle) http.closeSoon();
    });
  }

  /** Resolves when a turn has brought no connection, or after `maxMs`. */
  async allTaken(maxMs: number): Promise<void> {
    const { clock } = this.#server;
    const endsAt = clock.now() + Math.min(maxMs, MAX_TAKING_MS);
    for (let before = -1; before !== this.#taken && clock.now() < endsAt; ) {
      before = this.#taken;
      await new Promise<void>(afterReads);
    }
  }

  endConnections(): void {
    this.#state.moveTo("ending");
    // Not earlier: a client between two polls comes back on the same connection for messages that were sent before the stop.
    this.#eachHttp((http) => http.announceClose());
    const endIdle = (): void => this.#endIdle();
    if (this.lastRequestMs === 0) endIdle();
    // A process that was busy has not read yet what came in time.
    else this.#lastRequestTimer = this.#server.clock.setTimer(() => afterReads(endIdle), this.lastRequestMs);
  }

  async dropConnections(): Promise<void> {
    this.#server.clock.clearTimer(this.#lastRequestTimer);
    this.#state.tryMoveTo("closed");
    for (const stream of this.#open.snapshot()) this.#guard(() => stream.destroy());
    for (const socket of this.#belowTls) this.#guard(() => socket.destroy());
    for (let turns = 0; this.#open.size > 0 && turns < MAX_CLOSING_TURNS; turns++) await new Promise(setImmediate);
  }

  openStream(socket: Socket): NetStream | undefined {
    if (!this.#hasRoom(addressOf(socket))) {
      turnAway(socket, BUSY);
      return undefined;
    }
    const stream = new NetStream(socket, this);
    this.#open.add(stream);
    return stream;
  }

  #hasRoom(address: string | undefined): boolean {
    const isFull = this.#limitPoint === "atAccept" && this.#open.size >= this.#server.limits.maxConnections;
    if (!isFull && !this.#state.is("closed")) return true;
    this.#server.connectionRefused(address);
    return false;
  }

  admit(connection: EngineStream | Socket, address: string | undefined): boolean {
    if (this.#addresses === undefined || this.#addresses.enter(connection, address)) return true;
    this.#server.connectionRefused(address);
    return false;
  }

  turnAway(stream: EngineStream): void {
    this.streamClosed(stream);
    stream.turnAway(BUSY);
  }

  beginHttp(stream: EngineStream, client?: ClientConnection): Http1Driver {
    const driver = new Http1Driver(stream, this.#context, client);
    stream.listener = driver;
    this.#server.connectionOpened(stream);
    if (this.#state.is("ending")) driver.announceClose();
    return driver;
  }

  beginHttp2(socket: Socket, remoteAddress: string | undefined): boolean {
    if (this.openHttp2 === undefined || (socket as TLSSocket).alpnProtocol !== "h2") return false;
    if (this.#state.is("closed")) {
      this.#server.connectionRefused(remoteAddress);
      socket.destroy();
    }
    if (socket.destroyed) return true;
    const connection = this.openHttp2(socket, remoteAddress, this);
    this.#open.add(connection);
    this.#server.connectionOpened(connection);
    if (this.#state.is("ending")) connection.announceClose();
    return true;
  }

  http2Closed(connection: Http2Connection): void {
    this.#open.delete(connection);
    this.#server.connectionClosed(connection);
  }

  streamClosed(stream: EngineStream): void {
    this.#open.delete(stream);
    this.#addresses?.leave(stream);
    if (hasBegun(stream)) this.#server.connectionClosed(stream);
    else this.#server.checkEmpty();
  }

  tickListener(listener: ByteStreamListener | undefined, now: number): boolean {
    if (listener instanceof Http1Driver) return listener.tick(now);
    if (listener instanceof ProxyListener) return listener.tick(now, this.#server.limits.headerTimeoutMs);
    // Its channel ticks for a WebSocket.
    return false;
  }

  /** No connection waits for a request any more. */
  #endIdle(): void {
    // The connections may have been dropped before.
    if (!this.#state.tryMoveTo("closed")) return;
    this.#eachHttp((http) => http.closeSoon());
    this.#server.checkEmpty();
  }

  /** Calls `run` for all connections but WebSockets, which their channels end. */
  #eachHttp(run: (http: Http1Driver | ProxyListener | Http2Connection) => void): void {
    for (const one of this.#open.snapshot()) {
      if ("listener" in one) {
        const { listener } = one;
        if (listener instanceof Http1Driver || listener instanceof ProxyListener) this.#guard(() => run(listener));
      } else this.#guard(() => run(one));
    }
  }

  /** A connection that throws while it ends must not prevent the end of the others. */
  #guard(end: () => void): void {
    guard(end, (error) => this.#server.report(error, { source: "connection" }));
  }
}

/** Called when HTTP begins. A connection that ends before that, with a bad PROXY header or for lack of room, is not reported. */
function hasBegun({ listener }: EngineStream): boolean {
  return listener !== undefined && !(listener instanceof ProxyListener);
}
