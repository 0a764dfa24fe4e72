// A ByteStream over one HTTP/2 stream: the responses of an exchange go out through it, and after an extended CONNECT all
// bytes of a WebSocket (RFC 8441 §5: in DATA frames).
//
// node:http2 reports a write only when the client's window has let all of it through. A slow client must not look like one
// that has stopped, so that output goes to the stream in slices, and the rest waits here.

import { type Piece, sizeOf } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import type { IndexedItem } from "../../base/indexed-set.ts";
import type { BufferBudget } from "../io/buffer-budget.ts";
import type { ByteStream, ByteStreamListener } from "../io/byte-stream.ts";
import { WriteQueue } from "../io/write-queue.ts";
import { RESET, type ServerStream } from "./server-stream.ts";

/** The property of a server stream that holds its Http2Stream: all streams share their listeners, which read it. */
const OWNER = Symbol("unichannel.stream");

/** Length of a last piece that is not worth a callback. */
const MAX_FINISH_BYTES = 16_384;

/** Makes node:http2 reset a stream with INTERNAL_ERROR. It is never reported. */
const RESET_HERE = new Error("the stream is reset");

type OwnedStream = ServerStream & { [OWNER]?: Http2Stream };

/** Events of a stream that an exchange needs beside those of a ByteStream. */
export interface Http2StreamListener extends ByteStreamListener {
  /** Called about twice a second. Returns true if it has ended the stream, because its client took too long. */
  tickExchange?(now: number): boolean;
  /** Bytes of the body can be read, or the body has ended. */
  onReadable?(): void;
}

/** The connection of a stream. */
export interface Http2StreamOwner {
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  /** Counts the unsent bytes of all streams. */
  readonly buffered: BufferBudget;
  /** How long a peer may take none of the unsent bytes, in milliseconds. */
  readonly writeTimeoutMs: number;
  /** The stream is closed, and its listener has been told. */
  streamClosed(stream: Http2Stream): void;
}

export class Http2Stream implements ByteStream, IndexedItem {
  listener!: Http2StreamListener;
  index: number | undefined = undefined;
  /** Bytes that were unsent when the stream was closed, at most: node:http2 goes on to count them for its session. */
  lostBytes = 0;
  readonly server: ServerStream;
  readonly #owner: Http2StreamOwner;
  /** True while node:http2 has not taken the whole last write. */
  #isBlocked = false;
  /** Size of the last write. Since Node 26 a closed stream does not tell how much of it is unsent. */
  #givenBytes = 0;
  #isEnding = false;
  #isFlowing = false;
  #isReset = false;
  #error: Error | undefined;
  /** Output that waits until the rest is taken. Made with the first such output. */
  #queue: WriteQueue | undefined;

  /** The caller sets `listener` at once. */
  constructor(server: ServerStream, owner: Http2StreamOwner) {
    this.server = server;
    this.#owner = owner;
    (server as OwnedStream)[OWNER] = this;
    // Without a listener an error would end the process. "close" follows.
    server.on("error", onError);
    server.on("close", onClose);
  }

  get bufferedAmount(): number {
    return this.#isBlocked ? this.server.writableLength + this.#queue!.bytes : 0;
  }

  get pinnedBytes(): number {
    return this.#isBlocked ? this.#queue!.pinnedBytes : 0;
  }

  get remoteAddress(): string | undefined {
    return this.#owner.remoteAddress;
  }

  get isEncrypted(): boolean {
    return this.#owner.isEncrypted;
  }

  /** True if the client has reset the stream, or made node:http2 do it by a mistake. */
  get wasResetByPeer(): boolean {
    return !this.#isReset && this.server.rstCode !== RESET.NO_ERROR;
  }

  /** True if other code, which has the stream as well, has ended it. */
  get wasEndedByOthers(): boolean {
    return this.server.writableEnded && !this.#isEnding;
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.#isEnding || !this.server.writable) return;
    this.#ensureQueue().add(output);
    this.#pump();
    this.#count();
  }

