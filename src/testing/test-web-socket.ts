// A WebSocket client over a connection of a MemoryNetwork. It has the members of the platform's WebSocket that `connect` and
// `ResumableWebSocket` use, and promises that a test can await.

import { hash, randomBytes } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { copied } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { badValue, checkList, checkOptions, isPlain, type ValueCheck } from "../base/option-values.ts";
import { isToken } from "../codec/http1-syntax.ts";
import { acceptValue } from "../codec/ws-handshake.ts";
import { clientSide, WebSocketConnection, type WebSocketConnectionEvent } from "../protocol/websocket.ts";
import type { MemoryNetwork } from "./network.ts";

/** How a WebSocket ended. */
export interface WebSocketClosing {
  /** 1005: the server gave no code; 1006: the connection broke off. */
  readonly code: number;
  /** The reason of the close frame, or an empty string. */
  readonly reason: string;
}

/** The options of `websocket`. */
export interface TestWebSocketOptions {
  /** Sub-protocols that are offered. */
  readonly protocols?: readonly string[] | undefined;
  /** Header fields of the handshake. @default none */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const OPTIONS: Readonly<Record<keyof TestWebSocketOptions, ValueCheck>> = {
  protocols: checkList("sub-protocols, which are tokens of HTTP", isToken),
  headers(name, value) {
    if (!isPlain(value)) throw badValue(name, value, "an object of names and values");
  },
};

/** The client accepts messages of any size. */
const LIMITS = { maxMessageBytes: Number.POSITIVE_INFINITY, maxFragments: Number.POSITIVE_INFINITY };
const NO_STATUS = 1005;
const ABNORMAL = 1006;

/** A WebSocket to the test server. */
export class TestWebSocket {
  /** How binary messages arrive: as Buffers, or with `"arraybuffer"` as those. */
  binaryType = "nodebuffer";
  /** Called when the handshake is done. */
  onopen: ((event: object) => void) | undefined;
  /** Called with each message. */
  onmessage: ((event: { readonly data: unknown }) => void) | undefined;
  /** Called at the end, once. */
  onclose: ((event: WebSocketClosing) => void) | undefined;
  /** Called when the handshake is refused or the connection breaks off. */
  onerror: ((event: object) => void) | undefined;
  /** The sub-protocol that the server has chosen. */
  protocol = "";
  /** Resolves when the handshake is done; rejects with BAD_HANDSHAKE when the server refuses it, or with what broke it. */
  readonly opened: Promise<void>;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<WebSocketClosing>;
  readonly #connection = new WebSocketConnection(
    clientSide(() => randomBytes(4)),
    LIMITS,
  );
  readonly #messages: (string | Uint8Array)[] = [];
  #readers: { resolve(message: string | Uint8Array): void; reject(error: unknown): void }[] = [];
  #socket: Duplex | undefined;
  #state: 0 | 1 | 2 | 3 = 0;
  #closing: WebSocketClosing = { code: ABNORMAL, reason: "" };
  #end!: (closing: WebSocketClosing) => void;

  /** Throws BAD_OPTION. */
  constructor(network: MemoryNetwork, url: string | URL, options: TestWebSocketOptions = {}) {
    checkOptions("a TestWebSocket", options, OPTIONS);
    const { protocols = [], headers = {} } = options;
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.opened = this.#open(network, new URL(url), protocols, headers);
    this.opened.catch((error) => {
      this.onerror?.({ type: "error", error });
      this.#over();
    });
  }

