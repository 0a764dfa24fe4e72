// A ByteStream over a socket of node:net or node:tls, with public API only.
// Bytes that the system does not take at once wait here and go to the socket in slices: a socket reports a write only when
// the system has taken all of it, and a slow client must not look like one that has stopped.

import { Socket } from "node:net";
import { type Piece, sizeOf } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { runtime } from "../base/runtime.ts";
import type { ByteStreamListener } from "../transport/io/byte-stream.ts";
import { MAX_WAITING_STRING, MIN_SLICE_BYTES, WriteQueue } from "../transport/io/write-queue.ts";
import { addressOf } from "./address.ts";
import type { EngineStream, StreamOwner } from "./engine-stream.ts";
import { findReset, whenTaken, writeTo } from "./socket-write.ts";

/**
 * The property of a socket that holds its stream. All sockets share their listeners, which read it: closures would cost each
 * socket 300 bytes, a WeakMap some 30 and a lookup for each read.
 */
const STREAM = Symbol("unichannel.stream");

type OwnedSocket = Socket & { [STREAM]?: NetStream | undefined };

/** The system has not taken all bytes that were written to the socket. */
const BLOCKED = 1;
const ENDING = 2;
/** TCP probes the peer after a silence. */
const PROBED = 4;

export class NetStream implements EngineStream {
  listener!: ByteStreamListener;
  index: number | undefined = undefined;
  readonly #socket: Socket;
  readonly #owner: StreamOwner;
  /** Three booleans packed into one number: as fields they cost 8 bytes each per connection. */
  #flags = 0;
  /** Output that waits until the system has taken the rest. Made with the first such output. */
  #queue: WriteQueue | undefined;

