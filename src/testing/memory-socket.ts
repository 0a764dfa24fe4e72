// The two ends of a connection in memory. The engine and node:http use them like TCP sockets. Bytes take a turn of the event
// loop, or the time that the network sets; a reader that does not read causes back-pressure.

import { Duplex } from "node:stream";

/** The network between two ends. */
export interface Wire {
  /** Latency in milliseconds of the virtual clock; 0: a turn of the event loop. */
  readonly delayMs: number;
  /** Bandwidth of one direction of a connection, per second of the virtual clock. */
  readonly bytesPerSecond: number;
  /** True while no bytes pass. */
  readonly isStalled: boolean;
  /** Connections that were cut so far. */
  cuts: number;
  /** Calls `fn` at this time of the virtual clock. */
  at(timeMs: number, fn: () => void): void;
  now(): number;
  /** Reports activity: `settle` waits until it has ended. */
  moved(): void;
}

export interface ConnectionOptions {
  /** Number of bytes, both directions together, after which both ends are reset. */
  readonly cutAfterBytes: number;
  /** True to hold the server's bytes until it ends, like a proxy that buffers; not after a 101. */
  readonly isBuffering: boolean;
}

/** Bytes, or the end (null), and the time of their arrival. */
interface Parcel {
  readonly bytes: Buffer | null;
  readonly at: number;
}

/** Capacity of one direction: buffers of systems and networks. */
const ROOM_BYTES = 65_536;
/** Pieces in which bytes arrive over a slow link. */
const PIECES_PER_SECOND = 10;

export class MemorySocket extends Duplex {
  /** TEST-NET-1 (RFC 5737): an address that no host has. */
  readonly remoteAddress = "192.0.2.1";
  bytesRead = 0;
  bytesWritten = 0;
  readonly #connection: MemoryConnection;
  readonly #side: "client" | "server";
  /** Bytes in flight to the peer. */
  #parcels: Parcel[] = [];
  #bytes = 0;
  /** True while the peer reads. */
  #isWanted = true;
  #isScheduled = false;
  #hasEnded = false;
  /** The time at which a slow link has carried all bytes sent so far. */
  #freeAt = 0;
  /** Completes a write that waits for capacity. */
  #onRoom: (() => void) | undefined;

  constructor(connection: MemoryConnection, side: "client" | "server") {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    this.#side = side;
  }

