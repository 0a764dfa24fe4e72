// Writing to a socket of node:net or node:tls, with public API only.

import type { Socket } from "node:net";
import { latin1Bytes, type Piece } from "../base/bytes.ts";
import { runtime } from "../base/runtime.ts";

const NOTHING = new Uint8Array(0);

type OnTaken = (error?: Error | null) => void;

/**
 * Hands over output. `onTaken` is called when the system has taken it. A TLS socket takes nothing at once, and wants
 * `onTaken`: an empty write behind other output fails there on Deno 2.9 (EPERM).
 */
export function writeTo(socket: Socket, output: Piece | readonly Piece[], onTaken: OnTaken | undefined): void {
  if (typeof output === "string") socket.write(output, "latin1", onTaken);
  else if (output instanceof Uint8Array) socket.write(output, onTaken);
  else {
    // Corked writes leave as one writev. Deno's node:tls would write strings in it as UTF-8.
    socket.cork();
    for (let i = 0; i < output.length; i++) {
      const piece = output[i]!;
      const done = i === output.length - 1 ? onTaken : undefined;
      if (typeof piece === "string" && onTaken !== undefined) socket.write(latin1Bytes(piece), done);
      else if (typeof piece === "string") socket.write(piece, "latin1", done);
      else socket.write(piece, done);
    }
    socket.uncork();
  }
}

/** Calls `onTaken` when the system has taken all that a socket without TLS holds. */
export function whenTaken(socket: Socket, onTaken: OnTaken): void {
  // Node's "drain" comes only after its high-water mark was passed. The callback of an empty write behind the rest comes always.
  socket.write(NOTHING, onTaken);
}

/**
 * Finds a reset on a socket that is not read, which does not notice it: an empty write sends nothing, but fails. Not on Deno 2.9,
 * where it does not fail on a connection that was reset, and does under TLS on a good one (EPERM): bytes that are written, or a
 * reader, find the reset there.
 */
export function findReset(socket: Socket): void {
  if (runtime === "deno") return;
  if (socket.writable) socket.write(NOTHING);
}
