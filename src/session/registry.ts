// The sessions of one server by token, so that a request that carries a token finds its channel.

import { detached } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { DebugLog } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { originForm } from "../codec/http1-request.ts";
import { contextOf, type RequestContext } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import { clientNetwork } from "../request/server-rates.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { Flusher } from "../transport/io/flusher.ts";
import { nodeCrypto } from "../transport/node-modules.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { ClaimSource } from "./claim.ts";
import type { AttachedCarrier, SessionContext } from "./context.ts";
import { Cursors } from "./cursors.ts";
import type { MembershipMover } from "./memberships.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { SessionTransport } from "./transport.ts";

export interface OpenSession {
  readonly transport: SessionTransport;
  readonly channel: TransportChannel;
  /** The `identity` option of the request that opened it. */
  readonly identity: string | undefined;
  readonly path: string;
  /** The longest message that its client may send. */
  readonly maxMessageBytes: number;
  /** The client's network (`clientNetwork`); undefined if it is unknown, or not limited. */
  readonly network: string | undefined;
}

/** The sessions of the server that made a request. */
export function sessionsOf(request: ChannelRequest): Sessions {
  return (request.context as SessionServerContext).sessions;
}

/** Tells the server of a request whose session does not exist. */
export function sessionLost(request: ChannelRequest): void {
  (request.context as SessionServerContext).sessionLost(request);
}

/** The context of a server, with its sessions. */
export interface SessionServerContext extends RequestContext {
  readonly sessions: Sessions;
  /** A request has the token of a session that does not exist. */
  sessionLost(request: ChannelRequest): void;
}

/** The other processes of a service, as the sessions of this one need them. */
export interface SessionsElsewhere extends ClaimSource {
  /** The id of this process, with which its tokens begin. */
  readonly process: string;
  readonly clock: Clock;
  /** True once this process gives up its sessions: new ones begin elsewhere. */
  readonly isStopping: boolean;
  readonly memberships: MembershipMover | undefined;
  /** A session is over. */
  ended(token: string): void;
  /** A session that was taken from the store cannot be opened here: it goes back. */
  refused(token: string): void;
}

export interface SessionLimits {
  /** The longest message of a session without a limit of its own. */
  readonly maxMessageBytes: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

/** Is told of the carriers of sessions, if it wants to be. */
export interface CarrierWatcher {
  readonly isWatchingAttach: boolean;
  readonly isWatchingDetach: boolean;
  carrierAttached(channel: TransportChannel, carrier: AttachedCarrier): void;
  carrierLost(channel: TransportChannel, transport: TransportKind, status: CloseStatus): void;
}

export interface SessionsOptions {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly buffered: BufferBudget;
  readonly received: BufferBudget;
  /** True for the address of a proxy, which all clients behind it share. */
  readonly isProxy: (address: string) => boolean;
  readonly debug: DebugLog | undefined;
  /** @default nobody is told of carriers */
  readonly watcher?: CarrierWatcher | undefined;
}

/** 128 bits, so that tokens cannot be guessed (PROTOCOL.md, "Security"). */
const TOKEN_BYTES = 16;
/** Most bytes that one byte of a message takes in a POST: an LF begins a line with `data: `. */
const MAX_GROWTH = 7;
/** Bytes of a body in addition to its longest message. */
const EXTRA_BYTES = 65_536;

export class Sessions implements SessionContext {
  readonly clock: Clock;
  readonly flusher: Flusher;
  readonly buffered: BufferBudget;
  readonly received: BufferBudget;
  readonly debug: DebugLog | undefined;
  /** Shared by all sessions whose clients keep cursors, and have none to tell. */
  readonly noCursors: Cursors;
  /** The other processes of the service; undefined where sessions stay in this one. Set before the first session. */
  elsewhere: SessionsElsewhere | undefined;
  readonly #limits: SessionLimits;
  readonly #watcher: CarrierWatcher | undefined;
  readonly #isProxy: (address: string) => boolean;
  readonly #open = new Map<string, OpenSession>();
  /** Sessions that this process has taken from the session store, and that no request has opened so far. */
  readonly #taken = new Map<string, SessionSnapshot>();
  readonly #networks = new Map<string, number>();
  /** The highest limit for messages of any session so far. */
  #maxMessageBytes: number;
  /** True once `maxSessionsPerAddress` was reported: an application may not know that its clients share one address. */
  #hasReportedNetwork = false;
  /** The tokens of the sessions for which a stopping server waits. */
  readonly #lingering = new Set<string>();
  #onNoneLingers: (() => void) | undefined;

  constructor({ limits, clock, flusher, buffered, received, isProxy, debug, watcher }: SessionsOptions) {
    this.clock = clock;
    this.#limits = limits;
    this.#maxMessageBytes = limits.maxMessageBytes;
    this.flusher = flusher;
    this.buffered = buffered;
    this.received = received;
    this.noCursors = new Cursors("none", received);
    this.#isProxy = isProxy;
    this.debug = debug;
    this.#watcher = watcher;
  }

