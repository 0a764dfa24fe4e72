// The processes of the service: announces this one at the session store, and finds the others.

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { SessionStore } from "../../backplane/session-store.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Exchange } from "../../transport/exchange.ts";
import { toConnectOptions } from "./relay-address.ts";
import { encodeRelayHeader } from "./relay-header.ts";
import type { RelayTarget } from "./relayed-request.ts";

/** A process that has died is known for this long, in milliseconds. */
const ANNOUNCED_MS = 10_000;
const ANNOUNCE_EVERY_MS = 3000;
/** How long an address is used without asking the store again, in milliseconds. */
const KNOWN_MS = 2000;
/** Clients may name any number of processes. */
const MAX_KNOWN = 10_000;
/** The time in which another process begins to answer, in milliseconds. One that is stopped by a debugger takes longer. */
const ANSWER_MS = 2000;

/** 64 bits: no two processes have the same id. */
const ID_BYTES = 8;

export interface DirectoryOptions {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
}

interface Known {
  readonly address: string | undefined;
  readonly at: number;
}

export class ProcessDirectory {
  /** The id of this process, new at each start: 11 characters. */
  readonly id: string = randomBytes(ID_BYTES).toString("base64url");
  /** Undefined until the store has told it. */
  secret: string | undefined;
  readonly #store: SessionStore;
  readonly #clock: Clock;
  readonly #report: (error: unknown) => void;
  readonly #known = new Map<string, Known>();
  /** Processes that stop, and when they said so. */
  readonly #leaving = new Map<string, number>();
  #address: string | undefined;
  #timer: Timer | undefined;
  #hasReported = false;

  constructor({ store, clock, report }: DirectoryOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#report = report;
  }

  /** Announces this process until `stop`. Resolves after the first attempt; a store that is away is asked again and again. */
  async start(address: string): Promise<void> {
    this.#address = address;
    await this.#announce();
  }

  /** Takes the announcement back. */
  async stop(): Promise<void> {
    this.#address = undefined;
    this.#clock.clearTimer(this.#timer);
    await this.#store.withdraw(this.id).catch((error: unknown) => this.#failed(error));
  }

  /**
   * Finds a process for the request of a client. `unannounced`: it has ended. `elsewhere`: it is announced at a Unix socket of
   * another machine. Rejects with BACKPLANE_UNAVAILABLE.
   */
  async find(process: string): Promise<((exchange: Exchange) => RelayTarget) | "unannounced" | "elsewhere"> {
    const address = await this.#addressOf(process);
    if (address === undefined) return "unannounced";
    const options = toConnectOptions(address);
    if (options === "elsewhere") {
      this.#failed(
        new Error(
          `the process ${process} of this service is announced at a Unix socket of another machine: give each server the option relay`,
        ),
      );
      return "elsewhere";
    }
    this.secret ??= await this.#store.secret();
    const { secret } = this;
    return ({ remoteAddress, scheme }) => ({
      connect: () => {
        const socket: Socket = connect({ ...options, noDelay: true, allowHalfOpen: true });
        socket.write(encodeRelayHeader({ remoteAddress, isEncrypted: scheme === "https" }, secret));
        return socket;
      },
      answerMs: ANSWER_MS,
    });
  }

  /** Nobody accepts connections at the address of this process. */
  ended(process: string): void {
    this.#remember(process, undefined);
  }

  /** The process stops, and its sessions go to the store. */
  leaves(process: string): void {
    remember(this.#leaving, process, this.#clock.now());
  }

  /** True if the process has said so a moment ago. One that has ended since is to be found out: it leaves nothing more. */
  isLeaving(process: string): boolean {
    const since = this.#leaving.get(process);
    return since !== undefined && this.#clock.now() - since < KNOWN_MS;
  }

  async #addressOf(process: string): Promise<string | undefined> {
    const known = this.#known.get(process);
    if (known !== undefined && this.#clock.now() - known.at < KNOWN_MS) return known.address;
    try {
      const address = await this.#store.locate(process);
      this.#remember(process, address);
      return address;
    } catch (error) {
      // The store is away. The processes need not be: a session goes on at the address that was known last.
      if (known?.address === undefined) throw error;
      this.#remember(process, known.address);
      return known.address;
    }
  }

  #remember(process: string, address: string | undefined): void {
    remember(this.#known, process, { address, at: this.#clock.now() });
  }

  async #announce(): Promise<void> {
    const address = this.#address;
    if (address === undefined) return;
    try {
      await this.#store.announce(this.id, address, ANNOUNCED_MS);
      this.secret = await this.#store.secret();
      this.#hasReported = false;
    } catch (error) {
      this.#failed(error);
    }
    if (this.#address === undefined) return;
    this.#timer = this.#clock.setTimer(() => void this.#announce(), ANNOUNCE_EVERY_MS);
  }

  /** Reports the first of several failures in a row. */
  #failed(error: unknown): void {
    if (!this.#hasReported) this.#report(error);
    this.#hasReported = true;
  }
}

/** Keeps the newest MAX_KNOWN entries. */
function remember<T>(entries: Map<string, T>, process: string, entry: T): void {
  entries.delete(process);
  entries.set(process, entry);
  if (entries.size <= MAX_KNOWN) return;
  const [oldest] = entries.keys();
  entries.delete(oldest!);
}
