// The streams that a store publishes in this process, by group: `publishStream` and `stopStream`.

import { randomBytes } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { inspectable } from "../../base/guard.ts";
import { within } from "../../base/within.ts";
import type { StreamBody } from "../../channel/body.ts";
import { toJsonValue } from "../../channel/send-data.ts";
import { discardSource } from "../../channel/source.ts";
import type { StreamMessage } from "../../protocol/stream-message.ts";
import type { LeaseOwner, StreamLeases } from "../stream/stream-leases.ts";
import { Producer } from "./producer.ts";
import type { PartSource, PublishStreamOptions, StreamKeep, StreamResult } from "./publish-stream.ts";

const DEFAULT_KEEP = { size: 10_000, ttlMs: 600_000 };
const DEFAULT_COALESCE_MS = 50;
/** Time that the ends of all streams may take when the store is closed. */
const CLOSE_MS = 5000;

/** How much of a stream is kept. */
export type Keep = Required<{ readonly [Name in keyof StreamKeep]: number }>;

export interface ProducersOptions {
  readonly clock: Clock;
  /** The history of the store: a stream is not kept for less. */
  readonly history: Keep;
  /** Undefined if the groups are of this process alone. */
  readonly leases: StreamLeases | undefined;
  /** Publishes a message of a stream to its group. Rejects with BACKPLANE_UNAVAILABLE, BAD_MESSAGE or BAD_DATA. */
  publish(group: string, message: StreamMessage, keep: Keep): Promise<unknown>;
  /** Asks the process that publishes the stream to stop it. */
  askToStop(group: string, stream: string): Promise<unknown>;
  /** The group is needed until the returned function is called. */
  hold(group: string): () => void;
  report(error: unknown, group: string): void;
}

export class Producers implements LeaseOwner {
  readonly #options: ProducersOptions;
  readonly #prefix: string = randomBytes(6).toString("base64url");
  #count = 0;
  /** The stream of each group, from the call of `publishStream` on. */
  readonly #running = new Map<string, Producer>();
  #isClosed = false;

  constructor(options: ProducersOptions) {
    this.#options = options;
    options.leases?.attach(this);
  }

  /** Publishes a stream. Never rejects: a failure is a result. */
  async publish(group: string, source: PartSource<unknown>, options: PublishStreamOptions): Promise<StreamResult> {
    this.#count += 1;
    const stream = `${this.#prefix}.${this.#count}`;
    const result = await this.#publish(stream, group, source, options);
    // The application itself has closed the store.
    const isExpected = result.end === "lost" && this.#isClosed;
    if (result.error !== undefined && !isExpected) this.#options.report(result.error, group);
    return result;
  }

  async #publish(
    stream: string,
    group: string,
    source: PartSource<unknown>,
    { signal, info, coalesceMs = DEFAULT_COALESCE_MS, keep }: PublishStreamOptions,
  ): Promise<StreamResult> {
    const { clock, publish, leases } = this.#options;
    const kept = this.#toKeep(keep);
    const producer = new Producer({
      ...{ clock, stream, coalesceMs, info: toJsonValue(info) },
      publish: (message) => publish(group, message, kept),
    });
    try {
      await this.#claim(group, producer);
    } catch (error) {
      discardParts(source);
      return { stream, end: "failed", error: inspectable(error) };
    }
    const letGo = this.#options.hold(group);
    const stop = (): void => producer.stop("stopped");
    signal?.addEventListener("abort", stop);
    producer.begin(source);
    if (this.#isClosed) producer.stop("lost");
    if (signal?.aborted === true) stop();
    const result = await producer.result;
    signal?.removeEventListener("abort", stop);
    this.#running.delete(group);
    letGo();
    void leases?.release(group, stream);
    return result;
  }

  /** Makes the stream the group's one. */
  async #claim(group: string, producer: Producer): Promise<void> {
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
    if (this.#running.has(group)) throw new ChannelError("STREAM_BUSY");
    this.#running.set(group, producer);
    const { leases } = this.#options;
    if (leases === undefined) return;
    const { stream } = producer;
    try {
      if (!(await leases.claim(group, stream))) throw new ChannelError("STREAM_BUSY");
    } catch (error) {
      this.#running.delete(group);
      // It is not known whether the record was written.
      if (!isBusy(error)) void leases.release(group, stream);
      throw error;
    }
  }

  #toKeep({ size, ttlMs }: StreamKeep = {}): Keep {
    const { history } = this.#options;
    return {
      size: size ?? Math.max(history.size, DEFAULT_KEEP.size),
      ttlMs: ttlMs ?? Math.max(history.ttlMs, DEFAULT_KEEP.ttlMs),
    };
  }

  /** Stops the stream of a group, in whichever process it is published. Resolves to false if there is none. */
  async stop(group: string): Promise<boolean> {
    const own = this.#running.get(group);
    if (own !== undefined) {
      own.stop("stopped");
      return true;
    }
    const stream = await this.#options.leases?.current(group);
    if (stream === undefined) return false;
    await this.#options.askToStop(group, stream);
    return true;
  }

  /** Another process asks to stop a stream, which may be another process's, or over. */
  stopAsked(group: string, stream: string): void {
    const own = this.#running.get(group);
    if (own?.stream === stream) own.stop("stopped");
  }

  tellLost(group: string, stream: string): Promise<unknown> {
    return this.#options.publish(group, { stream, end: "lost" }, this.#toKeep());
  }

  abandoned(group: string, stream: string): void {
    const own = this.#running.get(group);
    if (own?.stream === stream) own.abandon();
  }

  /** Ends all streams as lost. Resolves when their viewers were told, or after a while. Returns undefined if there are none. */
  close(): Promise<void> | undefined {
    this.#isClosed = true;
    const running = [...this.#running.values()];
    if (running.length === 0) return undefined;
    for (const each of running) each.stop("lost");
    return within(this.#options.clock, CLOSE_MS, Promise.all(running.map(({ result }) => result)));
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "STREAM_BUSY";
}

/** Cancels a source that is not read. A function was not called. */
function discardParts(source: PartSource<unknown>): void {
  if (typeof source !== "function") discardSource(source as StreamBody);
}
