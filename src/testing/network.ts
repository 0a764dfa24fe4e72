// The network between the clients of a test and its server. It carries bytes in memory and simulates the faults of networks
// and middleboxes that the test asks for.

import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { badValue, checkAmount, checkFinite, checkOneOf } from "../base/option-values.ts";
import type { CarrierKind } from "../client/carrier.ts";
import type { PageEvent } from "../client/environment.ts";
import { TRANSPORTS } from "../client/options.ts";
import { MemoryConnection, type MemorySocket, type Wire } from "./memory-socket.ts";

/** The network between the test server and its clients. */
export interface TestNetwork {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections so far. */
  readonly opened: number;
  /** Connections that were reset so far by the methods below. */
  readonly cuts: number;
  /** Latency of each direction in virtual milliseconds. @default 0: a turn of the event loop */
  delayMs: number;
  /** Bandwidth of each direction of each connection, per virtual second. @default Infinity */
  bytesPerSecond: number;
  /** True to put a proxy that buffers whole responses into new connections. @default false */
  isBuffering: boolean;
  /** Resets all connections. New ones can be made at once. */
  cut(): void;
  /** Resets the next connection when this many bytes have passed, both directions together. */
  cutNextAfter(bytes: number): void;
  /** Holds all bytes without an error at either end, those of new connections too. */
  stall(): void;
  /** Ends `stall`. */
  resume(): void;
  /** Fails requests of these carriers from now on: `websocket`, and `sse` and `poll` of a session. */
  block(...kinds: CarrierKind[]): void;
  /** Ends `block` for these carriers; without an argument, for all. */
  unblock(...kinds: CarrierKind[]): void;
  /** Takes the network down: resets connections, refuses new ones, and tells pages that they are offline. */
  offline(): void;
  /** Brings the network back and tells pages that they are online. */
  online(): void;
}

const checkKind = checkOneOf(...TRANSPORTS);

/** Turns without activity after which the network counts as settled: promises and writes take a few. */
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
  readonly #blocked = new Set<CarrierKind>();
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

  /** Returns the client's end of a new connection. Throws ECONNREFUSED or ENETUNREACH. */
  connect(kind: CarrierKind | undefined): Duplex {
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

  block(...kinds: CarrierKind[]): void {
    for (const kind of kinds) checkKind("an argument of block", kind);
    for (const kind of kinds) this.#blocked.add(kind);
  }

  unblock(...kinds: CarrierKind[]): void {
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

  /** Implements `Environment.watch` for a client's page. */
  watch(fn: (event: PageEvent) => void): () => void {
    this.#pages.add(fn);
    return () => void this.#pages.delete(fn);
  }

  /** Resolves when no bytes are in flight and their effects are done. */
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
