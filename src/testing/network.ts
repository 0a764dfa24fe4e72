// The network between the clients of a test and its server: it carries bytes in memory, and does to them what networks
// and middleboxes do when the test says so.

import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { badValue, checkAmount, checkFinite, checkOneOf } from "../base/option-values.ts";
import type { TransportKind } from "../client/carrier.ts";
import type { PageEvent } from "../client/environment.ts";
import { MemoryConnection, type MemorySocket, type Wire } from "./memory-socket.ts";

/** The network between the test server and its clients. */
export interface TestNetwork {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections so far. */
  readonly opened: number;
  /** Connections that were reset so far, by what is below. */
  readonly cuts: number;
  /** How long bytes are on their way, either way, in virtual milliseconds. @default 0: a turn of the event loop */
  delayMs: number;
  /** What each connection carries in a virtual second, each way. @default Infinity */
  bytesPerSecond: number;
  /** Connections that are made from now on go through a proxy that hands out no response before it is whole. @default false */
  isBuffering: boolean;
  /** Resets all connections. New ones can be made at once. */
  cut(): void;
  /** The next connection is reset when so many bytes have passed, both directions together. */
  cutNextAfter(bytes: number): void;
  /** Nothing passes any more, and nobody is told: connections stay as they are. New ones wait, too. */
  stall(): void;
  /** What was stalled goes on. */
  resume(): void;
  /** Requests of a client of this kind fail from now on: `websocket`, and of a session's `sse` and `poll`. */
  block(...kinds: TransportKind[]): void;
  /** They get through again; without a kind all do. */
  unblock(...kinds: TransportKind[]): void;
  /** The network is gone, and pages are told: connections are reset, and no new ones can be made. */
  offline(): void;
  /** It is back, and pages are told. */
  online(): void;
}

const checkKind = checkOneOf("websocket", "sse", "poll");

/** Turns in a row in which nothing was carried, after which nothing is expected to be: promises and writes take a few. */
const QUIET_TURNS = 6;

export class MemoryNetwork implements TestNetwork, Wire {
  isBuffering = false;
  opened = 0;
  cuts = 0;
  isStalled = false;
  readonly #clock: Clock;
  readonly #accept: (socket: MemorySocket) => void;
  readonly #isListening: () => boolean;
  readonly #connections = new Set<MemoryConnection>();
  readonly #blocked = new Set<TransportKind>();
  readonly #pages = new Set<(event: PageEvent) => void>();
  #delayMs = 0;
  #bytesPerSecond: number = Number.POSITIVE_INFINITY;
  #isOffline = false;
  #cutAfterBytes = Number.POSITIVE_INFINITY;
  #moves = 0;

  constructor(clock: Clock, accept: (socket: MemorySocket) => void, isListening: () => boolean) {
    this.#clock = clock;
    this.#accept = accept;
    this.#isListening = isListening;
  }

  get delayMs(): number {
    return this.#delayMs;
  }

  set delayMs(ms: number) {
    checkFinite("network.delayMs", ms);
    this.#delayMs = ms;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  set bytesPerSecond(bytes: number) {
    if (typeof bytes !== "number" || !(bytes > 0)) throw badValue("network.bytesPerSecond", bytes, "a positive number");
    this.#bytesPerSecond = bytes;
  }

  get open(): number {
    return this.#connections.size;
  }

  now(): number {
    return this.#clock.now();
  }

  at(timeMs: number, fn: () => void): void {
    this.#clock.setTimer(fn, timeMs - this.now());
  }

  moved(): void {
    this.#moves += 1;
  }

  /** The client's end of a new connection. Throws as a socket fails: nobody listens, or the network is gone. */
  connect(kind: TransportKind | undefined): Duplex {
    this.moved();
    if (this.#isOffline || (kind !== undefined && this.#blocked.has(kind))) throw failure("ENETUNREACH");
    if (!this.#isListening()) throw failure("ECONNREFUSED");
    this.opened += 1;
    const options = { cutAfterBytes: this.#cutAfterBytes, isBuffering: this.isBuffering };
    this.#cutAfterBytes = Number.POSITIVE_INFINITY;
    const connection: MemoryConnection = new MemoryConnection(this, options, () => {
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
    this.#accept(connection.server);
    return connection.client;
  }

  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  cutNextAfter(bytes: number): void {
    checkAmount("the argument of cutNextAfter", bytes);
    this.#cutAfterBytes = bytes;
  }

  stall(): void {
    this.isStalled = true;
  }

  resume(): void {
    this.isStalled = false;
    for (const connection of this.#connections) connection.resume();
  }

  block(...kinds: TransportKind[]): void {
    for (const kind of kinds) checkKind("an argument of block", kind);
    for (const kind of kinds) this.#blocked.add(kind);
  }

  unblock(...kinds: TransportKind[]): void {
    for (const kind of kinds) checkKind("an argument of unblock", kind);
    if (kinds.length === 0) this.#blocked.clear();
    for (const kind of kinds) this.#blocked.delete(kind);
  }

  offline(): void {
    this.#isOffline = true;
    this.cut();
    for (const tell of this.#pages) tell("offline");
  }

  online(): void {
    this.#isOffline = false;
    for (const tell of this.#pages) tell("online");
  }

  /** As `Environment.watch`: tells a client's page. */
  watch(fn: (event: PageEvent) => void): () => void {
    this.#pages.add(fn);
    return () => void this.#pages.delete(fn);
  }

  /** Resolves when nothing is on its way any more, and what was caused by what has arrived is done. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#moves;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#moves !== before) quiet = 0;
    }
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}
