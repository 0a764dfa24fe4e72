// The body of a request, which uWebSockets.js pushes. Parts wait here until they are asked for; while more than 64 KiB wait, the
// connection is paused.

import { ChannelError } from "../../base/errors.ts";
import type { UwsResponse } from "./types.ts";

/** Bytes that wait before the connection is not read any more. */
const MAX_WAITING_BYTES = 65_536;

interface Reader {
  readonly resolve: (part: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class UwsRequestBody {
  readonly #response: UwsResponse;
  #parts: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWhole = false;
  #isPaused = false;
  #isDiscarded = false;
  #isFailed = false;
  #reader: Reader | undefined;

  constructor(response: UwsResponse) {
    this.#response = response;
    // uWebSockets.js reuses the memory after this call, so it is copied.
    response.onData((part, isLast) => this.#arrived(new Uint8Array(part.slice(0)), isLast));
  }

  next(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#feed();
    });
  }

  /** The client has left. */
  fail(): void {
    this.#isFailed = true;
    this.#feed();
  }

  /** Drops the rest of the body as it arrives. Called while the response may be used. */
  discard(): void {
    this.drop();
    if (!this.#isFailed) this.#goOn();
  }

  /** Drops the waiting parts. */
  drop(): void {
    this.#isDiscarded = true;
    this.#parts = [];
  }

  #arrived(part: Uint8Array, isLast: boolean): void {
    this.#isWhole = isLast;
    if (this.#isDiscarded) return;
    if (part.length > 0) this.#parts.push(part);
    this.#waitingBytes += part.length;
    this.#feed();
    if (this.#waitingBytes > MAX_WAITING_BYTES && !this.#isPaused && !isLast) {
      this.#isPaused = true;
      this.#response.pause();
    }
  }

  #feed(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const part = this.#parts.shift();
    if (part === undefined && !this.#isWhole && !this.#isFailed) return;
    this.#reader = undefined;
    if (part !== undefined) {
      this.#waitingBytes -= part.length;
      reader.resolve(part);
      if (this.#waitingBytes === 0 && !this.#isFailed) this.#goOn();
    } else if (this.#isWhole) reader.resolve(undefined);
    else reader.reject(new ChannelError("CLIENT_GONE", "the request body is incomplete"));
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#response.resume();
  }
}
