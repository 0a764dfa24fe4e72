// Finds the process that has the session of a request: this one, another one, which is asked, or the session store, from which
// this process takes it. PROTOCOL.md is kept by the ends; here a request is only brought to the right one.
//
// A request that may have reached a session elsewhere is never answered here as if there were no such session: its client
// would lose messages. It loses its connection instead, or is told to come back (503).

import type { SessionStore, TakeResult } from "../../backplane/session-store.ts";
import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { Exchange } from "../../transport/exchange.ts";
import { LEAVING, NOT_HERE } from "./not-here.ts";
import type { ProcessDirectory } from "./process-directory.ts";
import { RelayedRequest, type RelayOutcome } from "./relayed-request.ts";

/**
 * - here: it is open, or was taken and is not open yet
 * - leaving: this process gives it up, and its next owner is not known yet
 * - elsewhere: this process does not have it
 */
export type SessionPlace = "here" | "leaving" | "elsewhere";

/** The sessions of this process, and the handler that serves their requests. */
export interface SessionHome {
  /** Says where a session is, as far as this process knows. */
  placeOf(token: string): SessionPlace;
  /** This process has taken the session from the store: the handler opens it. */
  restore(token: string, snapshot: Uint8Array): void;
  /** Serves a request that was held back. */
  serve(exchange: Exchange): void;
  /** A request was passed on. */
  relayed(process: string): void;
  /** Requests that are being passed on, WebSockets among them. */
  relaysChanged(open: number): void;
  /** Answers a request that was held back with this error. */
  refuse(exchange: Exchange, error: ChannelError): void;
  report(error: unknown): void;
}

export interface RouterOptions {
  readonly home: SessionHome;
  readonly store: SessionStore;
  readonly directory: ProcessDirectory;
  readonly clock: Clock;
}

/** How long a process that has taken a session may need until it claims it, in milliseconds: a client's way to come back. */
export const LEASE_MS = 120_000;
/** Most processes that are asked for one request: a session moves at most so often meanwhile. */
const MAX_ROUNDS = 4;

/** Time between two rounds, in milliseconds: a process that has taken a session begins to use it, or one that stops stores it. */
const ROUND_MS = 100;

const TOKEN = /^([\w-]{11})\.[\w-]{22}$/;

interface Named {
  readonly token: string;
  /** The process in which the session began. */
  readonly process: string;
}

export class SessionRouter {
  readonly #home: SessionHome;
  readonly #store: SessionStore;
  readonly #directory: ProcessDirectory;
  readonly #clock: Clock;
  readonly #relays = new Set<RelayedRequest>();
  /** Sessions that are being taken: two requests of one client must not restore one session twice. */
  readonly #taking = new Map<string, Promise<TakeResult>>();
  isStopping = false;

  constructor({ home, store, directory, clock }: RouterOptions) {
    this.#home = home;
    this.#clock = clock;
    this.#store = store;
    this.#directory = directory;
  }

  /** This process gives up its sessions, and passes nothing on any more: the clients ask another process. */
  stop(): void {
    this.isStopping = true;
    for (const relay of this.#relays) relay.drop();
  }

  /** Takes a request of a client. False if it concerns no session, or one that is here: the caller serves it. */
  takes(exchange: Exchange): boolean {
    const named = sessionOf(exchange);
    if (named === undefined) return false;
    const place = this.#home.placeOf(named.token);
    if (place === "here") return false;
    // Its session is on its way to the store. An answer would say that there is none.
    if (this.isStopping || place === "leaving") exchange.abort();
    else void this.#route(exchange, named);
    return true;
  }

  /** Takes a request that another process has passed on. It is never passed on again. */
  takeRelayed(exchange: Exchange): void {
    const named = sessionOf(exchange);
    const place = named === undefined ? "elsewhere" : this.#home.placeOf(named.token);
    if (place === "here") {
      // The process that asks waits for an answer, and that of a poll comes late. Not for a client: browsers take an interim response
      // for the refusal of their WebSocket.
      exchange.sendInterim?.();
      this.#home.serve(exchange);
    } else if (this.isStopping) exchange.respond(LEAVING, null);
    else if (place === "elsewhere") exchange.respond(NOT_HERE, null);
    // Nobody has opened it: it goes back to the store.
    else exchange.abort();
  }

  async #route(exchange: Exchange, named: Named): Promise<void> {
    const relay: RelayedRequest = new RelayedRequest(exchange, () => {
      this.#relays.delete(relay);
      this.#home.relaysChanged(this.#relays.size);
    });
    this.#relays.add(relay);
    this.#home.relaysChanged(this.#relays.size);
    try {
      const found = await this.#find(relay, named);
      if (found === "answered" || relay.isOver) return;
      relay.release();
      if (found === "here") this.#home.serve(exchange);
      else this.#home.refuse(exchange, new ChannelError("SESSION_UNREACHABLE"));
    } catch (error) {
      if (relay.isOver) return;
      relay.release();
      // Without its store a process cannot know where the session is.
      if (!(error instanceof ChannelError)) this.#home.report(error);
      this.#home.refuse(exchange, new ChannelError("SESSION_UNREACHABLE", undefined, { cause: error }));
    }
  }

