// Sends a client of node:http2 to another connection before its session, which is the application's, refuses all new streams.

import type { ServerHttp2Session } from "node:http2";
import { LostBytes } from "../../transport/http2/lost-bytes.ts";

/** The memory of a session by itself: `maxSessionMemory` of `http2.createServer`. A server does not tell what it was given. */
const DEFAULT_SESSION_BYTES = 10_000_000;

const LOST = new WeakMap<ServerHttp2Session, LostBytes>();

/** A stream of ours was closed with so many unsent bytes. The other streams of its session go on, whosever they are. */
export function countLost(session: ServerHttp2Session, bytes: number): void {
  if (bytes === 0) return;
  let lost = LOST.get(session);
  if (lost === undefined) LOST.set(session, (lost = new LostBytes(DEFAULT_SESSION_BYTES)));
  if (lost.isTooMuchWith(bytes)) session.close();
}
