// A connection in the shape of a WebSocket (WHATWG WebSockets §3), for code that is written for one. What a WebSocket
// promises stays true: when the session is lost, and with it perhaps messages, it closes with 1006.

import { connect } from "./connect.ts";
import type { Connection, ConnectOptions, Message, Sendable } from "./connection.ts";
import { checkOptions } from "./options.ts";

interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

type Handler<E extends Event> = ((event: E) => void) | null;

/** A session behind the interface of the platform's WebSocket, for code that was written for one. */
export class ResumableWebSocket extends EventTarget {
  /** The value of `readyState` before the first opening, and while the session has no connection. */
  static readonly CONNECTING: 0 = 0;
  /** The value of `readyState` while it is open. */
  static readonly OPEN: 1 = 1;
  /** The value of `readyState` while it closes. */
  static readonly CLOSING: 2 = 2;
  /** The value of `readyState` once it is closed for ever. */
  static readonly CLOSED: 3 = 3;
  readonly CONNECTING: 0 = 0;
  readonly OPEN: 1 = 1;
  readonly CLOSING: 2 = 2;
  readonly CLOSED: 3 = 3;

  /** The connection below, with members that a WebSocket does not have: `state`, `transport`, `drained`. */
  readonly connection: Connection;
  /** The URL of the session. */
  readonly url: string;
  /** An empty string: sub-protocols are not negotiated. */
  readonly protocol = "";
  /** An empty string: extensions are the carriers' business. */
  readonly extensions = "";
  /** How binary messages arrive: `"blob"` or `"arraybuffer"`. @default "blob" */
  binaryType: "blob" | "arraybuffer" = "blob";
  /** Called when it opens. */
  onopen: Handler<Event> = null;
  /** Called with each message. */
  onmessage: Handler<MessageEvent> = null;
  /** Called before an end that is not an orderly close. */
  onerror: Handler<Event> = null;
  /** Called at the end, once. */
  onclose: Handler<Event & Ending> = null;
  #readyState: 0 | 1 | 2 | 3 = 0;

  /** `protocols` are offered beside the session's own. Throws TypeError for a text that is not a URL. */
  constructor(url: string | URL, protocols: string | readonly string[] = [], options: ConnectOptions = {}) {
    super();
    checkOptions(options);
    this.url = String(url);
    for (const type of ["open", "message", "error", "close"] as const) {
      this.addEventListener(type, (event) => (this[`on${type}`] as Handler<Event>)?.(event));
    }
    this.connection = connect(url, { ...options, protocols: [protocols].flat() });
    this.connection.onMessage((message) => this.#receive(message));
    this.connection.onOpen(({ session }) => {
      if (session === "lost") this.#fail("the session is lost");
      else if (session === "new") {
        this.#readyState = ResumableWebSocket.OPEN;
        this.dispatchEvent(new Event("open"));
      }
    });
    this.connection.onClose(({ code, reason }) => this.#end({ code, reason, wasClean: true }));
  }

  /** Stays OPEN while the session has no carrier: messages that are sent then go out later. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** Bytes that the server has not acknowledged. */
  get bufferedAmount(): number {
    return this.connection.bufferedAmount;
  }

  /**
   * Unlike a WebSocket's, it may be called before `open`. Throws BAD_DATA for a Blob, whose bytes come later: send its
   * `arrayBuffer()`. The type allows a Blob, so that this class can stand where a `WebSocket` is asked for.
   */
  send(data: Sendable | Blob): void {
    // A WebSocket whose buffer is full closes (§3.1, "send").
    if (this.#readyState < ResumableWebSocket.CLOSING && !this.connection.send(data as Sendable))
      this.#fail("maxBufferedBytes");
  }

  /** Closes the session. Throws as a WebSocket does for a code or reason that may not be sent. */
  close(code?: number, reason?: string): void {
    if (this.#readyState >= ResumableWebSocket.CLOSING) return;
    this.connection.close(code, reason);
  }

  #receive(message: Message): void {
    if (this.#readyState !== ResumableWebSocket.OPEN) return;
    let data: string | Blob | ArrayBuffer = message as string;
    if (typeof message !== "string") {
      const bytes = new Uint8Array(message);
      data = this.binaryType === "blob" ? new Blob([bytes]) : bytes.buffer;
    }
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  #fail(reason: string): void {
    this.#end({ code: 1006, reason, wasClean: false });
    this.connection.close();
  }

  /** The first reason counts. A WebSocket's `close` never comes while `close()` is running. */
  #end(ending: Ending): void {
    if (this.#readyState >= ResumableWebSocket.CLOSING) return;
    this.#readyState = ResumableWebSocket.CLOSING;
    queueMicrotask(() => {
      this.#readyState = ResumableWebSocket.CLOSED;
      if (!ending.wasClean) this.dispatchEvent(new Event("error"));
      this.dispatchEvent(Object.assign(new Event("close"), ending));
    });
  }
}