  /**
   * - answered: another process has answered, or the client has left
   * - here: this process has the session, or nobody has it
   * - away: somebody may have it, and cannot be asked now
   */
  async #find(relay: RelayedRequest, { token, process }: Named): Promise<"answered" | "here" | "away"> {
    const { id } = this.#directory;
    const first = process === id ? "notHere" : await this.#ask(relay, process, "unlessLeaving");
    if (first === "answered") return "answered";
    let from: string | undefined;
    let dead: string | undefined;
    for (let round = 1; round < MAX_ROUNDS; round++) {
      const answer = await this.#take(token, from);
      // Also if the client has left meanwhile: the store says that the session is here.
      if (answer.type === "taken") return relay.isOver ? "answered" : "here";
      if (relay.isOver) return "answered";
      if (answer.type === "unknown") {
        if (first !== "leaving") return mayLive(first) ? "away" : "here";
        // It is on its way to the store.
        await pause(this.#clock, ROUND_MS);
        if (relay.isOver) return "answered";
        continue;
      }
      const { owner, isClaimed } = answer;
      // It was here, and is over; or it was opened while the store was asked. Or its process has died, and left nothing.
      if (owner === id || owner === dead) return "here";
      const outcome = await this.#ask(relay, owner);
      if (outcome === "answered") return "answered";
      // It has not begun to use the session: the one that takes it now is the only one that will (`claim`).
      if (!isClaimed && outcome !== "notHere") from = owner;
      else if (mayLive(outcome)) return "away";
      // A process that stops puts its sessions into the store before it leaves: the store is asked once more.
      else if (outcome !== "notHere") dead = owner;
      await pause(this.#clock, ROUND_MS);
      if (relay.isOver) return "answered";
    }
    return "away";
  }

  /** Takes the session from the store, for all requests that ask for it at this moment. */
  #take(token: string, from: string | undefined): Promise<TakeResult> {
    let taking = this.#taking.get(token);
    if (taking === undefined) {
      taking = this.#takeOnce(token, from).finally(() => this.#taking.delete(token));
      this.#taking.set(token, taking);
    }
    return taking;
  }

  async #takeOnce(token: string, from: string | undefined): Promise<TakeResult> {
    const answer = await this.#store.take(token, this.#directory.id, { ttlMs: LEASE_MS, from });
    // The session may have come back while the store was asked.
    if (answer.type === "taken" && this.#home.placeOf(token) === "elsewhere")
      this.#home.restore(token, answer.snapshot);
    return answer;
  }

  async #ask(
    relay: RelayedRequest,
    process: string,
    when: "always" | "unlessLeaving" = "always",
  ): Promise<RelayOutcome | "unannounced" | "elsewhere"> {
    // Thousands of clients come back at once when a process stops: most of their sessions are in the store already.
    if (when === "unlessLeaving" && this.#directory.isLeaving(process)) return "leaving";
    const target = await this.#directory.find(process);
    if (relay.isOver) return "answered";
    if (typeof target === "string") return target;
    const outcome = await relay.ask(target(relay.exchange));
    if (outcome === "answered") this.#home.relayed(process);
    // Its address is announced for a while longer.
    if (outcome === "unreachable") this.#directory.ended(process);
    if (outcome === "leaving") this.#directory.leaves(process);
    return outcome;
  }
}

/** True if the process that was asked may be alive, with the session. */
function mayLive(outcome: RelayOutcome | "unannounced" | "elsewhere"): boolean {
  return outcome === "silent" || outcome === "leaving" || outcome === "elsewhere";
}

/** The token as the handler's `request.query` has it: the first of this name, in any encoding. */
function sessionOf({ head: { target } }: Exchange): Named | undefined {
  const at = target.indexOf("?");
  // Most requests of other kinds have no query, or no such name in it.
  if (at === -1 || !/sess|%/i.test(target)) return undefined;
  const token = new URLSearchParams(target.slice(at + 1)).get("session");
  const process = token === null ? undefined : TOKEN.exec(token)?.[1];
  return token === null || process === undefined ? undefined : { token, process };
}
