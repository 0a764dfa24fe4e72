// A connection to Redis that is opened again whenever it is lost. The client library provides one connection and raw commands.
// Its own reconnecting, queueing and retrying are switched off, so nothing that was reported as failed is delivered later, and
// nothing piles up while the server is away.

import type { Clock, Timer } from "../../base/clock.ts";
import { Deadline } from "../../base/deadline.ts";
import { ChannelError } from "../../base/errors.ts";
import { unavailable } from "../unavailable.ts";
import { openConnection, type RedisArgument, type RedisClient, type RedisConnection } from "./client.ts";

export interface RedisLinkOptions {
  readonly clock: Clock;
  /** Time to wait for a reply, in milliseconds. Then the connection is given up, and with it all commands without a reply. */
  readonly timeoutMs: number;
  /** Bytes of commands that may wait for their replies; further commands are refused. */
  readonly maxPendingBytes: number;
  /** Called each time that a connection is up. */
  readonly onUp: () => void;
  /** Called once each time that the server goes away. */
  readonly onError: (error: unknown) => void;
}

/** The commands of one turn. */
interface Batch {
  /** The time at which they left; of those that have not left, the time at which the first was given. */
  since: number;
}

interface Waiting {
  readonly batch: Batch;
  readonly bytes: number;
  readonly reject: (error: unknown) => void;
}

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1000;
/** Replies of a Redis server that is a replica, still loads its file, or has lost its master. */
const WRONG_SERVER = /^(?:READONLY|LOADING|MASTERDOWN)\b/;

export class RedisLink {
  readonly #client: RedisClient;
  readonly #options: RedisLinkOptions;
  /** Resolves when the first attempt has succeeded or failed. Commands that are sent before wait for it. */
  readonly firstAttempt: Promise<void>;
  #attempted!: () => void;
  #connection: RedisConnection | undefined;
  isUp = false;
  #isClosed = false;
  #retries = 0;
  #retryTimer: Timer;
  /** Deadline of the attempt to connect. */
  #connectDeadline: Deadline | undefined;
  /** Commands without a reply, in the order in which they were sent, which is the order of the replies. */
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  /** The commands of this turn, which have not left. */
  #batch: Batch | undefined;
  #watch: Timer;
  /** The command that `#watch` found overdue when it fired last. */
  #overdue: Waiting | undefined;

  constructor(client: RedisClient, options: RedisLinkOptions) {
    this.#client = client;
    this.#options = options;
    this.firstAttempt = new Promise((resolve) => {
      this.#attempted = resolve;
    });
    this.#connect();
  }

  /**
   * Sends one command; the commands of one turn leave together. Rejects with BACKPLANE_UNAVAILABLE, or with the server's error.
   */
  send(args: readonly RedisArgument[]): Promise<unknown> {
    const connection = this.#connection;
    if (!this.isUp || connection === undefined) return Promise.reject(unavailable("not connected"));
    let bytes = 0;
    // All calls share the text of a script: it does not count.
    for (let i = args[0] === "EVAL" ? 2 : 0; i < args.length; i++) bytes += args[i]!.length;
    if (this.#waitingBytes + bytes > this.#options.maxPendingBytes && this.#waiting.size > 0) {
      return Promise.reject(unavailable("too much waits for its answer"));
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { batch: this.#ofThisTurn(), bytes, reject };
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
          // The server is not, or not yet, the master: the next connection may reach it.
          if (isReplyError(error) && WRONG_SERVER.test(error.message)) this.#lost(connection, error);
        },
      );
    });
  }

  /**
   * Runs a script, in the order of the calls. `args`: the number of keys, the keys, other arguments. The text of the script,
   * some hundred bytes, is sent each time: with EVALSHA a server that was restarted does not know the script, and the calls
   * that are then repeated would run behind later ones.
   */
  run(script: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.send(["EVAL", script, ...args]);
  }

  /** Ends the connection for good. */
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
      this.isUp = true;
      this.#attempted();
      onUp();
    };
    void begin();
  }

  #lost(connection: RedisConnection, error: unknown): void {
    if (this.#connection !== connection || this.#isClosed) return;
    if (this.#retries === 0) this.#options.onError(unavailable(error));
    this.#drop(error);
    this.#retry();
  }

  #drop(cause: unknown): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.isUp = false;
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
    // A random delay, so that not all processes come back at once.
    const reconnect = (): void => {
      try {
        this.#connect();
      } catch (error) {
        // The library may refuse to duplicate a client, for instance one that was ended.
        this.#options.onError(unavailable(error));
        this.#retry();
      }
    };
    this.#retryTimer = this.#options.clock.setTimer(reconnect, delayMs * (0.5 + Math.random() / 2));
  }

  #ofThisTurn(): Batch {
    if (this.#batch === undefined) {
      this.#batch = { since: this.#options.clock.now() };
      setImmediate(this.#batchLeft);
    }
    return this.#batch;
  }

  /** A process that was busy until the turn's end has sent nothing until now: the server has its time from here on. */
  readonly #batchLeft = (): void => {
    this.#batch!.since = this.#options.clock.now();
    this.#batch = undefined;
  };

  /** Returns false if the command was given up before. */
  #settle(waiting: Waiting): boolean {
    if (!this.#waiting.delete(waiting)) return false;
    this.#waitingBytes -= waiting.bytes;
    return true;
  }

  /**
   * One timer for all commands: it checks the oldest one and is set again for the time at which that one is due. A process that
   * was busy has not read yet what arrived meanwhile; it reads between the first check that finds the command overdue and the
   * second.
   */
  readonly #onWatch = (): void => {
    this.#watch = undefined;
    const [oldest] = this.#waiting;
    const overdue = this.#overdue;
    this.#overdue = undefined;
    if (oldest === undefined) return;
    const { clock, timeoutMs } = this.#options;
    const leftMs = oldest.batch.since + timeoutMs - clock.now();
    if (leftMs <= 0) this.#overdue = oldest;
    if (leftMs > 0 || overdue !== oldest) this.#watch = clock.setTimer(this.#onWatch, Math.max(leftMs, 1));
    else if (this.#connection !== undefined) this.#lost(this.#connection, `no answer in ${timeoutMs} ms`);
  };
}

/** A library may throw where it should reject. */
async function sendSafely(connection: RedisConnection, args: readonly RedisArgument[]): Promise<unknown> {
  return connection.send(args);
}

/**
 * Returns whether an error is the reply to a command, not a failure of the connection: Redis starts it with a word in capitals.
 */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof ChannelError) && /^[A-Z]{3,}\b/.test(error.message);
}
