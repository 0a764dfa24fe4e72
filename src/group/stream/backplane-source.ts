// The streams of groups that a backplane carries between processes. Every entry comes back through the backplane, also to
// the process that published it, so that all processes receive the same order.

import { randomBytes } from "node:crypto";
import type { Backplane, BackplaneEntry, BackplaneMember } from "../../backplane/backplane.ts";
import { GuardedBackplane } from "../../backplane/guarded.ts";
import { orUnavailable } from "../../backplane/unavailable.ts";
import { ChannelError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import type { AnyChannel } from "../../channel/channel.ts";
import { GroupEntry, type GroupMessage } from "../message.ts";
import { BackplaneStream } from "./backplane-stream.ts";
import { decodeEnvelope, encodeEnvelope, ORIGIN_BYTES } from "./envelope.ts";
import { PresenceKeeper } from "./presence.ts";
import { Retries } from "./retries.ts";
import type { GroupStream, Replay, SourceOwner, StreamListener, StreamSource } from "./source.ts";

/** Entries of this store whose `except` is remembered until they come back; the oldest are forgotten first. */
const MAX_EXCEPTIONS = 10_000;

/** Time that leaving the backplane may take, and closing it. */
const CLOSE_MS = 10_000;

export class BackplaneSource implements StreamSource {
  readonly #backplane: GuardedBackplane;
  readonly #owner: SourceOwner;
  readonly #retries: Retries;
  readonly #presence: PresenceKeeper;
  readonly #streams = new Map<string, BackplaneStream>();
  /** Subscriptions that are being ended. A group has one subscription at a time, so the next one waits for them. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Marks the entries of this store. */
  readonly #origin: string = randomBytes(ORIGIN_BYTES).toString("hex");
  /** Number of the last entry that this store published, modulo 2^32. */
  #number = 0;
  readonly #exceptions = new Map<number, WeakRef<AnyChannel>>();

  constructor(backplane: Backplane, owner: SourceOwner) {
    this.#backplane = new GuardedBackplane(backplane, (error, group) => owner.report(error, group));
    this.#owner = owner;
    this.#retries = new Retries(owner.clock);
    this.#presence = new PresenceKeeper(this.#backplane, this.#retries, (error, group) => owner.report(error, group));
  }

  open(group: string, listener: StreamListener): GroupStream {
    const stream = new BackplaneStream(group, listener, {
      backplane: this.#backplane,
      limits: this.#owner.history,
      budget: this.#owner.budget,
      retries: this.#retries,
      history: (since) => this.#history(group, since),
      toEntry: (entry) => this.#toEntry(group, entry),
      report: (error) => this.#owner.report(error, group),
      ended: (unsubscribed) => this.#streamEnded(group, unsubscribed),
    });
    this.#streams.set(group, stream);
    stream.subscribe(this.#ending.get(group));
    return stream;
  }

  publish(group: string, message: GroupMessage, except: AnyChannel | undefined): Promise<string> {
    this.#number = (this.#number + 1) >>> 0;
    const number = this.#number;
    const stream = this.#streams.get(group);
    if (except !== undefined && stream !== undefined) this.#remember(number, except);
    const payload = encodeEnvelope({ origin: this.#origin, number, message });
    const { size, ttlMs } = this.#owner.history;
    const send = (): Promise<string> => orUnavailable(() => this.#backplane.publish(group, payload, { size, ttlMs }));
    // Members that were added before must receive the entry, so the subscription has to precede it in the backplane.
    return stream === undefined ? send() : stream.whenTried(send);
  }

  history(group: string, since: string): Promise<Replay> {
    return orUnavailable(() => this.#history(group, since));
  }

  async #history(group: string, since: string): Promise<Replay> {
    const isKnown = since === "" || this.#backplane.isId(since, group);
    const { entries, reset } = await (since === "" || !isKnown
      ? this.#backplane.history(group)
      : this.#backplane.history(group, since));
    const found = entries.flatMap((entry) => this.#toEntry(group, entry) ?? []);
    return { entries: found, reset: reset || !isKnown, position: entries.at(-1)?.id ?? "" };
  }

  compareIds(a: string, b: string, group: string): number {
    return this.#backplane.compareIds(a, b, group);
  }

  enter(group: string, member: BackplaneMember): void {
    this.#presence.enter(group, member);
  }

  leave(group: string, key: string): void {
    this.#presence.leave(group, key);
  }

  present(group: string): Promise<readonly BackplaneMember[]> {
    return orUnavailable(() => this.#backplane.present(group));
  }

  async close(): Promise<void> {
    this.#retries.close();
    // A backplane that does not answer must not hold up the caller for ever.
    const { clock } = this.#owner;
    await within(clock, CLOSE_MS, Promise.all([this.#presence.close(), ...this.#ending.values()]));
    await within(
      clock,
      CLOSE_MS,
      this.#backplane.close().catch((error) => this.#owner.report(error, "")),
    );
  }

  #streamEnded(group: string, unsubscribed: Promise<void>): void {
    this.#streams.delete(group);
    this.#ending.set(group, unsubscribed);
    void unsubscribed.then(() => {
      if (this.#ending.get(group) === unsubscribed) this.#ending.delete(group);
    });
  }

  /** Returns undefined for an entry that no store has written. */
  #toEntry(group: string, { id, payload }: BackplaneEntry): GroupEntry | undefined {
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined) {
      this.#owner.report(new ChannelError("BAD_DATA", `entry ${id} of the backplane is not a message`), group);
      return undefined;
    }
    const isOwn = envelope.origin === this.#origin;
    const except = isOwn ? this.#exceptions.get(envelope.number)?.deref() : undefined;
    return new GroupEntry(id, envelope.message, this.#owner.clock.now(), except);
  }

  #remember(number: number, except: AnyChannel): void {
    this.#exceptions.set(number, new WeakRef(except));
    if (this.#exceptions.size <= MAX_EXCEPTIONS) return;
    const [oldest] = this.#exceptions.keys();
    this.#exceptions.delete(oldest!);
  }
}
