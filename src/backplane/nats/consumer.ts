// A consumer on the server that delivers a stream's messages until it ends. It numbers its deliveries, so a lost message is
// noticed, and it sends a heartbeat every second.

import { randomUUID } from "node:crypto";
import type { Timer } from "../../base/clock.ts";
import type { ChannelError } from "../../base/errors.ts";
import { Queue } from "../../base/queue.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsMessage } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { type DeliveryPosition, NS_PER_MS, readPosition } from "./message.ts";

const HEARTBEAT_MS = 1000;
/** Silence after which the consumer, or the way to it, counts as lost. */
const MAX_SILENCE_MS = 3000;
/** Silent intervals after which that time has passed: a timer for each message would cost more than the message. */
const MAX_MISSED = 3;

/** The part of a consumer's configuration that differs. */
export interface ConsumerStart {
  readonly deliver_policy: "by_start_sequence" | "last_per_subject";
  readonly opt_start_seq?: number;
  /** Without it: all messages of the stream. */
  readonly filter_subject?: string;
}

export interface ReadMessage {
  readonly message: NatsMessage;
  readonly position: DeliveryPosition;
}

export class NatsConsumer {
  readonly #link: NatsLink;
  readonly #subscription: { unsubscribe(): void };
  readonly #inbox: string = `_INBOX.${randomUUID()}`;
  readonly #intervalMs: number;
  readonly #queue = new Queue<NatsMessage>();
  /** Messages that were taken; the consumer's own count must be equal. */
  #consumed = 0;
  /** Heartbeats since the last message. */
  #heartbeats = 0;
  #isHeard = false;
  #missed = 0;
  #watch: Timer;
  /** True if nothing more can be taken: it was ended, has lost a message, or is silent. The caller goes on with another one. */
  isOver = false;
  /** The error that has ended it; undefined after a lost message or a call. */
  failure: ChannelError | undefined;
  /** Deletes it on the server. Set when it was created. */
  #delete: (() => void) | undefined;
  #arrived: (() => void) | undefined;

  constructor(link: NatsLink, maxSilenceMs: number = MAX_SILENCE_MS) {
    this.#link = link;
    this.#intervalMs = maxSilenceMs / MAX_MISSED;
    this.#subscription = link.connection.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (this.isOver) return;
        if (error !== null && error !== undefined) return this.end(unavailable(error));
        this.#isHeard = true;
        this.#queue.push(message);
        this.#wake();
      },
    });
    this.#watch = link.clock.setTimer(this.#onWatch, this.#intervalMs);
  }

  /** Creates the consumer on the server. Resolves to the number of messages that it will deliver. */
  async begin(stream: string, start: ConsumerStart): Promise<number> {
    const { name, num_pending } = await this.#link.createConsumer(stream, {
      ...{ deliver_subject: this.#inbox, flow_control: true, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS },
      ...start,
    });
    this.#delete = () => this.#link.deleteConsumer(stream, name);
    if (this.isOver) this.#delete();
    // Until now the request had a time limit of its own.
    this.#missed = 0;
    return num_pending;
  }

  /** True if a message can be taken. */
  get hasArrived(): boolean {
    return this.#queue.length > 0;
  }

  /** True after a number of consecutive heartbeats, in which the consumer claims to have delivered all messages. */
  hasIdled(heartbeats: number): boolean {
    if (this.#heartbeats < heartbeats) return false;
    this.#heartbeats = 0;
    return true;
  }

  /** Returns the next message; undefined if none has arrived or the consumer is over. */
  take(): ReadMessage | undefined {
    while (!this.isOver) {
      const message = this.#queue.shift();
      if (message === undefined) return undefined;
      if (message.headers?.code === 100) {
        this.#answerStatus(message);
        continue;
      }
      const position = readPosition(message.reply ?? "");
      if (position === undefined) continue;
      this.#consumed += 1;
      this.#heartbeats = 0;
      if (position.consumed === this.#consumed) return { message, position };
      // A message was lost between the server and this process.
      this.end();
    }
    return undefined;
  }

  /** Resolves when a message has arrived or the consumer is over. */
  arrival(): Promise<void> {
    if (this.isOver || this.#queue.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  end(failure?: ChannelError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.failure = failure;
    this.#link.clock.clearTimer(this.#watch);
    this.#queue.clear();
    this.#subscription.unsubscribe();
    this.#delete?.();
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
    if (this.#missed >= MAX_MISSED) this.end(unavailable("messages did not come"));
    else this.#watch = this.#link.clock.setTimer(this.#onWatch, this.#intervalMs);
  };
}
