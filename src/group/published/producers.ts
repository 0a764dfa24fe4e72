// The streams that a store publishes in this process, by group: `publishStream` and `stopStream`.

import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { inspectable } from "../../base/guard.ts";
import { pause } from "../../base/pause.ts";
import { within } from "../../base/within.ts";
import { toJsonValue } from "../../channel/send-data.ts";
import type { StreamMessage } from "../../protocol/stream-message.ts";
import { nodeCrypto } from "../../transport/node-modules.ts";
import type { LeaseOwner, StreamLeases } from "../stream/stream-leases.ts";
import { Producer } from "./producer.ts";
import type { PartSource, PublishStreamOptions, StreamKeep, StreamResult } from "./publish-stream.ts";

const DEFAULT_KEEP = { size: 10_000, ttlMs: 600_000 };
const DEFAULT_COALESCE_MS = 50;
/** Time that the ends of all streams may take when the store is closed. */
const CLOSE_MS = 5000;
/** Time for which `stop` waits until the stream is over, and between two questions whether one of another process is. */
const STOP_MS = 5000;
const ASK_MS = 100;

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
  readonly #prefix: string = nodeCrypto().randomBytes(6).toString("base64url");
  #count = 0;
  /**
   * The streams of each group that are not over, in the order of the calls of `publishStream`. The first may be under way; each
   * later one is to replace those before it.
   */
  readonly #running = new Map<string, Producer[]>();
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
    // A stream is lost as expected if the application itself has closed the store. A source may fail with undefined.
    const isFailure = result.end === "failed" || (result.end === "lost" && !this.#isClosed);
    if (isFailure) this.#options.report(result.error, group);
    return result;
  }

  async #publish(
    stream: string,
    group: string,
    source: PartSource<unknown>,
    { signal, info, coalesceMs = DEFAULT_COALESCE_MS, replace = false, keep }: PublishStreamOptions,
  ): Promise<StreamResult> {
    const { clock, publish, leases } = this.#options;
    const kept = this.#toKeep(keep);
    const producer = new Producer({
      ...{ clock, stream, coalesceMs, info: toJsonValue(info) },
      publish: (message) => publish(group, message, kept),
    });
    try {
      await (replace ? this.#replace(group, producer) : this.#claim(group, producer));
    } catch (error) {
      producer.refuse(source, inspectable(error));
      this.#remove(group, producer);
      return producer.result;
    }
    const letGo = this.#options.hold(group);
    const stop = (): void => producer.stop("stopped");
    signal?.addEventListener("abort", stop);
    producer.begin(source);
    if (this.#isClosed) producer.stop("lost");
    if (signal?.aborted === true) stop();
    const result = await producer.result;
    signal?.removeEventListener("abort", stop);
    this.#remove(group, producer);
    letGo();
    void leases?.release(group, stream);
    return result;
  }

  /** Makes the stream the group's one. Rejects with STREAM_BUSY if it has one. */
  async #claim(group: string, producer: Producer): Promise<void> {
    this.#checkOpen();
    if (this.#running.has(group)) throw new ChannelError("STREAM_BUSY");
    this.#add(group, producer);
    if (!(await this.#lease(group, producer))) throw new ChannelError("STREAM_BUSY");
  }

  /** Makes the stream the group's one when the one before it is over, which is stopped. Rejects with STREAM_BUSY if that takes long. */
  async #replace(group: string, producer: Producer): Promise<void> {
    this.#checkOpen();
    const { clock } = this.#options;
    const before = this.#running.get(group)?.at(-1);
    this.#add(group, producer);
    before?.stop("stopped");
    await before?.result;
    const untilMs = clock.now() + STOP_MS;
    while (!(await this.#lease(group, producer))) {
      if (clock.now() >= untilMs) throw new ChannelError("STREAM_BUSY");
      await this.#stopElsewhere(group);
    }
  }

  #add(group: string, producer: Producer): void {
    const streams = this.#running.get(group);
    if (streams === undefined) this.#running.set(group, [producer]);
    else streams.push(producer);
  }

  /** The stream is over, or was refused. */
  #remove(group: string, producer: Producer): void {
    const streams = (this.#running.get(group) ?? []).filter((each) => each !== producer);
    if (streams.length === 0) this.#running.delete(group);
    else this.#running.set(group, streams);
  }

  #find(group: string, stream: string): Producer | undefined {
    return this.#running.get(group)?.find((each) => each.stream === stream);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
  }

  /** Resolves to false if another process has a stream in the group. */
  async #lease(group: string, { stream }: Producer): Promise<boolean> {
    const { leases } = this.#options;
    if (leases === undefined) return true;
    try {
      return await leases.claim(group, stream);
    } catch (error) {
      // It is not known whether the record was written.
      void leases.release(group, stream);
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
    const { clock } = this.#options;
    // The streams before it were stopped when it came.
    const own = this.#running.get(group)?.at(-1);
    if (own !== undefined) {
      own.stop("stopped");
      await within(clock, STOP_MS, own.result);
      return true;
    }
    return this.#stopElsewhere(group);
  }

  /** Stops the stream of another process, and waits until it is over. */
  async #stopElsewhere(group: string): Promise<boolean> {
    const { clock, leases, askToStop } = this.#options;
    const stream = await leases?.current(group);
    if (leases === undefined || stream === undefined) return false;
    await askToStop(group, stream);
    for (const untilMs = clock.now() + STOP_MS; clock.now() < untilMs; ) {
      if ((await leases.current(group)) !== stream) break;
      await pause(clock, ASK_MS);
    }
    return true;
  }

  /** Another process asks to stop a stream, which may be another process's, or over. */
  stopAsked(group: string, stream: string): void {
    this.#find(group, stream)?.stop("stopped");
  }

  tellLost(group: string, stream: string): Promise<unknown> {
    return this.#options.publish(group, { stream, end: "lost" }, this.#toKeep());
  }

  abandoned(group: string, stream: string): void {
    this.#find(group, stream)?.abandon();
  }

  /** Ends all streams as lost. Resolves when their viewers were told, or after a while. Returns undefined if there are none. */
  close(): Promise<void> | undefined {
    this.#isClosed = true;
    const running = [...this.#running.values()].flat();
    if (running.length === 0) return undefined;
    for (const each of running) each.stop("lost");
    return within(this.#options.clock, CLOSE_MS, Promise.all(running.map(({ result }) => result)));
  }
}
