// A ByteStream over a socket of `Bun.listen`, which costs less than Bun's `node:net`. Bun keeps no output: what the system does
// not take waits here, so `bufferedAmount` is exact.

import { latin1Bytes, type Piece } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { linkStates } from "../../base/linked-states.ts";
import type { ByteStreamListener } from "../../transport/io/byte-stream.ts";
import { MAX_WAITING_STRING } from "../../transport/io/write-queue.ts";
import { addressOf } from "../address.ts";
import type { EngineStream, StreamOwner } from "../engine-stream.ts";
import type { BunTcpSocket } from "./sockets.ts";

/** Pieces up to this size together are copied into one write. */
const JOIN_BYTES = 131_072;

/** Output that the system has not taken. Made with the first such output. */
interface Unsent {
  readonly pieces: Piece[];
  /** Index of the first piece that is not sent. */
  at: number;
  bytes: number;
  /** Bytes of the piece at `at` that are sent, and kept in memory with the rest of it. */
  pinnedBytes: number;
  /** Bytes of this stream in the server's sum. */
  counted: number;
  /** The tick since which the system has taken nothing; undefined if it has taken something since the last tick. */
  stalledSince: number | undefined;
}

/** `ending`: our side ends when all is sent. */
type StateName = "open" | "ending" | "ended" | "closed";

/** end: nothing more is written. shutdown: all is sent. close: the socket is closed. */
const STEPS = ["end", "shutdown", "close"] as const;

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  open: { end: "ending", close: "closed" },
  ending: { shutdown: "ended", close: "closed" },
  ended: { close: "closed" },
  closed: {},
};

const STATES = linkStates(MOVES, STEPS);

type BunStreamState = (typeof STATES)[StateName];

export class BunStream implements EngineStream {
  listener!: ByteStreamListener;
  index: number | undefined = undefined;
  bytesReceived = 0;
  bytesSent = 0;
  readonly #socket: BunTcpSocket<BunStream>;
  readonly #owner: StreamOwner;
  #state: BunStreamState = STATES.open;
  #unsent: Unsent | undefined;
  /** True when the listener was told of the peer's end. */
  #hasPeerEnded = false;

  /** The caller sets `listener` at once. */
  constructor(socket: BunTcpSocket<BunStream>, owner: StreamOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.data = this;
  }

  get bufferedAmount(): number {
    return this.#unsent === undefined ? 0 : this.#unsent.bytes;
  }

  get pinnedBytes(): number {
    return this.#unsent === undefined ? 0 : this.#unsent.pinnedBytes;
  }

  get isEncrypted(): boolean {
    return false;
  }

