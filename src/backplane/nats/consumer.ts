// One consumer of the server's, which delivers a stream's messages from a place on until it ends. It numbers what it
// delivers, so a message that was lost on the way shows, and it says every second that it lives.

import { randomUUID } from "node:crypto";
import type { Timer } from "../../base/clock.ts";
import { Queue } from "../../base/queue.ts";
import type { NatsMessage } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { NS_PER_MS, placeOf } from "./message.ts";
import type { ReadMessage } from "./read.ts";

const HEARTBEAT_MS = 1000;
/** Seconds in a row in which nothing comes, after which the consumer is gone, or the way to it. */
const MAX_MISSED = 3;

export class NatsConsumer {
  readonly #link: NatsLink;
  readonly #subscription: { unsubscribe(): void };
  readonly #inbox: string = `_INBOX.${randomUUID()}`;
  readonly #queue = new Queue<NatsMessage>();
  /** Messages that were taken; the consumer's own count must be the same. */
  #consumed = 0;
  /** Heartbeats since the last message. */
  #beats = 0;
  #isHeard = false;
  #missed = 0;
  #watch: Timer;
  #isOver = false;
  /** On the server. */
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

  /** Makes it on the server. Resolves with how many messages there are from `sequence` on. */
  async begin(stream: string, sequence: number): Promise<number> {
    const { name, num_pending } = await this.#link.createConsumer(stream, {
      ...{ deliver_subject: this.#inbox, deliver_policy: "by_start_sequence", opt_start_seq: sequence },
      ...{ flow_control: true, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS },
    });
    if (this.#isOver) this.#link.deleteConsumer(stream, name);
    this.#stream = stream;
    this.#name = name;
    // Until now the server's answer was waited for, which has its own bound.
    this.#missed = 0;
    return num_pending;
  }

  /** True when nothing more can be taken: it was ended, lost a message, or says nothing any more. Another one goes on. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Something can be taken. */
  get hasArrived(): boolean {
    return this.#queue.length > 0;
  }

  /** True once for each so many heartbeats in a row: it says that it has delivered all that there is. */
  hasBeaten(times: number): boolean {
    if (this.#beats < times) return false;
    this.#beats = 0;
    return true;
  }

  /** The next message; undefined when none has arrived, or when it is over. */
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
      this.#beats = 0;
      if (place.consumed === this.#consumed) return { message, place };
      // Lost between the server and here.
      this.end();
    }
    return undefined;
  }

  /** Resolves when something has arrived, or when it is over. */
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

  /** ADR-9, ADR-15: a heartbeat says how many were delivered; flow control waits for an answer. */
  #answerStatus(message: NatsMessage): void {
    const stalled = message.headers?.get("Nats-Consumer-Stalled");
    if (message.reply) message.respond();
    else if (stalled) this.#link.connection.publish(stalled);
    const consumed = message.headers?.get("Nats-Last-Consumer");
    if (!consumed) return;
    this.#beats += 1;
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
