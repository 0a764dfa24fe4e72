// A client of HTTP/2, made of node:http2's: one connection, and streams of it that a test reads as it reads a socket.

import assert from "node:assert/strict";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { RawClient, type RawHead, type Target } from "./raw-client.ts";
import { within } from "./wait.ts";
import { WsClient } from "./ws-client.ts";

/** A request and its whole answer. */
export interface Http2Response {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly text: string;
  /** The code with which the stream was closed: RFC 9113 §7. */
  readonly code: number;
}

export class Http2Client {
  readonly session: ClientHttp2Session;
  /** The code of the GOAWAY that came; undefined before. */
  goaway: number | undefined;
  isClosed = false;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
    session.on("error", () => {});
    session.on("goaway", (code) => {
      this.goaway = code;
    });
    this.closed = new Promise((resolve) => {
      session.on("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  /** Connects, and waits for the server's settings. The connection is dropped when the test ends. */
  static async connect(t: TestContext, { port = 0, host = "127.0.0.1", tls = true }: Target): Promise<Http2Client> {
    const session = connect(`${tls ? "https" : "http"}://localhost:${port}`, {
      createConnection: () =>
        tls ? connectTls({ port, host, ALPNProtocols: ["h2"], rejectUnauthorized: false }) : connectTcp({ port, host }),
    });
    const client = new Http2Client(session);
    t.after(() => session.destroy());
    await within(new Promise((resolve) => session.once("remoteSettings", resolve)), () => "the settings of the server");
    return client;
  }

  /** Resolves when the server has handled all that was sent before, or when the connection is over. */
  async handled(): Promise<void> {
    // The first answer may leave before the server's code has run.
    for (let pings = 0; pings < 2 && !this.session.destroyed; pings++) {
      await new Promise<void>((resolve) => void this.session.ping(() => resolve()));
    }
  }

  /** Begins a request. Its headers are those of GET / unless they say otherwise. */
  open(headers: OutgoingHttpHeaders = {}, endStream = true): Http2Raw {
    return new Http2Raw(this.session.request(headers, { endStream }), this.session);
  }

  /** One request and its answer. */
  async request(headers: OutgoingHttpHeaders = {}, body?: string | Uint8Array): Promise<Http2Response> {
    const stream = this.session.request(headers, { endStream: body === undefined });
    const raw = new Http2Raw(stream, this.session);
    if (body !== undefined) stream.end(body);
    const head = await raw.head();
    await raw.until(() => raw.isClosed, "the end of the stream");
    const text = raw.peek().toString();
    return { status: head.status, headers: head.headers, text, code: stream.rstCode ?? 0 };
  }

  /** Opens a WebSocket by an extended CONNECT: RFC 8441 §5. */
  async webSocket(headers: OutgoingHttpHeaders = {}): Promise<WsClient> {
    const raw = this.open(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": "/", "sec-websocket-version": "13", ...headers },
      false,
    );
    const head = await raw.head();
    assert.equal(head.status, 200);
    return new WsClient(raw, head);
  }
}

/** One stream: its bytes are the body of the response, or those of a WebSocket. */
export class Http2Raw extends RawClient {
  readonly stream: ClientHttp2Stream;
  readonly #session: ClientHttp2Session;
  readonly #isTunnel: boolean;
  readonly #head: Promise<RawHead>;

  constructor(stream: ClientHttp2Stream, session: ClientHttp2Session) {
    // A stream has the methods of a socket that are used here.
    super(stream as unknown as Socket);
    this.stream = stream;
    this.#session = session;
    this.#isTunnel = stream.sentHeaders?.[":method"] === "CONNECT";
    this.#head = new Promise((resolve, reject) => {
      stream.once("response", (headers) => {
        const found = new Map<string, readonly string[]>();
        for (const [name, value] of Object.entries(headers)) {
          found.set(name, Array.isArray(value) ? value : [String(value)]);
        }
        const status = headers[":status"] ?? 0;
        resolve({ version: "2.0", status, reason: "", headers: found, framing: "close" });
      });
      stream.once("close", () => reject(new Error(`the stream was closed with code ${stream.rstCode}`)));
    });
    this.#head.catch(() => {});
  }

  override head(): Promise<RawHead> {
    return within(this.#head, () => "a response");
  }

  /** The next bytes of the body; undefined at its end. Rejects if the stream was reset before its end. */
  override async chunk(): Promise<Buffer | undefined> {
    await this.until(() => this.isEnded || this.peek().length > 0, "bytes of a body, or its end");
    if (this.peek().length > 0) return this.take(this.peek().length);
    await this.until(() => this.isClosed, "the end of the stream");
    const { rstCode } = this.stream;
    if (rstCode !== constants.NGHTTP2_NO_ERROR) throw new Error(`the stream was reset with code ${rstCode}`);
    return undefined;
  }

  /** Ends our side. A request has ended its side already: its client leaves by a reset. */
  override end(): void {
    if (this.#isTunnel) this.stream.end();
    else this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** Drops the connection, with all its streams. */
  override destroy(): void {
    this.#session.destroy();
  }
}