  get #peer(): MemorySocket {
    return this.#side === "server" ? this.#connection.client : this.#connection.server;
  }

  /** Nothing is between the two ends that could be lost without a sign. */
  setKeepAlive(): this {
    return this;
  }

  override _read(): void {
    this.#peer.#isWanted = true;
    this.#peer.schedule();
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    if (this.#peer.destroyed) {
      done(connectionReset());
      return;
    }
    this.bytesWritten += bytes.length;
    this.#bytes += bytes.length;
    // A system copies written bytes, and the reader owns the bytes that it reads.
    this.#send(Buffer.from(bytes));
    // A proxy that buffers takes all.
    if (this.#bytes < ROOM_BYTES || this.#isHeld) done();
    else this.#onRoom = done;
  }

  override _final(done: (error?: Error) => void): void {
    this.#end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { wire } = this.#connection;
    wire.moved();
    this.#connection.ended(this);
    // Like TCP: a FIN after the sent bytes, or a reset that overtakes them.
    if (error === null) this.#end();
    else {
      this.#parcels = [];
      this.#peer.destroy(connectionReset());
    }
    done(error);
  }

  /** Delivers the bytes that are due, in another turn. */
  schedule(): void {
    const [first] = this.#parcels;
    if (this.#isScheduled || first === undefined || !this.#mayPass) return;
    this.#isScheduled = true;
    const { wire } = this.#connection;
    const deliver = (): void => {
      this.#isScheduled = false;
      this.#deliver();
    };
    if (first.at > wire.now()) wire.at(first.at, deliver);
    else setImmediate(deliver);
  }

  get #mayPass(): boolean {
    return this.#isWanted && !this.#connection.wire.isStalled && !this.#isHeld;
  }

  /** Behind a proxy that waits for the end. */
  get #isHeld(): boolean {
    return this.#side === "server" && this.#connection.isBuffering && !this.#hasEnded;
  }

  #send(bytes: Buffer | null): void {
    const { wire } = this.#connection;
    if (this.bytesWritten === bytes?.length && bytes.toString("latin1", 0, 12) === "HTTP/1.1 101") {
      this.#connection.isBuffering = false;
    }
    if (wire.bytesPerSecond === Number.POSITIVE_INFINITY) this.#post(bytes, wire.now());
    else this.#postSlowly(bytes);
    wire.moved();
    this.schedule();
  }

  #postSlowly(bytes: Buffer | null): void {
    const { wire } = this.#connection;
    const { bytesPerSecond } = wire;
    const pieceBytes = Math.max(Math.floor(bytesPerSecond / PIECES_PER_SECOND), 1);
    this.#freeAt = Math.max(this.#freeAt, wire.now());
    for (let i = 0; i < (bytes?.length ?? 0); i += pieceBytes) {
      const piece = bytes!.subarray(i, i + pieceBytes);
      this.#freeAt += (1000 * piece.length) / bytesPerSecond;
      this.#post(piece, Math.ceil(this.#freeAt));
    }
    if (bytes === null) this.#post(bytes, Math.ceil(this.#freeAt));
  }

  #post(bytes: Buffer | null, leavesAt: number): void {
    this.#parcels.push({ bytes, at: leavesAt + this.#connection.wire.delayMs });
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#send(null);
  }

  #deliver(): void {
    const { wire } = this.#connection;
    const peer = this.#peer;
    while (this.#mayPass && !peer.destroyed) {
      const parcel = this.#parcels[0];
      if (parcel === undefined || parcel.at > wire.now()) break;
      this.#parcels.shift();
      wire.moved();
      if (parcel.bytes === null) peer.push(null);
      else this.#hand(parcel.bytes, peer);
    }
    if (peer.destroyed) this.#parcels = [];
    this.schedule();
  }

  #hand(bytes: Buffer, peer: MemorySocket): void {
    const passing = this.#connection.pass(bytes);
    this.#bytes -= bytes.length;
    peer.bytesRead += passing.length;
    if (passing.length > 0) this.#isWanted = peer.push(passing);
    if (this.#onRoom === undefined || this.#bytes >= ROOM_BYTES) return;
    const done = this.#onRoom;
    this.#onRoom = undefined;
    done();
  }
}

export class MemoryConnection {
  readonly wire: Wire;
  readonly client: MemorySocket;
  readonly server: MemorySocket;
  isBuffering: boolean;
  readonly #onEnd: () => void;
  /** Bytes until the cut. */
  #left: number;

  /** `onEnd`: both ends are gone. */
  constructor(wire: Wire, { cutAfterBytes, isBuffering }: ConnectionOptions, onEnd: () => void) {
    this.wire = wire;
    this.isBuffering = isBuffering;
    this.#left = cutAfterBytes;
    this.#onEnd = onEnd;
    this.client = new MemorySocket(this, "client");
    this.server = new MemorySocket(this, "server");
  }

  /** Resets both ends. */
  cut(): void {
    if (this.client.destroyed && this.server.destroyed) return;
    this.wire.cuts += 1;
    this.client.destroy(connectionReset());
    this.server.destroy(connectionReset());
  }

  /** A stall is over. */
  resume(): void {
    this.client.schedule();
    this.server.schedule();
  }

  /** Returns the bytes that pass before the cut, if one is due. */
  pass(bytes: Buffer): Buffer {
    const passing = bytes.subarray(0, this.#left);
    this.#left -= passing.length;
    // The bytes that have passed are read first.
    if (this.#left === 0) setImmediate(() => this.cut());
    return passing;
  }

  ended(end: MemorySocket): void {
    if ((end === this.client ? this.server : this.client).destroyed) this.#onEnd();
  }
}

function connectionReset(): Error {
  return Object.assign(new Error("the connection was reset"), { code: "ECONNRESET" });
}