  /** 0 connecting, 1 open, 2 closing, 3 closed, as in the platform. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state;
  }

  /** Bytes that the network has not accepted. */
  get bufferedAmount(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** Sends a message. */
  send(data: string | Uint8Array | ArrayBuffer): void {
    this.#checkOpened();
    if (typeof data === "string") this.#connection.sendText(data);
    else this.#connection.sendBinary(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
    this.#flush();
  }

  /** Sends a ping. Throws BAD_DATA for more than 125 bytes. */
  ping(data = ""): void {
    this.#checkOpened();
    this.#connection.ping(Buffer.from(data));
    this.#flush();
  }

  /** The next message: text as a string, binary as bytes. Rejects when the WebSocket is closed and there is no more. */
  next(): Promise<string | Uint8Array> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#state === 3) return Promise.reject(this.#noMore());
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Closes with the closing handshake; `closed` resolves when the server has answered. */
  close(code: number = NO_STATUS, reason = ""): void {
    if (this.#state === 0) this.terminate();
    if (this.#state !== 1) return;
    this.#connection.close(code, reason);
    this.#state = 2;
    this.#flush();
  }

  /** Drops the connection without a closing handshake. */
  terminate(): void {
    this.#socket?.destroy();
    this.#over();
  }

  async #open(
    network: MemoryNetwork,
    url: URL,
    protocols: readonly string[],
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const key = randomBytes(16).toString("base64");
    const offer = protocols.length === 0 ? {} : { "Sec-WebSocket-Protocol": protocols.join(", ") };
    const { response, socket, head } = await upgrade(network, url, {
      ...headers,
      ...offer,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": key,
      "Sec-WebSocket-Version": "13",
    });
    if (response.headers["sec-websocket-accept"] !== acceptValue(key, (text) => hash("sha1", text, "base64"))) {
      socket.destroy();
      throw new ChannelError("BAD_HANDSHAKE", "Sec-WebSocket-Accept is wrong");
    }
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.#over());
    if (this.#state === 3) return void socket.destroy();
    this.protocol = response.headers["sec-websocket-protocol"] ?? "";
    this.#state = 1;
    this.onopen?.({ type: "open" });
    this.#receive(head);
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("end", () => {
      this.#connection.receiveEof();
      this.#takeEvents();
      socket.end();
    });
  }

  #receive(bytes: Uint8Array): void {
    this.#connection.receive(Uint8Array.from(bytes));
    this.#takeEvents();
  }

  #takeEvents(): void {
    for (let event = this.#connection.next(); event !== undefined; event = this.#connection.next()) this.#take(event);
    this.#flush();
  }

  #take(event: WebSocketConnectionEvent): void {
    if (event.type === "message") this.#deliver(event.data);
    else if (event.type === "closed") {
      if (event.error !== undefined) this.onerror?.({ type: "error", error: event.error });
      this.#closing = event.received ?? this.#closing;
      this.#state = 2;
      this.#flush();
      if (event.endsTcp) this.#socket!.end();
    }
  }

  #deliver(data: string | Uint8Array): void {
    if (this.onmessage !== undefined) {
      const isBuffer = typeof data !== "string" && this.binaryType === "arraybuffer";
      this.onmessage({ data: isBuffer ? copied(data).buffer : data });
      return;
    }
    const reader = this.#readers.shift();
    if (reader === undefined) this.#messages.push(data);
    else reader.resolve(data);
  }

  #checkOpened(): void {
    if (this.#state === 0) throw new Error("the WebSocket is not open yet");
  }

  #flush(): void {
    const output = this.#connection.takeOutput();
    if (output === undefined) return;
    for (const piece of Array.isArray(output) ? output : [output]) this.#socket!.write(piece, "latin1");
  }

  #over(): void {
    if (this.#state === 3) return;
    this.#state = 3;
    for (const { reject } of this.#readers.splice(0)) reject(this.#noMore());
    this.#end(this.#closing);
    this.onclose?.(this.#closing);
  }

  #noMore(): Error {
    return new Error(`the WebSocket is closed: ${this.#closing.code} ${this.#closing.reason}`.trimEnd());
  }
}

interface Upgraded {
  readonly response: IncomingMessage;
  readonly socket: Duplex;
  /** The bytes after the 101. */
  readonly head: Uint8Array;
}

function upgrade(network: MemoryNetwork, { host, pathname, search }: URL, headers: object): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const socket = network.connect("websocket");
    const sent = httpRequest({
      path: pathname + search,
      headers: { Host: host, ...headers },
      createConnection: () => socket,
    });
    sent.on("upgrade", (response, _, head) => resolve({ response, socket, head }));
    sent.on("response", ({ statusCode, statusMessage }) => {
      sent.destroy();
      reject(new ChannelError("BAD_HANDSHAKE", `HTTP ${statusCode} ${statusMessage}`));
    });
    sent.on("error", reject);
    sent.on("close", () => reject(new Error("the connection ended before the response")));
    sent.end();
  });
}
