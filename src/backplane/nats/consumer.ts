// A consumer on the server that delivers a stream's messages from a sequence on until it ends. It numbers its deliveries, so a
// lost message is noticed, and it sends a heartbeat every second.

import { randomUUID } from "node:crypto";
import type { Timer } from "../../base/clock.ts";
import { Queue } from "../../base/queue.ts";
import type { NatsMessage } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { NS_PER_MS, placeOf } from "./message.ts";
import type { ReadMessage } from "./read.ts";

const HEARTBEAT_MS = 1000;
/** Seconds of silence after which the consumer, or the way to it, counts as lost. */
const MAX_MISSED = 3;

export class NatsConsumer {
  readonly #link: NatsLink;
  readonly #subscription: { unsubscribe(): void };
  readonly #inbox: string = `_INBOX.${randomUUID()}`;
  readonly #queue = new Queue<NatsMessage>();
  /** Messages that were taken; the consumer's own count must be equal. */
  #consumed = 0;
  /** Heartbeats since the last message. */
  #heartbeats = 0;
  #isHeard = false;
  #missed = 0;
  #watch: Timer;
  #isOver = false;
  /** Its name on the server. */
  #stream = "";
  #name = "";
  #arrived: (() => void) | undefined;

  constructor(link: NatsLink) {
    this.#link = link;
    this.#subscription = link.connection.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (this.#isOver) return;
        if (error !== null && error !== undefined) return this.end();
        this.#isHeard = true;
        this.#queue.push(message);
        this.#wake();
      },
    });
    this.#watch = link.clock.setTimer(this.#onWatch, HEARTBEAT_MS);
  }

  /** Creates the consumer on the server. Resolves to the number of messages from `sequence` on. */
  async begin(stream: string, sequence: number): Promise<number> {
    const { name, num_pending } = await this.#link.createConsumer(stream, {
      ...{ deliver_subject: this.#inbox, deliver_policy: "by_start_sequence", opt_start_seq: sequence },
      ...{ flow_control: true, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS },
    });
    if (this.#isOver) this.#link.deleteConsumer(stream, name);
    this.#stream = stream;
    this.#name = name;
    // Until now the request had a time limit of its own.
    this.#missed = 0;
    return num_pending;
  }

  /**
   * True if nothing more can be taken: it was ended, has lost a message, or is silent. The caller goes on with another
   * consumer.
   */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True if a message can be taken. */
  get hasArrived(): boolean {
    return this.#queue.length > 0;
  }

  /** True once for every so many heartbeats in a row: the consumer says that it has delivered everything. */
  hasIdled(heartbeats: number): boolean {
    if (this.#heartbeats < heartbeats) return false;
    this.#heartbeats = 0;
    return true;
  }

  /** Returns the next message; undefined if none has arrived or the consumer is over. */
  take(): ReadMessage | undefined {
    while (!this.#isOver) {
      const message = this.#queue.shift();
      if (message === undefined) return undefined;
      if (message.headers?.code === 100) {
        this.#answerStatus(message);
        continue;
      }
      const place = placeOf(message.reply ?? "");
      if (place === undefined) continue;
      this.#consumed += 1;
      this.#heartbeats = 0;
      if (place.consumed === this.#consumed) return { message, place };
      // A message was lost between the server and this process.
      this.end();
    }
    return undefined;
  }

  /** Resolves when a message has arrived or the consumer is over. */
  arrival(): Promise<void> {
    if (this.#isOver || this.#queue.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#link.clock.clearTimer(this.#watch);
    this.#queue.clear();
    this.#subscription.unsubscribe();
    if (this.#name !== "") this.#link.deleteConsumer(this.#stream, this.#name);
    this.#wake();
  }

  /** ADR-9, ADR-15: a heartbeat tells the number of delivered messages; flow control expects an answer. */
  #answerStatus(message: NatsMessage): void {
    const stalled = message.headers?.get("Nats-Consumer-Stalled");
    if (message.reply) message.respond();
    else if (stalled) this.#link.connection.publish(stalled);
    const consumed = message.headers?.get("Nats-Last-Consumer");
    if (!consumed) return;
    this.#heartbeats += 1;
    if (Number(consumed) !== this.#consumed) this.end();
  }

  #wake(): void {
    this.#arrived?.();
    this.#arrived = undefined;
  }

  readonly #onWatch = (): void => {
    this.#missed = this.#isHeard ? 0 : this.#missed + 1;
    this.#isHeard = false;
    if (this.#missed >= MAX_MISSED) this.end();
    else this.#watch = this.#link.clock.setTimer(this.#onWatch, HEARTBEAT_MS);
  };
}
