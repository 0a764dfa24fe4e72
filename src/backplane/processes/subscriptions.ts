// The subscriptions of this process at the hub, and how far each has come: after a broken connection they go on where they stopped.

import type { BackplaneListener } from "../backplane.ts";
import type { Frame } from "./frame.ts";
import type { HubLink } from "./hub-link.ts";
import { toId } from "./ids.ts";
import { CALL, REPLY } from "./kinds.ts";

interface Subscription {
  readonly group: string;
  readonly number: number;
  readonly listener: BackplaneListener;
  /** Undefined until the hub has answered. */
  place: { readonly epoch: number; position: number } | undefined;
}

export class HubSubscriptions {
  readonly #link: HubLink;
  readonly #byGroup = new Map<string, Subscription>();
  readonly #byNumber = new Map<number, Subscription>();
  #lastNumber = 0;

  constructor(link: HubLink) {
    this.#link = link;
  }

  async add(group: string, listener: BackplaneListener): Promise<string | undefined> {
    const subscription: Subscription = { group, number: this.#nextNumber(), listener, place: undefined };
    const { number } = subscription;
    this.#byGroup.set(group, subscription);
    this.#byNumber.set(number, subscription);
    try {
      return await this.#link.call(
        CALL.SUBSCRIBE,
        (writer) => writer.text(group).number(number),
        (fields) => {
          const { epoch } = this.#link;
          subscription.place = { epoch, position: fields.number() };
          const last = fields.number();
          return last === 0 ? undefined : toId(epoch, last);
        },
      );
    } catch (error) {
      this.#delete(subscription);
      throw error;
    }
  }

  end(group: string): void {
    const subscription = this.#byGroup.get(group);
    if (subscription === undefined) return;
    this.#delete(subscription);
    this.#link
      .call(CALL.UNSUBSCRIBE, (writer) => writer.number(subscription.number), nothing, { bytes: 0 })
      // Without a connection the hub has no subscriptions of this process.
      .catch(() => {});
  }

  /** Goes on with all subscriptions, over a new connection. */
  resume(): void {
    for (const { group, number, place } of this.#byNumber.values()) {
      if (place === undefined) continue;
      this.#link
        .call(
          CALL.RESUME,
          (writer) => writer.text(group).number(number).number(place.epoch).number(place.position),
          nothing,
          { bytes: 0 },
        )
        .catch(() => {});
    }
  }

  clear(): void {
    this.#byGroup.clear();
    this.#byNumber.clear();
  }

  /** Takes an entry or a gap. The hub may have written it before it knew that the subscription has ended. */
  take({ kind, number, fields }: Frame): void {
    const subscription = this.#byNumber.get(number);
    if (subscription === undefined) return;
    const { epoch } = this.#link;
    const position = fields.number();
    subscription.place = { epoch, position };
    if (kind === REPLY.GAP) subscription.listener.gap();
    else subscription.listener.entry({ id: toId(epoch, position), payload: fields.bytes() });
  }

  #delete(subscription: Subscription): void {
    this.#byNumber.delete(subscription.number);
    if (this.#byGroup.get(subscription.group) === subscription) this.#byGroup.delete(subscription.group);
  }

  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    while (this.#byNumber.has(this.#lastNumber));
    return this.#lastNumber;
  }
}

function nothing(): void {}