  /** Returns the network by which a client's sessions are counted. Throws TOO_MANY_SESSIONS if there is no room for another. */
  admit(request: ChannelRequest): string | undefined {
    const { maxSessions, maxSessionsPerAddress } = this.#limits;
    if (this.#open.size >= maxSessions) throw new ChannelError("TOO_MANY_SESSIONS");
    if (maxSessionsPerAddress === Number.POSITIVE_INFINITY) return undefined;
    const network = clientNetwork(request, this.#isProxy);
    if (network === undefined) return undefined;
    if ((this.#networks.get(network) ?? 0) < maxSessionsPerAddress) return network;
    const error = new ChannelError("TOO_MANY_SESSIONS", `maxSessionsPerAddress is ${maxSessionsPerAddress}`);
    if (!this.#hasReportedNetwork) {
      const hint = `${network} has maxSessionsPerAddress, ${maxSessionsPerAddress}; if that is a proxy, name it in trustedProxies`;
      contextOf(request).report(new ChannelError("TOO_MANY_SESSIONS", hint), { source: "handler" });
    }
    this.#hasReportedNetwork = true;
    throw error;
  }

  newToken(): string {
    const random = nodeCrypto().randomBytes(TOKEN_BYTES).toString("base64url");
    return this.elsewhere === undefined ? random : `${this.elsewhere.process}.${random}`;
  }

  add(session: OpenSession): void {
    const { transport, identity, path, network } = session;
    // Strings that are parts of a request's head would keep all of it in memory for as long as the session lives.
    const kept = {
      ...session,
      identity: identity === undefined ? undefined : detached(identity),
      path: detached(path),
      network: network === undefined ? undefined : detached(network),
    };
    this.#maxMessageBytes = Math.max(this.#maxMessageBytes, session.maxMessageBytes);
    this.#taken.delete(transport.session.token);
    this.#open.set(transport.session.token, kept);
    if (kept.network !== undefined) this.#networks.set(kept.network, (this.#networks.get(kept.network) ?? 0) + 1);
  }

  get size(): number {
    return this.#open.size;
  }

  /** The open sessions, as a copy. */
  all(): readonly OpenSession[] {
    return [...this.#open.values()];
  }

  /** True for a session that is open here, or was taken from the store. */
  has(token: string): boolean {
    return this.#open.has(token) || this.#taken.has(token);
  }

  /** True while the session is on its way to the store. */
  isLeaving(token: string): boolean {
    return this.#open.get(token)?.transport.isLeaving === true;
  }

  /** A session from the store: the next request of its client opens it. */
  keepTaken(snapshot: SessionSnapshot): void {
    if (!this.#open.has(snapshot.token)) this.#taken.set(snapshot.token, snapshot);
  }

  /** Returns the snapshot if no request has opened the session. It is forgotten here. */
  dropTaken(token: string): SessionSnapshot | undefined {
    const snapshot = this.#taken.get(token);
    this.#taken.delete(token);
    return snapshot;
  }

  /** The tokens of the sessions that were taken and not opened. */
  unopened(): readonly string[] {
    return [...this.#taken.keys()];
  }

  /** Another process has the session. */
  drop(token: string): void {
    this.#open.get(token)?.transport.elsewhere();
  }

  /** Finds a session that was taken from the store: undefined for one of another identity or path, as with `find`. */
  findTaken(token: string, identity: string | undefined, path: string): SessionSnapshot | undefined {
    const snapshot = this.#taken.get(token);
    return snapshot?.identity === identity && snapshot?.path === path ? snapshot : undefined;
  }

  /** Returns undefined for an unknown token, and for one of another identity or path. */
  find(token: string, identity: string | undefined, path: string): OpenSession | undefined {
    const session = this.#open.get(token);
    return session?.identity === identity && session?.path === path ? session : undefined;
  }

  /**
   * The longest body of a POST to a session: a message of `maxMessageBytes` fits into it with any characters. Undefined if
   * the target names no session. A session of another process has a limit that is not known here, and its process refuses more.
   */
  maxPostBytes(target: string): number | undefined {
    const token = /[?&]session=((?:[\w-]{11}\.)?[\w-]{22})(?:&|$)/.exec(target)?.[1];
    if (token === undefined) return undefined;
    const session = this.#open.get(token);
    if (session === undefined && this.elsewhere !== undefined && token.includes("."))
      return toBodyBytes(this.#maxMessageBytes);
    if (session === undefined || !originForm(target).startsWith(`${session.path}?`)) return undefined;
    return toBodyBytes(session.maxMessageBytes);
  }

  carrierAttached(token: string, carrier: AttachedCarrier): void {
    if (this.#watcher?.isWatchingAttach !== true) return;
    const session = this.#open.get(token);
    if (session !== undefined) this.#watcher.carrierAttached(session.channel, carrier);
  }

  carrierLost(token: string, transport: TransportKind, status: CloseStatus): void {
    if (this.#watcher?.isWatchingDetach !== true) return;
    const session = this.#open.get(token);
    if (session !== undefined) this.#watcher.carrierLost(session.channel, transport, status);
  }

  sessionEnded(token: string): void {
    this.#forget(token);
    this.elsewhere?.ended(token);
  }

  sessionLeft(token: string): void {
    this.#forget(token);
  }

  #forget(token: string): void {
    const session = this.#open.get(token);
    if (session === undefined) return;
    this.#open.delete(token);
    if (this.#lingering.delete(token) && this.#lingering.size === 0) this.#onNoneLingers?.();
    const { network } = session;
    if (network === undefined) return;
    const count = this.#networks.get(network)! - 1;
    if (count === 0) this.#networks.delete(network);
    else this.#networks.set(network, count);
  }

  lingeringBegan(token: string): void {
    this.#lingering.add(token);
  }

  /** Resolves when no session lingers. */
  noneLingers(): Promise<void> {
    if (this.#lingering.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onNoneLingers = resolve;
    });
  }
}

function toBodyBytes(maxMessageBytes: number): number {
  return MAX_GROWTH * maxMessageBytes + EXTRA_BYTES;
}
