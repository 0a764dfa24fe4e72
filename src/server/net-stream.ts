// A ByteStream over a socket of node:net or node:tls, with public API only.

import type { Socket } from "node:net";
import type { Piece } from "../base/bytes.ts";
import type { ByteStream, ByteStreamListener } from "../transport/byte-stream.ts";

const NOTHING = new Uint8Array(0);

/** The stream of each open socket. Listeners that look here are shared; closures would cost each socket 300 bytes. */
const STREAMS = new WeakMap<Socket, NetStream>();

export interface NetStreamOwner {
  /** The socket is closed, and the stream's listener has been told. */
  streamClosed(stream: NetStream): void;
}

export class NetStream implements ByteStream {
  listener!: ByteStreamListener;
  readonly #socket: Socket;
  #awaitsDrain = false;
  readonly #owner: NetStreamOwner;

  /** The caller sets `listener` at once. */
  constructor(socket: Socket, owner: NetStreamOwner) {
    this.#socket = socket;
    this.#owner = owner;
    STREAMS.set(socket, this);
    socket.on("data", onData);
    socket.on("end", onEnd);
    // Without a listener an error would end the process; "close" follows it and knows what it was.
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  get remoteAddress(): string | undefined {
    const address = this.#socket.remoteAddress;
    // A dual-stack socket shows an IPv4 peer as an IPv6 address (RFC 4291 §2.5.5.2).
    return address?.startsWith("::ffff:") ? address.slice(7) : address;
  }

  /** Bytes that the system has given, and taken, so far; above TLS. */
  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  get bytesSent(): number {
    // Node counts what it still holds among the written.
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  get isEncrypted(): boolean {
    return "encrypted" in this.#socket;
  }

  write(output: Piece | readonly Piece[]): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    if (typeof output === "string") socket.write(output, "latin1");
    else if (output instanceof Uint8Array) socket.write(output);
    else {
      // Corked writes leave as one writev.
      socket.cork();
      for (const piece of output) {
        if (typeof piece === "string") socket.write(piece, "latin1");
        else socket.write(piece);
      }
      socket.uncork();
    }
    if (socket.writableLength > 0) this.#awaitDrain();
  }

  end(): void {
    this.#socket.end();
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

  /**
   * Gives the socket to another owner, who will read `rest` first: nothing of it comes here any more. An error would
   * still end the process without its listener.
   */
  release(rest: Uint8Array | undefined): Socket {
    const socket = this.#socket;
    socket.off("data", onData).off("end", onEnd).off("close", onClose);
    STREAMS.delete(socket);
    socket.pause();
    if (rest !== undefined) socket.unshift(rest);
    return socket;
  }

  /** The socket's end, from its "close" event. */
  closed(): void {
    this.listener.onClosed(this.#socket.errored ?? undefined);
    this.#owner.streamClosed(this);
  }

  /**
   * Node's own "drain" comes only after its high-water mark was passed; ours says "empty again", whatever the size.
   * An empty write queues up behind the rest, so the callback costs nothing while the system takes all at once.
   */
  #awaitDrain(): void {
    if (this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.#socket.write(NOTHING, () => {
      this.#awaitsDrain = false;
      if (this.#socket.writableLength === 0) this.listener.onDrain();
      else if (this.#socket.writable) this.#awaitDrain();
    });
  }
}

function onData(this: Socket, bytes: Buffer): void {
  STREAMS.get(this)!.listener.onBytes(bytes);
}

function onEnd(this: Socket): void {
  STREAMS.get(this)!.listener.onEof();
}

function onError(): void {}

function onClose(this: Socket): void {
  STREAMS.get(this)!.closed();
}
