// Sends a client of node:http2 to another connection before its session, which is the application's, refuses all new streams.

import type { ServerHttp2Session } from "node:http2";
import { LostBytes } from "../../transport/http2/lost-bytes.ts";

/** The default of `maxSessionMemory` of `http2.createServer`. A server does not tell its own value. */
const DEFAULT_SESSION_BYTES = 10_000_000;

const LOST = new WeakMap<ServerHttp2Session, LostBytes>();

/** A stream was closed with so many unsent bytes. Open streams of its session continue, also those of other code. */
export function countLost(session: ServerHttp2Session, bytes: number): void {
  if (bytes === 0) return;
  let lost = LOST.get(session);
  if (lost === undefined) LOST.set(session, (lost = new LostBytes(DEFAULT_SESSION_BYTES)));
  if (lost.isTooMuchWith(bytes)) session.close();
}
