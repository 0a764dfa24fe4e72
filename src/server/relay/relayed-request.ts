// Passes one request on to the process that owns its session, and that process's answer back to the client: bytes, in order and
// whole, or the connection of the other side ends. It needs to understand neither records nor messages, because both ends of
// a session count them (PROTOCOL.md, "Numbers").
//
// The answer is read by the HTTP client of Node. The relayed connection is used for one request.

import { randomBytes } from "node:crypto";
import { type ClientRequest, type IncomingMessage, request as requestOf } from "node:http";
import type { Socket } from "node:net";
import { withoutNames } from "../../codec/field-list.ts";
import { fieldValue } from "../../codec/field-values.ts";
import type { Exchange, ExchangeListener } from "../../transport/exchange.ts";
import { joinBytes } from "./byte-pipe.ts";
import { absenceIn } from "./not-here.ts";

/**
 * answered     the owner has answered, or the client's connection was dropped: there is nothing left to do
 * notHere      the process that was asked does not have the session
 * leaving      the process that was asked stops: the session is in the session store, or on its way to it
 * unreachable  nobody accepts connections at the address: the process has ended, or is ending
 * silent       the process has not begun an answer in time, and may have read the request
 */
export type RelayOutcome = "answered" | "notHere" | "leaving" | "unreachable" | "silent";

export interface RelayTarget {
  /** Begins a connection to the process. Its header is written already. */
  connect(): Socket;
  /** The time in which the process must begin to take the request or answer it, in milliseconds. */
  readonly answerMs: number;
}

/** RFC 9110 §7.6.1: fields of one connection. `Expect` and `Host` are set anew, the key of a WebSocket over HTTP/2, too. */
const OF_REQUEST: ReadonlySet<string> = new Set(
  ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"].concat([
    "host",
    "http2-settings",
  ]),
);

/** The engine sets its own; the handshake's are those of the client's connection. */
const OF_RESPONSE: ReadonlySet<string> = new Set(
  ["connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "upgrade", "trailer"].concat([
    "sec-websocket-accept",
  ]),
);

/** Errors of `connect` that prove that nobody listens. Any other may come from a network, or a process, that is slow. */
const NOBODY: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOENT"]);

/** Bytes that wait for the client, or for the owner, before the other side is not read any more. */
const MAX_WAITING_BYTES = 65_536;

export class RelayedRequest implements ExchangeListener {
  readonly exchange: Exchange;
  readonly #onEnd: () => void;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #socket: Socket | undefined;
  /** Bytes of the client's body have been passed on: no other process can be asked. */
  #hasBegun = false;
  /** The exchange was answered, or dropped, or given back. */
  isOver = false;
  #settle: ((outcome: RelayOutcome) => void) | undefined;

  /** `onEnd` is called once, when nothing of the relay is open any more. */
  constructor(exchange: Exchange, onEnd: () => void) {
    this.exchange = exchange;
    this.#onEnd = onEnd;
    exchange.listener = this;
  }

