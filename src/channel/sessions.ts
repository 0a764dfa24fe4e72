// The sessions of one server, by token: where a request that carries one finds its channel again.

import { randomBytes } from "node:crypto";
import { ChannelError } from "../base/errors.ts";
import type { BufferBudget } from "../transport/buffer-budget.ts";
import type { Flusher } from "../transport/flusher.ts";
import type { SessionContext, SessionTransport } from "../transport/session.ts";
import type { PostOrder } from "./session-post.ts";
import type { TransportChannel } from "./transport-channel.ts";

export interface OpenSession {
  readonly transport: SessionTransport;
  readonly channel: TransportChannel;
  /** Whose it is, as the handler had it when it was opened. */
  readonly identity: string | undefined;
  readonly path: string;
  /** Requests whose records are on their way; made by the first. */
  posts: PostOrder | undefined;
}

/** PROTOCOL.md, "Security": nobody guesses one. */
const TOKEN_BYTES = 16;

export class Sessions implements SessionContext {
  readonly flusher: Flusher;
  readonly budget: BufferBudget;
  readonly #max: number;
  readonly #open = new Map<string, OpenSession>();

  constructor(max: number, flusher: Flusher, budget: BufferBudget) {
    this.flusher = flusher;
    this.budget = budget;
    this.#max = max;
  }

  /** The token of a session that is to be added. Throws TOO_MANY_SESSIONS. */
  newToken(): string {
    if (this.#open.size >= this.#max) throw new ChannelError("TOO_MANY_SESSIONS");
    return randomBytes(TOKEN_BYTES).toString("base64url");
  }

  add(session: OpenSession): void {
    this.#open.set(session.transport.token, session);
  }

  /** Undefined for a token that is unknown, and the same for one that is somebody else's. */
  find(token: string, identity: string | undefined, path: string): OpenSession | undefined {
    const session = this.#open.get(token);
    return session?.identity === identity && session?.path === path ? session : undefined;
  }

  sessionEnded(token: string): void {
    this.#open.delete(token);
  }
}
