// One connection to Redis, kept up: the client libraries are asked for a connection and for raw commands, no more.
// A connection of theirs lives once: with its own reconnecting, queueing and sending again switched off nothing that was
// reported as failed is delivered later, and nothing piles up while the server is away. Taking it up again is done here.

import type { Clock, Timer } from "../../base/clock.ts";
import { Deadline } from "../../base/deadline.ts";
import { ChannelError } from "../../base/errors.ts";
import { unavailable } from "../unavailable.ts";
import { type Connection, openConnection, type RedisArgument, type RedisClient } from "./client.ts";

export interface RedisLinkOptions {
  readonly clock: Clock;
  /** After so long without an answer the connection is given up, and with it all that was not answered. */
  readonly timeoutMs: number;
  /** Commands beyond these bytes that wait for their answers are refused. */
  readonly maxPendingBytes: number;
  /** Called whenever a connection is up. */
  readonly onUp: () => void;
  /** Told once for each time that the server goes away. */
  readonly onError: (error: unknown) => void;
}

interface Waiting {
  readonly since: number;
  readonly bytes: number;
  readonly reject: (error: unknown) => void;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1000;
/** Redis: a replica, one that is still reading its file, one without its master. */
const WRONG_SERVER = /^(?:READONLY|LOADING|MASTERDOWN)\b/;

export class RedisLink {
  readonly #client: RedisClient;
  readonly #options: RedisLinkOptions;
  /** Resolves when the first attempt has succeeded or failed: what is asked before waits for it. */
  readonly firstAttempt: Promise<void>;
  #attempted!: () => void;
  #connection: Connection | undefined;
  #isUp = false;
  #isClosed = false;
  #retries = 0;
  #retryTimer: Timer;
  /** The deadline of the attempt to connect. */
  #connectDeadline: Deadline | undefined;
  /** In the order in which they were sent, which is the order of their answers. */
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  #watch: Timer;
  /** What had waited too long at the last look of `#watch`. */
  #overdue: Waiting | undefined;
  constructor(client: RedisClient, options: RedisLinkOptions) {
    this.#client = client;
    this.#options = options;
    this.firstAttempt = new Promise((resolve) => {
      this.#attempted = resolve;
    });
    this.#connect();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Sends one command; what is sent in one turn goes out together. Rejects with BACKPLANE_UNAVAILABLE, or with the server's error. */
  send(args: readonly RedisArgument[]): Promise<unknown> {
    const connection = this.#connection;
    if (!this.#isUp || connection === undefined) return Promise.reject(unavailable("not connected"));
    let bytes = 0;
    // The text of a script is one and the same string for all commands.
    for (let i = args[0] === "EVAL" ? 2 : 0; i < args.length; i++) bytes += args[i]!.length;
    if (this.#waitingBytes + bytes > this.#options.maxPendingBytes && this.#waiting.size > 0) {
      return Promise.reject(unavailable("too much waits for its answer"));
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { since: this.#options.clock.now(), bytes, reject };
      this.#waiting.add(waiting);
      this.#waitingBytes += bytes;
      this.#watch ??= this.#options.clock.setTimer(this.#onWatch, this.#options.timeoutMs);
      sendSafely(connection, args).then(
        (reply) => {
          this.#retries = 0;
          if (this.#settle(waiting)) resolve(reply);
        },
        (error: unknown) => {
          if (this.#settle(waiting)) reject(isReplyError(error) ? error : unavailable(error));
          // A server that is no longer, or not yet, the one to ask: the next connection may find the right one.
          if (isReplyError(error) && WRONG_SERVER.test(error.message)) this.#lost(connection, error);
        },
      );
    });
  }

  /**
   * Runs a script, in the order of these calls; `args`: how many keys, the keys, the rest. Its text goes along each time, some
   * hundred bytes: a server that was restarted does not know a script by its hash (EVALSHA), and what would have to be sent
   * again would come behind what was sent after it.
   */
  run(script: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.send(["EVAL", script, ...args]);
  }

  /** Ends the connection and takes up no other. */
  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimer(this.#retryTimer);
    this.#connectDeadline?.clear();
    this.#drop("closed");
  }

  #connect(): void {
    const lost = (error: unknown): void => this.#lost(connection, error);
    const connection = openConnection(this.#client, lost);
    this.#connection = connection;
    const { clock, timeoutMs, onUp } = this.#options;
    this.#connectDeadline?.clear();
    const deadline = new Deadline(clock, timeoutMs, () => lost(unavailable("no connection in time")));
    this.#connectDeadline = deadline;
    const begin = async (): Promise<void> => {
      try {
        await connection.connect();
      } catch (error) {
        return lost(error);
      } finally {
        deadline.clear();
      }
      if (this.#connection !== connection) return;
      this.#isUp = true;
      this.#attempted();
      onUp();
    };
    void begin();
  }

  #lost(connection: Connection, error: unknown): void {
    if (this.#connection !== connection || this.#isClosed) return;
    if (this.#retries === 0) this.#options.onError(unavailable(error));
    this.#drop(error);
    this.#retry();
  }

  #drop(cause: unknown): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#isUp = false;
    this.#attempted();
    connection?.end();
    for (const waiting of this.#waiting) waiting.reject(unavailable(cause));
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#options.clock.clearTimer(this.#watch);
    this.#watch = undefined;
  }

  #retry(): void {
    const delayMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#retries++);
    // Spread, so that not all processes come back at once.
    const reconnect = (): void => {
      try {
        this.#connect();
      } catch (error) {
        // The library may refuse to make a duplicate, of a client that was ended for instance.
        this.#options.onError(unavailable(error));
        this.#retry();
      }
    };
    this.#retryTimer = this.#options.clock.setTimer(reconnect, delayMs * (0.5 + Math.random() / 2));
  }

  /** False when it was given up before. */
  #settle(waiting: Waiting): boolean {
    if (!this.#waiting.delete(waiting)) return false;
    this.#waitingBytes -= waiting.bytes;
    return true;
  }

  /**
   * One timer for all that waits: it looks at the oldest, and comes again when that one is due. A process that was busy all
   * the time has not read yet what came meanwhile: it does between the first look that finds it overdue and the second.
   */
  readonly #onWatch = (): void => {
    this.#watch = undefined;
    const [oldest] = this.#waiting;
    const overdue = this.#overdue;
    this.#overdue = undefined;
    if (oldest === undefined) return;
    const { clock, timeoutMs } = this.#options;
    const leftMs = oldest.since + timeoutMs - clock.now();
    if (leftMs <= 0) this.#overdue = oldest;
    if (leftMs > 0 || overdue !== oldest) this.#watch = clock.setTimer(this.#onWatch, Math.max(leftMs, 1));
    else if (this.#connection !== undefined) this.#lost(this.#connection, `no answer in ${timeoutMs} ms`);
  };
}

/** A library may throw where it is expected to reject. */
async function sendSafely(connection: Connection, args: readonly RedisArgument[]): Promise<unknown> {
  return connection.send(args);
}

/** The error of a command, as opposed to that of a connection: Redis begins it with a word in capitals. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof ChannelError) && /^[A-Z]{3,}\b/.test(error.message);
}
