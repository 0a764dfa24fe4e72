// One HTTP/2 connection of the engine: a session of node:http2 over a TLS socket. It hands each stream to the server as an
// exchange, and ends clients that are idle, that reset too much, or that send nothing but control frames.

import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Timer } from "../base/clock.ts";
import { IndexedSet } from "../base/indexed-set.ts";
import { RateLimit } from "../base/rate-limit.ts";
import { runtime } from "../base/runtime.ts";
import { LostBytes } from "../transport/http2/lost-bytes.ts";
import { serveStream } from "../transport/http2/serve-stream.ts";
import { RESET, type ServerStream } from "../transport/http2/server-stream.ts";
import { Http2Stream, type Http2StreamOwner } from "../transport/http2/stream.ts";
import { Inactivity } from "../transport/input/inactivity.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { KEEP_ALIVE_MS } from "./address.ts";
import type { ExchangeServer } from "./exchange-server.ts";
import type { OpenConnection } from "./exchange-source.ts";
import type { Http2Limits } from "./http2-options.ts";

/** RFC 9113 §5.1.1 */
const MAX_STREAM_ID = 2 ** 31 - 1;

export interface Http2ConnectionOwner {
  /** The connection is closed, and all its streams have been told. */
  http2Closed(connection: Http2Connection): void;
}

export class Http2Connection implements OpenConnection, Http2StreamOwner {
  index: number | undefined = undefined;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted = true;
  readonly buffered: BufferBudget;
  readonly writeTimeoutMs: number;
  readonly #server: ExchangeServer;
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #owner: Http2ConnectionOwner;
  readonly #streams = new IndexedSet<Http2Stream>();
  readonly #resets: RateLimit;
  readonly #controls: RateLimit;
  readonly #inactivity = new Inactivity();
  /** The number of streams so far. */
  #requests = 0;
  readonly #lost: LostBytes;
  #closeTimer: Timer | undefined;
  #isCalmedDown = false;

  /** `socket`: after its handshake, with "h2" as its protocol, and not read yet. */
  constructor(
    socket: Socket,
    remoteAddress: string | undefined,
    server: ExchangeServer,
    limits: Http2Limits,
    owner: Http2ConnectionOwner,
  ) {
    this.remoteAddress = remoteAddress;
    this.buffered = server.buffered;
    this.writeTimeoutMs = server.limits.writeTimeoutMs;
    this.#server = server;
    this.#socket = socket;
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#owner = owner;
    this.#lost = new LostBytes(limits.maxSessionBytes);
    this.#resets = new RateLimit(limits.maxResetsPerSecond);
    this.#controls = new RateLimit(server.limits.maxControlFramesPerSecond);
    const session = performServerHandshake(socket, sessionOptions(server, limits));
    this.#session = session;
    session.on("stream", (stream, _headers, flags, ...rest) => {
      this.#open(stream, flags, (rest as unknown as [string[]])[0]);
    });
    // Without a listener an error would end the process. "close" follows.
    session.on("error", () => {});
    session.on("close", () => this.#closed());
    session.on("ping", () => this.#control());
    session.on("remoteSettings", () => this.#control());
    // HTTP/2 has no half-close of a connection: a client that ends its side has left. Sockets of the engine are half-open.
    socket.on("end", () => session.destroy());
  }

  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  get bytesSent(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  tick(now: number): boolean {
    let hasEnded = false;
    for (const stream of this.#streams.snapshot()) {
      if (stream.index !== undefined && stream.tick(now)) hasEnded = true;
    }
    const awaited = this.#streams.size === 0 ? "request" : "nothing";
    const wait = { awaited, requests: this.#requests, bodyBytes: 0 } as const;
    if (!this.#inactivity.hasExpired(now, wait, this.#server.timeouts)) return hasEnded;
    this.closeSoon();
    return true;
  }

  makeRoom(): void {
    for (const stream of this.#streams.snapshot()) {
      if (!this.#server.received.isExceeded) return;
      stream.makeRoom();
    }
  }

  /** RFC 9113 §6.8: the client should open no more streams. Those that are on their way are served until `closeSoon`. */
  announceClose(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.goaway(RESET.NO_ERROR, MAX_STREAM_ID);
  }

  /** RFC 9113 §6.8: takes no new streams, and ends when the open ones are over. */
  closeSoon(): void {
    if (this.#session.closed) return;
    this.#session.close();
    // A client that takes nothing could hold an empty connection for ever.
    if (this.#streams.size === 0) this.#awaitEnd();
  }

  destroy(): void {
    // A session that has ended has only ended its side of the socket: it waits for the client's.
    if (this.#session.destroyed) this.#socket.destroy();
    else this.#session.destroy();
  }

  streamClosed(stream: Http2Stream): void {
    this.#streams.delete(stream);
    if (stream.wasResetByPeer) this.#reset();
    if (stream.lostBytes > 0 && this.#lost.isTooMuchWith(stream.lostBytes)) this.closeSoon();
    if (this.#session.closed && this.#streams.size === 0) this.#awaitEnd();
  }

  #open(server: ServerHttp2Stream, flags: number, rawHeaders: readonly string[]): void {
    this.#requests += 1;
    // Reset before this event: no handler works for it.
    if (server.closed || server.destroyed) {
      this.#reset();
      return;
    }
    const stream = new Http2Stream(server as unknown as ServerStream, this);
    this.#streams.add(stream);
    serveStream(stream, { rawHeaders, flags }, this.#server);
  }

  /** CVE-2023-44487: a stream that is reset no longer counts as open, so that its limit does not hold. */
  #reset(): void {
    if (this.#resets.isExceeded(this.#server.clock.now())) this.#calmDown();
  }

  #control(): void {
    if (this.#controls.isExceeded(this.#server.clock.now())) this.#calmDown();
  }

  #calmDown(): void {
    if (this.#isCalmedDown) return;
    this.#isCalmedDown = true;
    const destroy = (): void => {
      this.#session.destroy(new Error("the client was told to calm down"), RESET.ENHANCE_YOUR_CALM);
    };
    if (runtime !== "deno") {
      destroy();
      return;
    }
    // Deno 2.9.6 crashes (SIGSEGV) where a session is destroyed in an event of its own frames.
    this.#session.goaway(RESET.ENHANCE_YOUR_CALM);
    setImmediate(destroy);
  }

  #awaitEnd(): void {
    const { clock, closeTimeoutMs } = this.#server;
    this.#closeTimer ??= clock.setTimer(() => this.destroy(), closeTimeoutMs);
  }

  #closed(): void {
    this.#server.clock.clearTimer(this.#closeTimer);
    this.#owner.http2Closed(this);
  }
}

function sessionOptions({ limits }: ExchangeServer, own: Http2Limits): Parameters<typeof performServerHandshake>[1] {
  // node:http2 resets a stream whose head is over these. A head that is only over ours is answered with 431.
  const maxHeaderListPairs = Math.min(2 * limits.maxHeaderCount + 32, 65_535);
  const maxHeaderListSize = 2 * limits.maxHeaderBytes + limits.maxTargetBytes + 32 * maxHeaderListPairs;
  return {
    maxSessionMemory: Math.ceil(own.maxSessionBytes / 1_000_000),
    maxHeaderListPairs,
    settings: {
      enableConnectProtocol: true,
      enablePush: false,
      maxConcurrentStreams: own.maxConcurrentStreams,
      maxHeaderListSize: Math.min(maxHeaderListSize, 4_294_967_295),
    },
  };
}
