// One process of a service whose sessions may be asked for at any process: its place in the session store, the listener for
// the other processes, the routes of requests, and the sessions that come and go.

import { GuardedSessions } from "../../backplane/guarded-sessions.ts";
import type { SessionStore } from "../../backplane/session-store.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { ChannelError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { HandOver, type Leaving } from "../../session/hand-over.ts";
import type { MembershipMover } from "../../session/memberships.ts";
import type { SessionsElsewhere } from "../../session/registry.ts";
import { decodeSnapshot, encodeSnapshot } from "../../session/snapshot.ts";
import type { Exchange } from "../../transport/exchange.ts";
import type { ExchangeServer, ServicePlace } from "../exchange-server.ts";
import type { OpenConnection } from "../exchange-source.ts";
import { ProcessDirectory } from "./process-directory.ts";
import { RelayListener } from "./relay-listener.ts";
import type { RelayOptions } from "./relay-options.ts";
import { type SessionHome, type SessionPlace, SessionRouter } from "./session-router.ts";

/** A server begins without its store if that does not answer in time: its own sessions do not need it. */
const START_MS = 2000;
/** Lifetime of the record that says where a session is that was taken from another process; it is renewed at half of it. */
const CLAIMED_MS = 600_000;
/** A session that was taken and that no request has opened goes back to the store after this time, in milliseconds. */
const UNOPENED_MS = 10_000;

export interface SessionServiceOptions {
  readonly store: SessionStore;
  readonly relay: RelayOptions | undefined;
  readonly memberships: MembershipMover | undefined;
}

export class SessionService implements ServicePlace, SessionsElsewhere, SessionHome {
  readonly clock: Clock;
  readonly memberships: MembershipMover | undefined;
  readonly #server: ExchangeServer;
  readonly #store: SessionStore;
  readonly #directory: ProcessDirectory;
  readonly #listener: RelayListener;
  readonly #router: SessionRouter;
  /** Sessions of other processes that this one has claimed. */
  readonly #claimed = new Set<string>();
  /** Sessions of other processes that this one has taken, and not claimed so far. */
  readonly #unclaimed = new Set<string>();
  /** Sessions that no request has opened, on their way back to the store. */
  readonly #returning = new Set<string>();
  /** By token: when a session that was taken, and that no request has opened, goes back to the store. */
  readonly #unopenedTimers = new Map<string, Timer>();
  #renewal: Timer | undefined;

