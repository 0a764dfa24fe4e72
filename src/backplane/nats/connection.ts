// The connection to NATS as the backplane uses it: requests are answered in bounded time, and none is kept for later while
// the server is away. The connection belongs to the user and reconnects by itself.

import type { Clock, Timer } from "../../base/clock.ts";
import { unavailable } from "../unavailable.ts";
import { isNoResponders, isTimeout, NatsApiError, type NatsConnection, type NatsMessage } from "./api.ts";

export interface NatsLinkOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly onDown: () => void;
  /** Called when the connection is up again. */
  readonly onUp: () => void;
  readonly onError: (error: unknown) => void;
}

export class NatsLink {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  isUp = true;
  readonly #options: NatsLinkOptions;
  #isStalled = false;
  #isClosed = false;
  #pendingBytes = 0;
  /** Functions to call when this is closed. */
  readonly #onClose = new Set<() => void>();
  #statuses: AsyncIterable<unknown> | undefined;

  constructor(connection: NatsConnection, options: NatsLinkOptions) {
    this.connection = connection;
    this.clock = options.clock;
    this.timeoutMs = options.timeoutMs;
    this.maxPendingBytes = options.maxPendingBytes;
    this.#options = options;
    void this.#follow();
  }

  close(): void {
    this.#isClosed = true;
    for (const fn of this.#onClose) fn();
    // An iterator of the client library, which the connection would keep.
    (this.#statuses as { stop?(): void } | undefined)?.stop?.();
  }

  /** Resolves after `ms` milliseconds, or when this is closed: later requests are then refused. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.clock.clearTimer(timer);
        stopWaiting();
        resolve();
      };
      const timer: Timer = this.clock.setTimer(end, ms);
      const stopWaiting = this.whenClosed(end);
    });
  }

  /** Calls `fn` when this is closed, at once if it is closed already. Returns a function that takes the registration back. */
  whenClosed(fn: () => void): () => void {
    if (this.#isClosed) queueMicrotask(fn);
    else this.#onClose.add(fn);
    return () => this.#onClose.delete(fn);
  }

  /** Sends a request of the JetStream API. Rejects with NatsApiError if it is refused. */
  async api<T = unknown>(request: string, body: object = {}): Promise<T> {
    return this.ask<T>(`$JS.API.${request}`, Buffer.from(JSON.stringify(body)));
  }

  /** Creates an ephemeral consumer: the server removes it when no client listens any more. */
  createConsumer(stream: string, config: object): Promise<{ readonly name: string; readonly num_pending: number }> {
    return this.api(`CONSUMER.CREATE.${stream}`, {
      stream_name: stream,
      config: {
        ack_policy: "none",
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
        replay_policy: "instant",
        ...config,
      },
    });
  }

  /** Deletes a consumer that is not read any more; the server would do so some seconds later. */
  deleteConsumer(stream: string, name: string): void {
    if (!this.isUp || this.#isStalled) return;
    // A closed connection throws where it should reject.
    Promise.resolve()
      .then(() => this.connection.request(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, undefined, { timeout: 1000 }))
      .catch(() => {});
  }

  /**
   * Sends a request that is answered with JSON. Rejects with BACKPLANE_UNAVAILABLE, or with the client's error if there is
   * no answer. `headers`: see `NatsConnection.request`.
   */
  async ask<T>(subject: string, payload: Uint8Array, headers?: { encode(): Uint8Array }): Promise<T> {
    if (this.#isClosed) throw unavailable("closed");
    // The client would keep the request and send it later, after it was reported as failed.
    if (!this.isUp) throw unavailable("not connected");
    if (this.#isStalled) throw unavailable("the server does not answer");
    const size = payload.length + subject.length;
    if (this.#pendingBytes > 0 && this.#pendingBytes + size > this.maxPendingBytes) {
      throw unavailable("too much waits for its answer");
    }
    this.#pendingBytes += size;
    let message: NatsMessage;
    try {
      const options = headers === undefined ? { timeout: this.timeoutMs } : { timeout: this.timeoutMs, headers };
      message = await this.connection.request(subject, payload, options);
    } catch (error) {
      if (isTimeout(error)) this.#stall();
      if (isNoResponders(error)) throw error;
      throw unavailable(error);
    } finally {
      this.#pendingBytes -= size;
    }
    const answer = JSON.parse(Buffer.from(message.data).toString()) as T & { readonly error?: NatsApiError };
    if (answer.error !== undefined) throw new NatsApiError(answer.error as never);
    return answer;
  }

  /** Sends nothing more to a server that does not answer, until it does. */
  #stall(): void {
    if (this.#isStalled) return;
    this.#isStalled = true;
    this.#options.onError(unavailable("the server does not answer"));
    const end = (): void => {
      this.#isStalled = false;
    };
    // A closed connection throws where it should reject.
    Promise.resolve()
      .then(() => this.connection.flush())
      .then(end, end);
  }

  async #follow(): Promise<void> {
    try {
      await this.#followStatus();
    } catch (error) {
      if (!this.#isClosed) this.#options.onError(unavailable(error));
    }
    // The client has given up reconnecting.
    if (!this.#isClosed) this.isUp = false;
  }

  async #followStatus(): Promise<void> {
    const statuses = this.connection.status();
    this.#statuses = statuses;
    for await (const { type } of statuses) {
      if (this.#isClosed) return;
      if (type === "disconnect") {
        if (this.isUp) this.#options.onError(unavailable("the connection was lost"));
        this.isUp = false;
        this.#options.onDown();
      } else if (type === "reconnect") {
        this.isUp = true;
        this.#isStalled = false;
        this.#options.onUp();
      }
    }
  }
}
