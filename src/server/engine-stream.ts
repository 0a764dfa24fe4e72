// A stream of the engine: bytes for HTTP above it, a connection for the server. `net-stream.ts` makes one of a `net.Socket`,
// `bun/stream.ts` one of a socket of `Bun.listen`.

import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { ByteStream, ByteStreamListener } from "../transport/io/byte-stream.ts";
import type { OpenConnection } from "./exchange-source.ts";

export interface EngineStream extends ByteStream, OpenConnection {
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  readonly pinnedBytes: number;
  /** Ends a connection that is not served, with this answer. The stream must not be used any more. */
  turnAway(answer: string): void;
}

/** The engine's connections, as each stream knows them. */
export interface StreamOwner {
  /** Counts the unsent bytes of all streams. */
  readonly buffered: BufferBudget;
  /** How long a peer may take none of the unsent bytes, in milliseconds. */
  readonly writeTimeoutMs: number;
  /** Silence in milliseconds after which TCP probes a peer; undefined where the socket has another owner, who decides it. */
  readonly keepAliveMs?: number;
  /** Ends a listener that has waited for its client for too long. Returns true if it did. */
  tickListener(listener: ByteStreamListener | undefined, now: number): boolean;
  /** Other code has ended the socket of a stream. Only where sockets have a second owner. */
  endedByOthers?(): void;
  /** The stream is closed, and its listener has been told. */
  streamClosed(stream: EngineStream): void;
}