  constructor(server: ExchangeServer, { store: given, relay, memberships }: SessionServiceOptions) {
    const store = new GuardedSessions(given, server.clock);
    this.clock = server.clock;
    this.memberships = memberships;
    this.#server = server;
    this.#store = store;
    const report = (error: unknown): void => this.report(error);
    this.#directory = new ProcessDirectory({ store, clock: server.clock, report });
    this.#router = new SessionRouter({ home: this, store, directory: this.#directory, clock: server.clock });
    this.#listener = new RelayListener({
      server,
      tcp: relay,
      secret: () => this.#directory.secret,
      onExchange: (exchange: Exchange) => {
        server.hold();
        this.#router.takeRelayed(exchange);
      },
    });
    server.sessions.elsewhere = this;
  }

  get isStopping(): boolean {
    return this.#router.isStopping;
  }

  get process(): string {
    return this.#directory.id;
  }

  /** Begins to listen for the other processes. Rejects with Node's own error. */
  async start(): Promise<void> {
    const address = await this.#listener.listen();
    await within(this.clock, START_MS, this.#directory.start(address));
  }

  takes(exchange: Exchange): boolean {
    return this.#router.takes(exchange);
  }

  snapshot(): readonly OpenConnection[] {
    return this.#listener.connections.snapshot();
  }

  placeOf(token: string): SessionPlace {
    const { sessions } = this.#server;
    if (this.#returning.has(token) || sessions.isLeaving(token)) return "leaving";
    return sessions.has(token) ? "here" : "elsewhere";
  }

  restore(token: string, snapshot: Uint8Array): void {
    const { sessions } = this.#server;
    this.#server.sessionMoved({ type: "take" });
    this.#unclaimed.add(token);
    try {
      sessions.keepTaken(decodeSnapshot(snapshot));
    } catch (error) {
      this.report(error);
      this.ended(token);
      return;
    }
    // The handler may refuse the request, or ask for another identity: the session waits for its own client.
    this.#clearUnopened(token);
    this.#unopenedTimers.set(
      token,
      this.clock.setTimer(() => void this.#putBack(token), UNOPENED_MS),
    );
  }

  serve(exchange: Exchange): void {
    this.#server.serveHeld(exchange);
  }

  relayed(process: string): void {
    this.#server.sessionMoved({ type: "relay", process });
  }

  relaysChanged(open: number): void {
    this.#server.sessionCounts.relaysOpen = open;
  }

  refuse(exchange: Exchange, error: ChannelError): void {
    this.#server.refuseHeld(exchange, error);
  }

  report(error: unknown): void {
    this.#server.report(error, { source: "sessions" });
  }

  async claim(token: string): Promise<boolean> {
    // It is open: a session is claimed for what its client has sent, or is to be sent.
    this.#clearUnopened(token);
    const isOurs = await this.#store.claim(token, this.process, CLAIMED_MS);
    this.#unclaimed.delete(token);
    if (!isOurs) return false;
    this.#claimed.add(token);
    this.#renewal ??= this.clock.setTimer(() => void this.#renew(), CLAIMED_MS / 2);
    return true;
  }

  ended(token: string): void {
    this.#clearUnopened(token);
    const wasClaimed = this.#claimed.delete(token);
    // A session that has never moved has no record.
    if (!this.#unclaimed.delete(token) && !wasClaimed) return;
    this.#store.forget(token, this.process).catch((error: unknown) => this.report(error));
  }

  refused(token: string): void {
    void this.#putBack(token);
  }

  leave(graceMs: number): Leaving {
    this.#router.stop();
    this.clock.clearTimer(this.#renewal);
    const { sessions } = this.#server;
    const handOver = new HandOver({
      sessions,
      memberships: this.memberships,
      clock: this.clock,
      put: (token, snapshot, ttlMs) => this.#store.put(token, this.process, snapshot, ttlMs),
      moved: (channel, isStored) => this.#server.sessionMoved({ type: "store", channel, isStored }),
      report: (error, channel, source) => this.#server.report(error, { source, channel }),
    });
    const { channels, done } = handOver.begin(graceMs);
    return { channels, done: done.then(() => this.#putAllBack()) };
  }

  async stop(): Promise<void> {
    for (const token of [...this.#unopenedTimers.keys()]) this.#clearUnopened(token);
    // The store may have answered a request to take a session only now.
    await this.#putAllBack();
    await this.#directory.stop();
    await this.#listener.close();
  }

  async #renew(): Promise<void> {
    this.#renewal = this.clock.setTimer(() => void this.#renew(), CLAIMED_MS / 2);
    try {
      const lost = await this.#store.renew([...this.#claimed], this.process, CLAIMED_MS);
      for (const token of lost) {
        this.#claimed.delete(token);
        this.#server.sessions.drop(token);
      }
    } catch (error) {
      this.report(error);
    }
  }

  #clearUnopened(token: string): void {
    this.clock.clearTimer(this.#unopenedTimers.get(token));
    this.#unopenedTimers.delete(token);
  }

  async #putBack(token: string): Promise<void> {
    this.#clearUnopened(token);
    const unopened = this.#server.sessions.dropTaken(token);
    if (unopened === undefined) return;
    this.#returning.add(token);
    this.#unclaimed.delete(token);
    try {
      const ttlMs = Math.max(unopened.resumeMs, UNOPENED_MS);
      await this.#store.put(token, this.process, encodeSnapshot(unopened), ttlMs);
    } catch (error) {
      // The store has it as taken, and another process takes it from this one when it is gone.
      this.report(error);
    } finally {
      this.#returning.delete(token);
    }
  }

  async #putAllBack(): Promise<void> {
    await Promise.all(this.#server.sessions.unopened().map((token) => this.#putBack(token)));
  }
}
