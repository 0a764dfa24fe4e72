// The sessions of one server, by token: where a request that carries one finds its channel again.

import { randomBytes } from "node:crypto";
import { detached } from "../base/bytes.ts";
import type { DebugLog } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { networkOf } from "../codec/ip-address.ts";
import { contextOf, type RequestContext } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Flusher } from "../transport/io/flusher.ts";
import type { SessionContext } from "./context.ts";
import type { Posts } from "./post-order.ts";
import type { SessionTransport } from "./transport.ts";

export interface OpenSession {
  readonly transport: SessionTransport;
  readonly channel: TransportChannel;
  /** Whose it is, as the handler had it when it was opened. */
  readonly identity: string | undefined;
  readonly path: string;
  /** The longest message that its client may send. */
  readonly maxMessageBytes: number;
  /** Where its client is, as `networkOf` has it; undefined where that is not known, or not limited. */
  readonly network: string | undefined;
  /** Requests whose records are on their way; made by the first. */
  posts: Posts | undefined;
}

/** The sessions of the server that made a request. */
export function sessionsOf(request: ChannelRequest): Sessions {
  return (request.context as SessionServerContext).sessions;
}

/** The context of a server, with its sessions. */
export interface SessionServerContext extends RequestContext {
  readonly sessions: Sessions;
}

export interface SessionLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

/** PROTOCOL.md, "Security": nobody guesses one. */
const TOKEN_BYTES = 16;
/** LF is the character that grows most in a POST: each begins a line, with `data: ` in front of it. */
const MAX_GROWTH = 7;
/** Bytes that may stand in a body beside one message. */
const BESIDE_BYTES = 65_536;

export class Sessions implements SessionContext {
  readonly flusher: Flusher;
  readonly budget: BufferBudget;
  readonly received: BufferBudget;
  readonly debug: DebugLog | undefined;
  readonly #limits: SessionLimits;
  /** True for the address of a proxy: those behind it share it. */
  readonly #isShared: (address: string) => boolean;
  readonly #open = new Map<string, OpenSession>();
  /** How many sessions a network has. */
  readonly #networks = new Map<string, number>();
  /** An application may not know that its clients come from one address: it is told once. */
  #hasToldOfAddress = false;
  #lingering = 0;
  #onNoneLingers: (() => void) | undefined;

  constructor(
    limits: SessionLimits,
    flusher: Flusher,
    budget: BufferBudget,
    received: BufferBudget,
    isShared: (address: string) => boolean,
    debug?: DebugLog,
  ) {
    this.#limits = limits;
    this.flusher = flusher;
    this.budget = budget;
    this.received = received;
    this.#isShared = isShared;
    this.debug = debug;
  }

  /** The network by which a client's sessions are counted. Throws TOO_MANY_SESSIONS if there is no room for another one. */
  admit(request: ChannelRequest): string | undefined {
    const { remoteAddress: address } = request;
    const { maxSessions, maxSessionsPerAddress } = this.#limits;
    if (this.#open.size >= maxSessions) throw new ChannelError("TOO_MANY_SESSIONS");
    if (maxSessionsPerAddress === Number.POSITIVE_INFINITY) return undefined;
    // A Unix socket, or a proxy that keeps its clients to itself, says nothing of who it is.
    if (address === undefined || this.#isShared(address)) return undefined;
    const network = networkOf(address);
    if ((this.#networks.get(network) ?? 0) < maxSessionsPerAddress) return network;
    const error = new ChannelError("TOO_MANY_SESSIONS", `maxSessionsPerAddress is ${maxSessionsPerAddress}`);
    if (!this.#hasToldOfAddress) {
      const hint = `${network} has maxSessionsPerAddress, ${maxSessionsPerAddress}; if that is a proxy, name it in trustedProxies`;
      contextOf(request).report(new ChannelError("TOO_MANY_SESSIONS", hint), { source: "handler" });
    }
    this.#hasToldOfAddress = true;
    throw error;
  }

  newToken(): string {
    return randomBytes(TOKEN_BYTES).toString("base64url");
  }

  add(session: OpenSession): void {
    const { transport, identity, path, network } = session;
    // Pieces of a request's head would keep all of it for as long as the session lives.
    const kept = {
      ...session,
      identity: identity === undefined ? undefined : detached(identity),
      path: detached(path),
      network: network === undefined ? undefined : detached(network),
    };
    this.#open.set(transport.token, kept);
    if (kept.network !== undefined) this.#networks.set(kept.network, (this.#networks.get(kept.network) ?? 0) + 1);
  }

  /** Undefined for a token that is unknown, and the same for one that is somebody else's. */
  find(token: string, identity: string | undefined, path: string): OpenSession | undefined {
    const session = this.#open.get(token);
    return session?.identity === identity && session?.path === path ? session : undefined;
  }

  /**
   * The longest body of a POST to a session: a message of its `maxMessageBytes` must fit into it, whatever it is made of.
   * Undefined for a request that is none.
   */
  maxPostBytes(target: string): number | undefined {
    const token = /[?&]session=([\w-]{22})(?:&|$)/.exec(target)?.[1];
    const session = token === undefined ? undefined : this.#open.get(token);
    if (session === undefined || !target.startsWith(`${session.path}?`)) return undefined;
    return MAX_GROWTH * session.maxMessageBytes + BESIDE_BYTES;
  }

  sessionEnded(token: string): void {
    const session = this.#open.get(token);
    if (session === undefined) return;
    this.#open.delete(token);
    const { network } = session;
    if (network === undefined) return;
    const count = this.#networks.get(network)! - 1;
    if (count === 0) this.#networks.delete(network);
    else this.#networks.set(network, count);
  }

  lingeringBegan(): void {
    this.#lingering += 1;
  }

  lingeringEnded(): void {
    this.#lingering -= 1;
    if (this.#lingering === 0) this.#onNoneLingers?.();
  }

  /** Resolves when no session waits for the poll that fetches its last messages. */
  noneLingers(): Promise<void> {
    if (this.#lingering === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onNoneLingers = resolve;
    });
  }
}
