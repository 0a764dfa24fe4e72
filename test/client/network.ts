// A network that is played by the test: WebSockets and requests wait until the test answers them, in virtual time.

import assert from "node:assert/strict";
import type { CarrierKind } from "../../src/client/carrier.ts";
import { connect } from "../../src/client/connect.ts";
import type { Connection, ConnectOptions } from "../../src/client/connection.ts";
import type { WebSocketConstructor } from "../../src/client/endpoint.ts";
import type { Environment, PageEvent } from "../../src/client/environment.ts";
import {
  encodeRecordEvent,
  encodeRecordMessage,
  type OpenRecord,
  type SessionRecord,
} from "../../src/codec/session-record.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

let origins = 0;

export class Network {
  readonly clock: VirtualClock = new VirtualClock();
  readonly sockets: PlayedSocket[] = [];
  readonly requests: PlayedRequest[] = [];
  random = 0.5;
  /** Tells the connection of an event. */
  page: (event: PageEvent) => void = () => {};
  isWatched = false;
  /** Winners of another test's network do not count here. */
  readonly url: string = `http://${++origins}.example/chat`;

  readonly environment: Environment = {
    clock: this.clock,
    random: () => this.random,
    watch: (fn) => {
      this.page = fn;
      this.isWatched = true;
      return () => {
        this.isWatched = false;
      };
    },
  };

  readonly fetch: typeof fetch = (url: URL | RequestInfo, init: RequestInit = {}): Promise<Response> => {
    const request = new PlayedRequest(new URL(String(url)), init);
    this.requests.push(request);
    return request.response;
  };

  /** Makes sockets that the test plays. */
  get WebSocket(): WebSocketConstructor {
    const { sockets } = this;
    return class extends PlayedSocket {
      constructor(url: string, protocols: string[], options?: object) {
        super(url, protocols, options);
        sockets.push(this);
      }
    } as unknown as WebSocketConstructor;
  }

  options(options: ConnectOptions = {}): ConnectOptions {
    return { environment: this.environment, fetch: this.fetch, WebSocket: this.WebSocket, ...options };
  }

  connect(options: ConnectOptions = {}): Connection {
    return connect(this.url, this.options(options));
  }

  /** A connection whose first carrier is of this kind and open. */
  async opened(kind: CarrierKind, options: ConnectOptions = {}): Promise<Connection> {
    const connection = this.connect(options);
    await settle();
    if (kind === "websocket") this.socket().open();
    else {
      this.socket().drop();
      await settle();
      if (kind === "poll") this.get().respond(404);
      await settle();
      this.get().open();
      if (kind === "poll") this.get().finish();
    }
    await settle();
    assert.equal(connection.transport, kind);
    return connection;
  }

  /** Time passes, and what it causes happens. */
  async advance(ms: number): Promise<void> {
    await settle();
    this.clock.advance(ms);
    await settle();
  }

  /** The last one. */
  socket(): PlayedSocket {
    return this.sockets.at(-1)!;
  }

  /** The last GET. */
  get(): PlayedRequest {
    return this.requests.filter(({ method }) => method === "GET").at(-1)!;
  }

  /** The last POST. */
  post(): PlayedRequest {
    return this.requests.filter(({ method }) => method === "POST").at(-1)!;
  }

  count(method: string): number {
    return this.requests.filter((request) => request.method === method).length;
  }
}

const OPEN: OpenRecord = {
  type: "open",
  session: "T1",
  resumed: false,
  received: 0,
  first: 1,
  heartbeatMs: 25_000,
  resumeMs: 60_000,
};

/** The query without `try`, of which `carrier-selector.test.ts` has tests of its own. */
function queryOf(url: URL): string {
  return url.search.replace(/&?(try|cursors)=\d+/g, "").replace(/^\?$/, "");
}

export class PlayedSocket {
  readonly url: URL;
  readonly protocols: readonly string[];
  readonly options: object | undefined;
  binaryType = "blob";
  onmessage: (event: { data: unknown }) => void = () => {};
  onclose: (event: { code: number; reason: string }) => void = () => {};
  /** Messages of the client that no test has looked at yet. */
  readonly #sent: (string | Uint8Array)[] = [];
  isClosed = false;

  constructor(url: string, protocols: readonly string[], options?: object) {
    this.url = new URL(url);
    this.protocols = protocols;
    this.options = options;
  }

  get query(): string {
    return queryOf(this.url);
  }

  send(data: string | Uint8Array): void {
    assert.equal(this.isClosed, false, "nothing is sent after close");
    this.#sent.push(data);
  }

  close(): void {
    this.isClosed = true;
  }

  taken(): (string | Uint8Array)[] {
    return this.#sent.splice(0);
  }

  open(fields: Partial<OpenRecord> = {}): void {
    this.say({ ...OPEN, ...fields });
  }

  say(...records: SessionRecord[]): void {
    for (const record of records) {
      const data = encodeRecordMessage(record);
      this.onmessage({ data: typeof data === "string" ? data : data.slice().buffer });
    }
  }

  /** `mtext`, … */
  hear(...messages: string[]): void {
    for (const data of messages) this.onmessage({ data });
  }

  drop(code = 1006, reason = ""): void {
    this.isClosed = true;
    this.onclose({ code, reason });
  }
}

export class PlayedRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly init: RequestInit;
  readonly response: Promise<Response>;
  /** The client does not want the rest of the answer. */
  isCancelled = false;
  #answer!: { resolve(response: Response): void; reject(error: unknown): void };
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(url: URL, init: RequestInit) {
    this.url = url;
    this.init = init;
    this.method = init.method ?? "GET";
    this.headers = new Headers(init.headers);
    this.body = String(init.body ?? "");
    this.response = new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
    init.signal?.addEventListener("abort", () => this.fail());
  }

  get isAborted(): boolean {
    return this.init.signal?.aborted ?? false;
  }

  get query(): string {
    return queryOf(this.url);
  }

  respond(status = 200, headers: Record<string, string> = {}): this {
    // RFC 9110 §6.4.1: these have no content, and `Response` takes none.
    if (status === 204 || status === 304) {
      this.#answer.resolve(new Response(null, { status, headers }));
      return this;
    }
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
      cancel: () => {
        this.isCancelled = true;
      },
    });
    this.#answer.resolve(new Response(body, { status, headers }));
    return this;
  }

  push(text: string): this {
    this.#stream!.enqueue(new TextEncoder().encode(text));
    return this;
  }

  say(...records: SessionRecord[]): this {
    return this.push(records.map(encodeRecordEvent).join(""));
  }

  open(fields: Partial<OpenRecord> = {}): this {
    return this.respond().say({ ...OPEN, ...fields });
  }

  finish(): void {
    this.#stream?.close();
  }

  /** 200, or another, with an ack. */
  acknowledge(received: number, status = 200): void {
    this.respond(status).say({ type: "ack", received }).finish();
  }

  /** The network is gone. */
  fail(): void {
    const error = new TypeError("fetch failed");
    this.#answer.reject(error);
    try {
      this.#stream?.error(error);
    } catch {
      // It has ended already.
    }
  }
}

/** Resolves when pending promises and streams have run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