  /** Writes the last piece, and ends. A short one leaves in one frame with the end, and is counted only if a tick finds it. */
  finish(output: Piece): void {
    if (this.#isEnding || !this.server.writable) return;
    if (this.#isBlocked || output.length > MAX_FINISH_BYTES) {
      this.write(output);
      this.end();
      return;
    }
    this.#isEnding = true;
    this.#givenBytes = output.length;
    if (typeof output === "string") this.server.end(output, "latin1");
    else this.server.end(output);
  }

  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (!this.#isBlocked) this.server.end();
  }

  /** Resets the stream, after the bytes for which the client's window has room. `error`: the failure that the listener is told of. */
  destroy(error?: Error): void {
    if (this.server.destroyed) return;
    this.#isReset = true;
    this.#error ??= error;
    // Not `close(code)`: node:http2 then ends the stream first, and an incomplete response would look whole.
    this.server.destroy(RESET_HERE);
  }

  /** Delivers `onReadable` from now on: the body is read with `server.read()`. */
  watchBody(): void {
    this.server.on("readable", onReadable);
    this.server.on("end", onReadable);
  }

  pause(): void {
    this.server.pause();
  }

  resume(): void {
    if (this.server.destroyed) return;
    if (!this.#isFlowing) {
      this.#isFlowing = true;
      this.server.on("data", onData);
      this.server.on("end", onEnd);
    }
    this.server.resume();
  }

  /** Called about twice a second. Returns true if the stream was ended because its client took too long. */
  tick(now: number): boolean {
    const isLost = this.#tickWrites(now);
    return this.listener.tickExchange?.(now) === true || isLost;
  }

  makeRoom(): void {
    this.listener.makeRoom?.();
  }

  /** Called by the stream's "close" event. */
  closed(): void {
    this.lostBytes = this.server.writableFinished ? 0 : this.#givenBytes;
    this.#isBlocked = false;
    this.#count();
    this.#queue = undefined;
    this.listener.onClosed(this.#isReset ? this.#error : protocolError(this.server.rstCode));
    this.#owner.streamClosed(this);
  }

  /** Resets a stream whose client has taken none of the unsent bytes for `writeTimeoutMs`. */
  #tickWrites(now: number): boolean {
    if (!this.#isBlocked) {
      if (!this.#isEnding || this.server.writableLength === 0) return false;
      this.#isBlocked = true;
      this.#ensureQueue();
      this.#count();
    }
    if (!this.#queue!.isStalled(now, this.#owner.writeTimeoutMs)) return false;
    this.destroy(new ChannelError("WRITE_TIMEOUT"));
    return true;
  }

  #pump(): void {
    const queue = this.#queue!;
    if (!this.#isBlocked && queue.bytes > 0) this.#hand(queue.take());
  }

  #hand(output: Piece | readonly Piece[]): void {
    const stream = this.server;
    const queue = this.#queue!;
    this.#isBlocked = true;
    queue.stalledSince = undefined;
    this.#givenBytes = sizeOf(output);
    if (typeof output === "string") stream.write(output, "latin1", queue.onTaken);
    else if (output instanceof Uint8Array) stream.write(output, queue.onTaken);
    else {
      stream.cork();
      for (let i = 0; i < output.length; i++) {
        const piece = output[i]!;
        const done = i === output.length - 1 ? queue.onTaken : undefined;
        if (typeof piece === "string") stream.write(piece, "latin1", done);
        else stream.write(piece, done);
      }
      stream.uncork();
    }
  }

  /** Called when node:http2 has taken the last write. */
  #taken(): void {
    this.#isBlocked = false;
    this.#givenBytes = 0;
    this.#queue!.moved();
    this.#pump();
    this.#count();
    if (this.#isBlocked) return;
    if (this.#isEnding) this.server.end();
    this.listener.onDrain();
  }

  #ensureQueue(): WriteQueue {
    this.#queue ??= new WriteQueue((error) => {
      // "close" follows an error and a reset. After a reset Node 26 calls back without an error, as after a write that succeeded.
      if (!error && this.#queue !== undefined && !this.server.destroyed) this.#taken();
    });
    return this.#queue;
  }

  /** Updates the sum of all streams. */
  #count(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const bytes = this.bufferedAmount + this.pinnedBytes;
    if (bytes === queue.counted) return;
    this.#owner.buffered.change(queue.counted, bytes);
    queue.counted = bytes;
  }
}

/** A client that resets a stream has left; a connection that broke the protocol has failed. */
function protocolError(code: number): Error | undefined {
  if (code === RESET.NO_ERROR || code === RESET.CANCEL || code === RESET.REFUSED_STREAM) return undefined;
  return new Error(`the HTTP/2 stream was reset with code ${code}`);
}

function onData(this: OwnedStream, bytes: Uint8Array): void {
  this[OWNER]!.listener.onBytes(bytes);
}

function onEnd(this: OwnedStream): void {
  this[OWNER]!.listener.onEof();
}

function onReadable(this: OwnedStream): void {
  this[OWNER]!.listener.onReadable?.();
}

function onError(): void {}

function onClose(this: OwnedStream): void {
  this[OWNER]!.closed();
}