  /** The caller sets `listener` at once. */
  constructor(socket: Socket, owner: StreamOwner) {
    this.#socket = socket;
    this.#owner = owner;
    (socket as OwnedSocket)[STREAM] = this;
    socket.on("data", onData);
    // Only there the producer of a socket is known to be `net.Socket` itself, whose bytes never come inside our own calls.
    if (runtime === "node" && socket instanceof Socket) socket.push = push;
    socket.on("end", onEnd);
    // Without a listener an error would end the process. "close" follows, and the socket then has the error in `errored`.
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  get bufferedAmount(): number {
    return this.#flags & BLOCKED ? this.#socket.writableLength + this.#queue!.bytes : 0;
  }

  get pinnedBytes(): number {
    return this.#flags & BLOCKED ? this.#queue!.pinnedBytes : 0;
  }

  get isEncrypted(): boolean {
    return "encrypted" in this.#socket;
  }

  get remoteAddress(): string | undefined {
    return addressOf(this.#socket);
  }

  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  get bytesSent(): number {
    // Node's count includes bytes that it still holds.
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.#flags & ENDING || !this.#socket.writable) return;
    const sliceBytes = this.#queue === undefined ? MIN_SLICE_BYTES : this.#queue.sliceBytes;
    if (!(this.#flags & BLOCKED) && sizeOf(output) <= 2 * sliceBytes) {
      this.#writeToSocket(output);
      if (this.#flags & BLOCKED) this.#pinStrings(output);
    } else {
      this.#ensureQueue().add(output);
      this.#pump();
      this.#updateBudget();
    }
  }

  end(): void {
    if (!(this.#flags & ENDING) && this.#socket.writableEnded) this.#owner.endedByOthers?.();
    this.#flags |= ENDING;
    if (!(this.#flags & BLOCKED)) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  tick(now: number): boolean {
    this.#probe();
    const isLost = this.#tickWrites(now);
    return this.#owner.tickListener(this.listener, now) || isLost;
  }

  makeRoom(): void {
    this.listener?.makeRoom?.();
  }

  /**
   * Gives up the socket to another owner, which reads `rest` first. The error listener stays: without one an error would end
   * the process.
   */
  release(rest: Uint8Array | undefined): Socket {
    const socket: OwnedSocket = this.#socket;
    socket[STREAM] = undefined;
    socket.off("data", onData).off("end", onEnd).off("close", onClose);
    if (socket.push === push) socket.push = Socket.prototype.push;
    socket.pause();
    if (rest !== undefined) socket.unshift(rest);
    return socket;
  }

  turnAway(answer: string): void {
    turnAway(this.release(undefined), answer);
  }

  /** Called by the socket's "close" event. */
  closed(): void {
    this.#flags &= ~BLOCKED;
    this.#updateBudget();
    this.#queue = undefined;
    const { errored, writableEnded, readableEnded } = this.#socket;
    // Behind the end of its peer a socket may have ended by itself.
    if (writableEnded && !(this.#flags & ENDING) && !readableEnded) this.#owner.endedByOthers?.();
    // Since Node 22 a socket that we destroy ourselves reports its unfinished writes as an error.
    const isOurs = (errored as NodeJS.ErrnoException | null)?.code === "ECANCELED";
    this.listener.onClosed(isOurs ? undefined : (errored ?? undefined));
    this.#owner.streamClosed(this);
  }

  /**
   * Lets TCP probe a peer that is silent. Not at the accept: it takes four calls of the system, and a connection for one request is
   * over before the first tick.
   */
  #probe(): void {
    const { keepAliveMs } = this.#owner;
    if (this.#flags & PROBED || keepAliveMs === undefined) return;
    this.#flags |= PROBED;
    this.#socket.setKeepAlive(true, keepAliveMs);
  }

  /** Drops a peer that has taken no bytes for `writeTimeoutMs` while some are unsent. Returns true if it did. */
  #tickWrites(now: number): boolean {
    if (!(this.#flags & BLOCKED)) {
      if (this.#socket.isPaused()) findReset(this.#socket);
      return false;
    }
    if (!this.#queue!.isStalled(now, this.#owner.writeTimeoutMs)) return false;
    this.#socket.destroy(new ChannelError("WRITE_TIMEOUT"));
    return true;
  }

  /** Gives the socket slice after slice, until the system does not take one at once. */
  #pump(): void {
    const queue = this.#queue!;
    while (!(this.#flags & BLOCKED) && queue.bytes > 0) {
      this.#writeToSocket(queue.take());
      if (!(this.#flags & BLOCKED)) queue.moved();
    }
  }

  #writeToSocket(output: Piece | readonly Piece[]): void {
    const socket = this.#socket;
    // A TLS socket never takes bytes at once.
    const onTaken = this.isEncrypted ? this.#ensureQueue().onTaken : undefined;
    writeTo(socket, output, onTaken);
    if (onTaken !== undefined) this.#block();
    else if (socket.writableLength > 0) {
      this.#block();
      // Costs nothing while the system takes all at once.
      whenTaken(socket, this.#queue!.onTaken);
    }
  }

  #block(): void {
    this.#flags |= BLOCKED;
    this.#ensureQueue().stalledSince = undefined;
    this.#updateBudget();
  }

  /** Counts the long strings of a vectored write, which Node keeps beside its copy of them until the system has taken all. */
  #pinStrings(output: Piece | readonly Piece[]): void {
    let bytes = 0;
    if (typeof output !== "string" && !(output instanceof Uint8Array) && !this.isEncrypted) {
      for (const piece of output) {
        if (typeof piece === "string" && piece.length > MAX_WAITING_STRING) bytes += piece.length;
      }
    }
    this.#queue!.pinnedBytes = bytes;
    this.#updateBudget();
  }

  /** Called when the system has taken the bytes that were written to the socket. */
  #taken(): void {
    this.#flags &= ~BLOCKED;
    this.#queue!.moved();
    this.#pump();
    this.#updateBudget();
    if (this.#flags & BLOCKED) return;
    if (this.#flags & ENDING) this.#socket.end();
    this.listener.onDrain();
  }

  #ensureQueue(): WriteQueue {
    this.#queue ??= new WriteQueue((error) => {
      // "close" follows an error.
      if (!error && this.#queue !== undefined) this.#taken();
    });
    return this.#queue;
  }

  /** Updates the sum of all streams. */
  #updateBudget(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const bytes = this.bufferedAmount + this.pinnedBytes;
    this.#owner.buffered.change(queue.counted, bytes);
    queue.counted = bytes;
  }
}

/** Ends a connection that is not served, with this answer. */
export function turnAway(socket: Socket, answer: string): void {
  socket.on("error", onError);
  socket.resume();
  socket.end(answer, () => socket.destroySoon());
}

/**
 * `readable.push`, by which a socket hands over what it has read: straight to the listener, where nobody else listens and nothing waits.
 * The stream's own way through its queue to the "data" event, and its `process.nextTick` after each chunk, took 0.6 µs of the 8 µs of a GET on a
 * bare loop (docs/decisions/0066). "data" still brings what was queued while the socket was paused, and all bytes where
 * Node should hand them over in another way.
 */
function push(this: OwnedSocket, chunk: unknown, encoding?: BufferEncoding): boolean {
  const stream = this[STREAM];
  if (
    stream === undefined ||
    !(chunk instanceof Uint8Array) ||
    chunk.length === 0 ||
    this.readableFlowing !== true ||
    this.readableLength > 0 ||
    this.listenerCount("data") > 1
  )
    return Socket.prototype.push.call(this, chunk, encoding);
  stream.listener.onBytes(chunk);
  return true;
}

function onData(this: OwnedSocket, bytes: Buffer): void {
  this[STREAM]!.listener.onBytes(bytes);
}

function onEnd(this: OwnedSocket): void {
  this[STREAM]!.listener.onEof();
}

function onError(): void {}

function onClose(this: OwnedSocket): void {
  this[STREAM]!.closed();
}
