// A subscription of one process to one group, at the hub. It is live, or behind: then nothing is written for it until the process
// has read what waits, and it goes on from the history of the group.

import type { BrokerEntry } from "../memory-broker.ts";
import type { Caller, EndableSubscription, Pouring } from "./caller.ts";
import { REPLY } from "./kinds.ts";
import { PART_BYTES } from "./list-answer.ts";

export class HubSubscription implements Pouring, EndableSubscription {
  readonly #caller: Caller;
  readonly #group: string;
  readonly #number: number;
  /** The process has all entries up to this number, or was told that they are lost. */
  #position: number;
  #isBehind = false;
  #hasEnded = false;

  /** Delivers what follows; `position` is the number of the newest entry of all groups. */
  constructor(caller: Caller, group: string, number: number, position: number) {
    this.#caller = caller;
    this.#group = group;
    this.#number = number;
    this.#position = position;
    caller.subscriptions.get(number)?.end();
    caller.subscriptions.set(number, this);
    caller.state.broker.subscribe(caller, group, (entry) => this.#onEntry(entry));
  }

  /** Delivers from the position on. */
  fallBehind(): void {
    this.#isBehind = true;
    this.#caller.catchUp(this);
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#caller.subscriptions.delete(this.#number);
    this.#caller.state.broker.unsubscribe(this.#caller, this.#group);
  }

  pour(): boolean {
    if (this.#hasEnded) return true;
    const { writer, state } = this.#caller;
    const { entries, lostUpTo } = state.broker.after(this.#group, this.#position);
    if (lostUpTo !== undefined) {
      writer.begin(REPLY.GAP, this.#number).number(lostUpTo).end();
      this.#position = lostUpTo;
    }
    const before = writer.length;
    for (const entry of entries) {
      if (writer.length - before >= PART_BYTES) return false;
      this.#write(entry);
    }
    this.#isBehind = false;
    return true;
  }

  #onEntry(entry: BrokerEntry): void {
    if (this.#isBehind) return;
    if (this.#caller.isFull) {
      this.fallBehind();
      return;
    }
    this.#write(entry);
    this.#caller.flushLater();
  }

  #write({ number, payload }: BrokerEntry): void {
    this.#position = number;
    this.#caller.writer.begin(REPLY.ENTRY, this.#number).number(number).bytes(payload).end();
  }
}
