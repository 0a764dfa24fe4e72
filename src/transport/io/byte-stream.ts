// The lowest seam: a stream of bytes in both directions. `server/net-stream.ts` makes one of a `net.Socket`, tests one of two
// arrays.

import type { Piece } from "../../base/bytes.ts";

/** A bidirectional stream of bytes, as TCP gives it. Calls after the end do nothing. */
export interface ByteStream {
  /** Receives the events of the stream. A change of protocol (RFC 9110 §7.8) replaces it. */
  listener: ByteStreamListener;
  /** Bytes accepted by `write` that the system has not taken yet. */
  readonly bufferedAmount: number;
  /** Memory of unsent data beyond `bufferedAmount`: a message that is partly sent is kept as a whole. */
  readonly pinnedBytes?: number;
  /** The peer's address as text, undefined if there is none (a Unix socket). */
  readonly remoteAddress: string | undefined;
  /** True if the connection uses TLS. */
  readonly isEncrypted: boolean;
  /** Writes one piece, or several in order as one write. */
  write(output: Piece | readonly Piece[]): void;
  /** Ends the writing side after everything written before; reading goes on. */
  end(): void;
  /** Drops the connection now; unsent bytes are lost. */
  destroy(): void;
  /** Stops reading, which causes back-pressure at the peer. */
  pause(): void;
  resume(): void;
}

export interface ByteStreamListener {
  /** Bytes arrived. They belong to the listener, which may change them in place. */
  onBytes(bytes: Uint8Array): void;
  /** The peer ended its writing side. */
  onEof(): void;
  /** `bufferedAmount` came back to zero. */
  onDrain(): void;
  /** `maxTotalReceivedBytes` is exceeded: a listener that holds its equal share or more ends its connection. */
  makeRoom?(): void;
  /** The connection is gone, both ways. Called once, last. */
  onClosed(error: Error | undefined): void;
}
