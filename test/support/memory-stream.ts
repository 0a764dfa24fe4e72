// A ByteStream of two queues: what the peer sends waits in one, what is written stands in the other. Nothing happens by
// itself: the test says when bytes arrive, when the system takes what was written, and when the connection is gone.

import type { Piece } from "../../src/base/bytes.ts";
import type { ByteStream, ByteStreamListener } from "../../src/transport/io/byte-stream.ts";
import { bytesOf } from "./cut.ts";
import { text } from "./pieces.ts";

export class MemoryStream implements ByteStream {
  listener!: ByteStreamListener;
  bufferedAmount = 0;
  remoteAddress: string | undefined = "192.0.2.1";
  isEncrypted = false;
  /** Writes since the test last looked, one latin1 string each. */
  readonly writes: string[] = [];
  isPaused = false;
  isEnded = false;
  isDestroyed = false;
  /** True: the system takes nothing of what is written, until `drain`. */
  isStalled = false;
  #arrived: (Uint8Array | "eof")[] = [];

  /** Everything written since the last look. */
  take(): string {
    return this.writes.splice(0).join("");
  }

  /** Bytes from the peer; each call is one read, when reading is not paused. */
  arrive(...reads: (string | Uint8Array)[]): void {
    for (const read of reads) this.#arrived.push(typeof read === "string" ? bytesOf(read) : Uint8Array.from(read));
    this.deliver();
  }

  /** The peer ends its side behind what it has sent. */
  eof(): void {
    this.#arrived.push("eof");
    this.deliver();
  }

  /** Delivers what waits. After a `resume` the event loop would do it. */
  deliver(): void {
    while (!this.isPaused && !this.isDestroyed) {
      const next = this.#arrived.shift();
      if (next === undefined) return;
      if (next === "eof") this.listener.onEof();
      else this.listener.onBytes(next);
    }
  }

  /** How many reads wait because reading is paused. */
  get waiting(): number {
    return this.#arrived.length;
  }

  /** The system has taken all that was written. */
  drain(): void {
    this.bufferedAmount = 0;
    this.listener.onDrain();
  }

  /** The connection is gone. */
  closed(error?: Error): void {
    this.isDestroyed = true;
    this.listener.onClosed(error);
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.isDestroyed || this.isEnded) return;
    const written = text(output);
    this.writes.push(written);
    if (this.isStalled) this.bufferedAmount += written.length;
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}

/** The functions that a `Flusher` has scheduled, until the test ends the turn. */
export class Turn {
  #runs: (() => void)[] = [];
  readonly schedule = (run: () => void): void => {
    this.#runs.push(run);
  };

  /** The event loop's turn is over. */
  end(): void {
    for (const run of this.#runs.splice(0)) run();
  }
}
