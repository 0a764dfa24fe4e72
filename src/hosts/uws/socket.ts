// A WebSocket of uWebSockets.js.

import { ChannelError } from "../../base/errors.ts";
import type { HostSent, HostSocket, HostSocketEnd } from "../native/host-socket.ts";
import type { UwsSocket } from "./types.ts";

/** The answers of `send`. */
const SENT = 1;
const DROPPED = 2;

export class UwsHostSocket implements HostSocket {
  readonly hasDrainEvent = true;
  readonly fragments = {
    first: (data: string | Uint8Array): HostSent =>
      toSent(this.#socket.sendFirstFragment(data, typeof data !== "string", false)),
    next: (data: Uint8Array): HostSent => toSent(this.#socket.sendFragment(data, false)),
    last: (): HostSent => toSent(this.#socket.sendLastFragment("", false)),
  };
  readonly #socket: UwsSocket;

  constructor(socket: UwsSocket) {
    this.#socket = socket;
  }

  get bufferedAmount(): number {
    return this.#socket.getBufferedAmount();
  }

  sendText(text: string): HostSent {
    return toSent(this.#socket.send(text, false, false));
  }

  sendBinary(bytes: Uint8Array): HostSent {
    return toSent(this.#socket.send(bytes, true, false));
  }

  cork(send: () => void): void {
    this.#socket.cork(send);
  }

  ping(data: Uint8Array): void {
    this.#socket.ping(data);
  }

  close(code: number, reason: string): void {
    this.#socket.end(code, reason);
  }

  terminate(): void {
    this.#socket.close();
  }
}

/** Reads the end that uWebSockets.js reports: 1006 with a text for what a client has violated. */
export function toEnd(code: number, text: string): HostSocketEnd {
  if (code !== 1006) return { by: "client", code, reason: text };
  if (text === "") return { by: "network", code, reason: "" };
  const known = /too big message/.test(text) ? "MESSAGE_TOO_BIG" : /UTF-8/.test(text) ? "BAD_UTF8" : "BAD_FRAME";
  const error = new ChannelError(known);
  return { by: "server", code: error.closeCode!, reason: error.message };
}

function toSent(answer: number): HostSent {
  return answer === SENT ? "sent" : answer === DROPPED ? "dropped" : "queued";
}