  /** Asks one process. May be called again after every outcome but `answered`. Never rejects. */
  ask(target: RelayTarget): Promise<RelayOutcome> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#begin(target);
    });
  }

  /** The relay gives up the exchange, which its caller answers or drops. */
  release(): void {
    this.exchange.listener = undefined;
    this.#end();
  }

  /** Ends both sides. */
  drop(): void {
    this.#socket?.destroy();
    this.#request?.destroy();
    this.exchange.abort();
    this.#finish();
  }

  onDrain(): void {
    this.#response?.resume();
  }

  /** The owner decides whether a client that has ended its side still reads. */
  onHalfClose(): void {
    if (this.#request?.writableFinished === true) this.#socket?.end();
  }

  onGone(): void {
    this.#request?.destroy();
    this.#socket?.destroy();
    this.#finish();
  }

  #begin({ connect, answerMs }: RelayTarget): void {
    const exchange = this.exchange;
    const { head } = exchange;
    const socket = connect();
    this.#socket = socket;
    let request: ClientRequest;
    try {
      request = requestOf({
        createConnection: () => socket,
        method: exchange.webSocketRequest === undefined ? head.method : "GET",
        path: head.target,
        headers: this.#fields() as string[],
        setHost: false,
      });
    } catch {
      // A target or field that Node's client does not send, though the engine has taken it.
      socket.on("error", () => {});
      socket.destroy();
      this.#answer("silent");
      return;
    }
    this.#request = request;
    const timer = setTimeout(() => this.#lost("silent"), answerMs);
    timer.unref();
    let isConnected = false;
    socket.once("connect", () => {
      isConnected = true;
    });
    const failed = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      this.#lost(!isConnected && NOBODY.has(error.code ?? "") ? "unreachable" : "silent");
    };
    // Either of the two may be the only one that is told.
    socket.on("error", failed);
    request.on("error", failed);
    request.once("finish", () => {
      if (exchange.isClientGone) socket.end();
    });
    request.on("information", () => clearTimeout(timer));
    request.on("continue", () => {
      clearTimeout(timer);
      void this.#sendBody(request);
    });
    request.on("response", (response) => {
      clearTimeout(timer);
      this.#answered(response);
    });
    request.on("upgrade", (response, upgraded, rest) => {
      clearTimeout(timer);
      this.#switched(response, upgraded, rest);
    });
    if (exchange.hasBody) request.flushHeaders();
    else request.end();
  }

  #fields(): readonly string[] {
    const { head, hasBody, webSocketRequest } = this.exchange;
    const fields = ["Host", head.host, ...withoutNames(head.fields, OF_REQUEST)];
    if (webSocketRequest !== undefined) {
      fields.push("Connection", "Upgrade", "Upgrade", "websocket");
      // RFC 8441 §5.1: a WebSocket over HTTP/2 has no key.
      if (webSocketRequest === "connect") fields.push("Sec-WebSocket-Key", randomBytes(16).toString("base64"));
      return fields;
    }
    fields.push("Connection", "close");
    if (!hasBody) return fields;
    // RFC 9110 §10.1.1: the body goes out when the owner is ready for it; until then another process can be asked.
    fields.push("Expect", "100-continue");
    if (fieldValue(head.fields, "content-length") === undefined) fields.push("Transfer-Encoding", "chunked");
    return fields;
  }

  async #sendBody(request: ClientRequest): Promise<void> {
    this.#hasBegun = true;
    try {
      for (let part = await this.exchange.readBody(); part !== undefined; part = await this.exchange.readBody()) {
        if (this.isOver || request.destroyed) return;
        if (!request.write(part)) await drained(request);
      }
      request.end();
    } catch {
      // The client's body has ended early, or was too long: its connection has its answer already.
      request.destroy();
    }
  }

  #answered(response: IncomingMessage): void {
    const status = response.statusCode!;
    const absence = absenceIn(status, response.headers);
    if (absence !== undefined) {
      response.destroy();
      this.#answer(absence);
      return;
    }
    const exchange = this.exchange;
    this.#response = response;
    const fields = withoutNames(response.rawHeaders, OF_RESPONSE);
    const length = toLength(response.headers["content-length"]);
    response.on("close", () => {
      if (!response.complete && !this.isOver) exchange.abort();
      this.#finish();
    });
    response.on("error", () => {});
    let hasBody: boolean;
    try {
      hasBody = exchange.start({ status, fields }, length);
    } catch {
      this.drop();
      return;
    }
    // Nothing of the answer waits for the end of a turn: the owner has collected it already.
    exchange.flush();
    response.on("data", (part: Buffer) => {
      if (!hasBody) return;
      exchange.write(part);
      exchange.flush();
      if (exchange.bufferedAmount > MAX_WAITING_BYTES) response.pause();
    });
    response.on("end", () => {
      // Otherwise the connection was cut, and "close" follows.
      if (hasBody && response.complete) exchange.end();
    });
    this.#answer("answered");
  }

  #switched(response: IncomingMessage, socket: Socket, rest: Uint8Array): void {
    const { acceptBytes } = this.exchange;
    if (acceptBytes === undefined || this.exchange.isAnswered) {
      socket.destroy();
      this.#answer("answered");
      this.drop();
      return;
    }
    const fields = withoutNames(response.rawHeaders, OF_RESPONSE);
    const { stream, rest: sent } = acceptBytes.call(this.exchange, fields);
    joinBytes(stream, socket, { sent, received: rest }, () => this.#finish());
    this.#answer("answered");
  }

  /** The connection to the owner ended, or did not begin. */
  #lost(outcome: "unreachable" | "silent"): void {
    this.#request?.destroy();
    this.#socket?.destroy();
    if (this.#response !== undefined || this.isOver) return;
    // A client that has ended its side does not ask again: the owner takes it for gone, as it would on its own connection.
    if (this.#hasBegun || this.exchange.isClientGone) this.drop();
    else this.#answer(outcome);
  }

  #answer(outcome: RelayOutcome): void {
    this.#settle?.(outcome);
    this.#settle = undefined;
  }

  #finish(): void {
    this.#answer("answered");
    this.#end();
  }

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#onEnd();
  }
}

/** Resolves when more can be written, or the request is gone. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      request.off("drain", done).off("close", done);
      resolve();
    };
    request.on("drain", done).on("close", done);
  });
}

function toLength(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
