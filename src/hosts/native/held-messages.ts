// Received messages that wait for a listener which has paused. They are counted and limited: the host is told to stop reading, if it
// can; otherwise the client is refused.

import { ChannelError } from "../../base/errors.ts";
import { heldBytes } from "../../base/memory-size.ts";
import { Queue } from "../../base/queue.ts";
import type { HostWebSocketContext } from "./context.ts";
import type { HostSocket } from "./host-socket.ts";

/** Bytes that are held for a listener that has paused, before the host is told to stop reading. */
const MAX_AHEAD_BYTES = 65_536;

export class HeldMessages {
  readonly #context: HostWebSocketContext;
  #queue: Queue<string | Uint8Array> | undefined;
  #bytes = 0;
  /** The host was told to stop reading. */
  #hasPaused = false;

  constructor(context: HostWebSocketContext) {
    this.#context = context;
  }

  isEmpty(): boolean {
    return this.#queue === undefined;
  }

  hasPausedHost(): boolean {
    return this.#hasPaused;
  }

  /** True if all clients together have sent too much, and this one holds its equal share or more. */
  hasToMakeRoom(): boolean {
    const { received } = this.#context;
    return received.isExceeded && received.isShareSpent(this.#bytes);
  }

  /** Returns the error with which the client is refused; undefined if the message can wait. */
  hold(data: string | Uint8Array, socket: HostSocket | undefined): ChannelError | undefined {
    this.#queue ??= new Queue();
    this.#queue.push(data);
    this.#change(heldBytes(data));
    if (this.hasToMakeRoom()) return new ChannelError("RECEIVE_OVERFLOW");
    if (this.#bytes <= MAX_AHEAD_BYTES || this.#hasPaused) return undefined;
    if (socket?.pause !== undefined) {
      this.#hasPaused = true;
      socket.pause();
    } else if (this.#bytes > this.#context.maxUnreadBytes) {
      return new ChannelError("RECEIVE_OVERFLOW", "more than maxUnreadBytes waits for its receiver");
    }
    return undefined;
  }

  /** Removes and returns the next message. There is one. */
  take(): string | Uint8Array {
    const data = this.#queue!.shift()!;
    this.#change(-heldBytes(data));
    if (this.#queue!.length === 0) this.#queue = undefined;
    return data;
  }

  resumeHost(socket: HostSocket | undefined): void {
    if (!this.#hasPaused) return;
    this.#hasPaused = false;
    socket?.resume?.();
  }

  #change(by: number): void {
    const before = this.#bytes;
    this.#bytes += by;
    this.#context.received.change(before, this.#bytes);
  }
}