  get remoteAddress(): string | undefined {
    return addressOf(this.#socket);
  }

  write(output: Piece | readonly Piece[]): void {
    if (this.#state !== STATES.open) return;
    if (this.#unsent !== undefined) {
      this.#keep(output, 0);
      return;
    }
    const whole = typeof output === "string" || output instanceof Uint8Array ? output : joined(output);
    if (Array.isArray(whole)) {
      this.#keep(whole, 0);
      this.#pump();
      return;
    }
    const taken = this.#hand(whole as Piece);
    if (taken < (whole as Piece).length) this.#keep(whole as Piece, taken);
  }

  end(): void {
    if (!this.#moveTo(this.#state.end)) return;
    if (this.#unsent === undefined) this.#shutdown();
  }

  destroy(): void {
    if (this.#close(undefined)) this.#socket.close();
  }

  pause(): void {
    if (this.#state !== STATES.closed) this.#socket.pause();
  }

  resume(): void {
    if (this.#state !== STATES.closed) this.#socket.resume();
  }

  tick(now: number): boolean {
    const isLost = this.#tickWrites(now);
    return this.#owner.tickListener(this.listener, now) || isLost;
  }

  makeRoom(): void {
    this.listener?.makeRoom?.();
  }

  turnAway(answer: string): void {
    this.#moveTo(this.#state.close);
    this.#socket.data = undefined;
    this.#socket.write(answer, "latin1");
    this.#socket.close();
  }

  /** Called by the socket's handlers, as the next four. */
  received(bytes: Uint8Array): void {
    if (this.#state === STATES.closed) return;
    this.bytesReceived += bytes.length;
    this.listener.onBytes(bytes);
  }

  drained(): void {
    if (this.#unsent !== undefined) this.#pump();
  }

  peerEnded(): void {
    if (this.#state === STATES.closed || this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    this.listener.onEof();
  }

  closed(error: Error | undefined): void {
    if (this.#state === STATES.closed) return;
    // After our own end Bun does not tell of the peer's.
    if (error === undefined && this.#state === STATES.ended) this.peerEnded();
    this.#close(error);
  }

  failed(error: Error): void {
    if (this.#close(error)) this.#socket.close();
  }

  /** Returns how many bytes the system has taken. */
  #hand(piece: Piece): number {
    const taken = typeof piece === "string" ? this.#socket.write(piece, "latin1") : this.#socket.write(piece);
    // -1: the socket is closed, and its close handler is about to say so.
    if (taken <= 0) return 0;
    this.bytesSent += taken;
    return taken;
  }

  /** Keeps output for later, without the first `sent` bytes of its first piece. */
  #keep(output: Piece | readonly Piece[], sent: number): void {
    this.#unsent ??= { pieces: [], at: 0, bytes: 0, pinnedBytes: 0, counted: 0, stalledSince: undefined };
    const unsent = this.#unsent;
    const pieces = typeof output === "string" || output instanceof Uint8Array ? [output] : output;
    for (const [i, piece] of pieces.entries()) {
      const rest = i === 0 && sent > 0 ? cut(piece, sent) : piece;
      const isLong = typeof rest === "string" && rest.length > MAX_WAITING_STRING;
      unsent.pieces.push(isLong ? latin1Bytes(rest) : rest);
      unsent.bytes += rest.length;
      if (rest !== piece) unsent.pinnedBytes = sent;
    }
    this.#count();
  }

  /** Gives the system as many bytes as it takes. */
  #pump(): void {
    const unsent = this.#unsent!;
    while (unsent.at < unsent.pieces.length) {
      const piece = unsent.pieces[unsent.at]!;
      const taken = piece.length === 0 ? 0 : this.#hand(piece);
      if (this.#unsent === undefined) return;
      unsent.bytes -= taken;
      if (taken > 0) unsent.stalledSince = undefined;
      if (taken < piece.length) {
        if (taken > 0) {
          unsent.pieces[unsent.at] = cut(piece, taken);
          unsent.pinnedBytes += taken;
        }
        this.#count();
        return;
      }
      // The queue must not keep it in memory.
      unsent.pieces[unsent.at++] = "";
      unsent.pinnedBytes = 0;
      if (unsent.at >= 1024) {
        unsent.pieces.splice(0, unsent.at);
        unsent.at = 0;
      }
    }
    this.#release();
    if (this.#state === STATES.ending) this.#shutdown();
    this.listener.onDrain();
  }

  #shutdown(): void {
    this.#moveTo(this.#state.shutdown);
    this.#socket.shutdown();
  }

  /** Drops a peer that has taken none of the unsent bytes for `writeTimeoutMs`. Returns true if it did. */
  #tickWrites(now: number): boolean {
    const unsent = this.#unsent;
    if (unsent === undefined) return false;
    unsent.stalledSince ??= now;
    if (now - unsent.stalledSince < this.#owner.writeTimeoutMs) return false;
    this.failed(new ChannelError("WRITE_TIMEOUT"));
    return true;
  }

  /** Returns false if the stream was closed before. */
  #close(error: Error | undefined): boolean {
    if (!this.#moveTo(this.#state.close)) return false;
    this.#release();
    this.#socket.data = undefined;
    // Later, as with a socket of node:net: the caller has not finished its own work.
    queueMicrotask(() => {
      this.listener.onClosed(error);
      this.#owner.streamClosed(this);
    });
    return true;
  }

  #release(): void {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    this.#unsent = undefined;
    this.#owner.buffered.change(unsent.counted, 0);
  }

  /** Updates the sum of all streams. */
  #count(): void {
    const unsent = this.#unsent!;
    const bytes = unsent.bytes + unsent.pinnedBytes;
    this.#owner.buffered.change(unsent.counted, bytes);
    unsent.counted = bytes;
  }

  /** `state`: the state after a step. False if the step has no effect: there is none. */
  #moveTo(state: BunStreamState | undefined): boolean {
    if (state === undefined) return false;
    this.#state = state;
    return true;
  }
}

function cut(piece: Piece, start: number): Piece {
  return typeof piece === "string" ? piece.slice(start) : piece.subarray(start);
}

/** Joins small pieces, for one write. Returns the pieces if they are large: two writes cost less than a copy. */
function joined(pieces: readonly Piece[]): Piece | readonly Piece[] {
  if (pieces.length === 1) return pieces[0]!;
  let size = 0;
  for (const piece of pieces) size += piece.length;
  if (size > JOIN_BYTES) return pieces;
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? latin1Bytes(piece) : piece)));
}
