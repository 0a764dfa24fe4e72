// The streams of groups that a backplane carries between processes. Every entry comes back through the backplane, also to
// the process that published it, so that all processes receive the same order.
// Long because the histories of a backplane are read in several ways, which share their decoding.

import type { Backplane, BackplaneEntry, BackplaneMember } from "../../backplane/backplane.ts";
import { GuardedBackplane } from "../../backplane/guarded.ts";
import { orUnavailable } from "../../backplane/unavailable.ts";
import { utf8 } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { badOption } from "../../base/option-values.ts";
import { within } from "../../base/within.ts";
import type { AnyChannel } from "../../channel/channel.ts";
import { nodeCrypto } from "../../transport/node-modules.ts";
import type { StoreHistoryLimits } from "../channel-store.ts";
import { type Control, ControlEntry, isControl } from "../control.ts";
import type { HistoryBudget } from "../history-budget.ts";
import { newestOfEach, wholeOf } from "../latest.ts";
import type { LatestKey } from "../latest-key.ts";
import { GroupEntry, type GroupMessage } from "../message.ts";
import { watchedGroup } from "../own-groups.ts";
import type { PresenceView } from "../presence-view.ts";
import { BackplaneStream, type BackplaneStreamOwner } from "./backplane-stream.ts";
import { Counts } from "./counts.ts";
import { decodeEnvelope, encodeEnvelope, ORIGIN_BYTES } from "./envelope.ts";
import type { GroupLives, LifeListener } from "./group-lives.ts";
import { PresenceKeeper } from "./presence.ts";
import { PresenceEvents } from "./presence-events.ts";
import { PresenceWatch } from "./presence-watch.ts";
import { Retries } from "./retries.ts";
import { ServiceGroups } from "./service-groups.ts";
import type {
  GroupStream,
  PublishTo,
  Replay,
  SourceOwner,
  StreamListener,
  StreamPart,
  StreamSource,
} from "./source.ts";
import { StreamLeases } from "./stream-leases.ts";

/** Entries of this store whose `except` is remembered until they come back; the oldest are forgotten first. */
const MAX_EXCEPTIONS = 10_000;

/** Time that leaving the backplane may take, and closing it. */
const CLOSE_MS = 10_000;

interface DecodedEntry {
  /** The store that published it. */
  readonly origin: string;
  readonly place: StreamPart["place"] | undefined;
  readonly found: GroupEntry | ControlEntry;
}

interface EncodeOptions {
  readonly except?: AnyChannel | undefined;
  /** True if the message is published to several groups. */
  readonly isShared?: boolean;
  readonly place?: StreamPart["place"];
}

export class BackplaneSource implements StreamSource, BackplaneStreamOwner {
  readonly keepsHistory = false;
  readonly isShared = true;
  readonly backplane: GuardedBackplane;
  readonly limits: StoreHistoryLimits;
  readonly keepsLatest: boolean;
  readonly budget: HistoryBudget;
  readonly retries: Retries;
  readonly counts: Counts | undefined;
  readonly lives: GroupLives | undefined;
  readonly leases: StreamLeases;
  readonly #owner: SourceOwner;
  readonly #presence: PresenceKeeper;
  /** Subscriptions that are being ended. A group has one subscription at a time, so the next one waits for them. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Readings of the last values of groups that are under way. */
  readonly #reading = new Map<string, Promise<Replay>>();
  /** Marks the entries of this store. */
  readonly #origin: string = nodeCrypto().randomBytes(ORIGIN_BYTES).toString("hex");
  /** Number of the last entry that this store published, modulo 2^32. */
  #number = 0;
  readonly #exceptions = new Map<number, WeakRef<AnyChannel>>();

  constructor(backplane: Backplane, owner: SourceOwner) {
    this.backplane = new GuardedBackplane(backplane, owner.report);
    this.limits = owner.history;
    this.keepsLatest = owner.keepsLatest;
    if (owner.keepsLatest && !this.backplane.hasLatest) {
      throw badOption(
        "history.latest needs a backplane with the methods publishLatest and latest; this one lacks them",
      );
    }
    this.budget = owner.budget;
    this.retries = new Retries(owner.clock);
    this.#owner = owner;
    const { clock, hasCounts, lives, report } = owner;
    const events = new PresenceEvents(this.backplane, clock, this.limits);
    this.#presence = new PresenceKeeper(this.backplane, this.retries, {
      report,
      entered: (group, { key, payload }) => events.add(group, [key, utf8(payload)]),
      left: (group, key) => events.add(group, [key]),
    });
    this.lives = lives === undefined ? undefined : this.#makeLives(lives);
    this.leases = new StreamLeases({
      ...{ backplane: this.backplane, clock, retries: this.retries, id: this.#origin },
      report,
    });
    this.counts = hasCounts ? new Counts(this.backplane, clock, report) : undefined;
  }

  #makeLives({ started, ended }: LifeListener): GroupLives {
    if (!this.backplane.hasRecords) {
      throw badOption(
        "onGroupStart and onGroupEnd need a backplane with the methods readRecord, swapRecord and listRecords; this one lacks them",
      );
    }
    const { clock, report } = this.#owner;
    return new ServiceGroups({ backplane: this.backplane, clock, retries: this.retries, report, started, ended });
  }

  open(group: string, listener: StreamListener): GroupStream {
    return new BackplaneStream(group, listener, this, this.#ending.get(group));
  }

  publish(group: string, message: GroupMessage): Promise<string> {
    return this.preparePublish(group, message, undefined)();
  }

  /** Returns the call that publishes a message. Messages are numbered in the order of the calls of this method. */
  preparePublish(group: string, message: GroupMessage, except: AnyChannel | undefined): () => Promise<string> {
    const payload = this.#encode(message, { except });
    return () => this.#send(group, payload, message.latest);
  }

  share(message: GroupMessage, except: AnyChannel | undefined): PublishTo {
    return this.#publisher(message, except);
  }

  part({ message, keep, place }: StreamPart): PublishTo {
    const payload = this.#encode(message, { place });
    const { size, ttlMs } = keep;
    return (group, stream) => {
      const send = (): Promise<string> => orUnavailable(() => this.backplane.publish(group, payload, { size, ttlMs }));
      return stream instanceof BackplaneStream ? stream.afterSubscribing(send) : send();
    };
  }

  control(control: Control): PublishTo {
    return this.#publisher(control, undefined);
  }

  history(group: string, since: string): Promise<Replay> {
    return orUnavailable(() => this.#readHistory(group, since, (entry) => this.#decode(group, entry)?.found));
  }

  readHistory(group: string, since: string): Promise<Replay> {
    return this.#readHistory(group, since, (entry) => this.toEntry(group, entry));
  }

  async #readHistory(
    group: string,
    since: string,
    convert: (entry: BackplaneEntry) => GroupEntry | ControlEntry | undefined,
  ): Promise<Replay> {
    const isKnown = since === "" || this.backplane.isId(since, group);
    if (this.keepsLatest && (since === "" || !isKnown)) return { ...(await this.#readWhole(group)), reset: !isKnown };
    const { entries, reset } = await this.backplane.history(group, since === "" || !isKnown ? undefined : since);
    if (this.keepsLatest && reset) return { ...(await this.#readWhole(group)), reset };
    const found = toMessages(entries, convert);
    const position = entries.at(-1)?.id;
    return { entries: this.keepsLatest ? newestOfEach(found) : found, reset: reset || !isKnown, position };
  }

  /** Reads the last values once for all members that join meanwhile: what follows they get from the log. */
  #readWhole(group: string): Promise<Replay> {
    let reading = this.#reading.get(group);
    if (reading === undefined) {
      reading = this.#readValues(group).finally(() => this.#reading.delete(group));
      this.#reading.set(group, reading);
    }
    return reading;
  }

  /** The position is the end of the history as it was read first: a value with a later id comes with the stream. */
  async #readValues(group: string): Promise<Replay> {
    const compare = (a: string, b: string): number => this.backplane.compareIds(a, b, group);
    const toEntries = (entries: readonly BackplaneEntry[]): readonly GroupEntry[] =>
      toMessages(entries, (entry) => this.toEntry(group, entry));
    for (;;) {
      const { entries } = await this.backplane.history(group);
      const values = await this.backplane.latest(group);
      const position = entries.at(-1)?.id;
      // Without a position something may have been published between the two.
      if (position === undefined && (await this.backplane.history(group)).entries.length > 0) continue;
      const known = position === undefined ? values : values.filter(({ id }) => compare(id, position) <= 0);
      const whole = wholeOf(toEntries(known), toEntries(entries), compare);
      return { entries: whole, reset: false, position };
    }
  }

  enter(group: string, member: BackplaneMember, from?: string): void {
    this.#presence.enter(group, member, from);
  }

  release(group: string, key: string): string | undefined {
    return this.#presence.release(group, key);
  }

  leave(group: string, key: string): void {
    this.#presence.leave(group, key);
  }

  present(group: string): Promise<readonly BackplaneMember[]> {
    return orUnavailable(() => this.backplane.present(group));
  }

  watchPresence(view: PresenceView): () => void {
    const name = watchedGroup(view.group);
    const options = {
      ...{ backplane: this.backplane, retries: this.retries, clock: this.#owner.clock, key: this.#origin },
      report: this.#owner.report,
    };
    const watch = new PresenceWatch(view, options, this.#ending.get(name));
    return () => this.streamEnded(name, watch.end());
  }

  async close(): Promise<void> {
    this.counts?.close();
    this.leases.close();
    // A backplane that does not answer must not hold up the caller for ever.
    const { clock, report } = this.#owner;
    if (this.lives !== undefined) {
      await within(
        clock,
        CLOSE_MS,
        this.lives.close().catch((error) => report(error, undefined)),
      );
    }
    this.retries.close();
    await within(clock, CLOSE_MS, Promise.all([this.#presence.close(), ...this.#ending.values()]));
    await within(
      clock,
      CLOSE_MS,
      this.backplane.close().catch((error) => this.#owner.report(error, undefined)),
    );
  }

  streamEnded(group: string, unsubscribed: Promise<void>): void {
    this.leases.forget(group);
    this.#ending.set(group, unsubscribed);
    void unsubscribed.then(() => {
      if (this.#ending.get(group) === unsubscribed) this.#ending.delete(group);
    });
  }

  report(error: unknown, group: string): void {
    this.#owner.report(error, group);
  }

  toEntry(group: string, entry: BackplaneEntry): GroupEntry | ControlEntry | undefined {
    const decoded = this.#decode(group, entry);
    if (decoded?.place !== undefined) this.leases.received(group, decoded.origin, decoded.place);
    return decoded?.found;
  }

  #decode(group: string, { id, payload }: BackplaneEntry): DecodedEntry | undefined {
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined) {
      this.report(new ChannelError("BAD_DATA", `entry ${id} of the backplane is not a message`), group);
      return undefined;
    }
    const { origin, number, message, isShared, place } = envelope;
    if (isControl(message)) return { origin, place, found: new ControlEntry(id, message) };
    const except = origin === this.#origin ? this.#exceptions.get(number)?.deref() : undefined;
    const publication = isShared ? this.#owner.publications.open(`${origin} ${number}`) : undefined;
    return { origin, place, found: new GroupEntry(id, message, this.#owner.clock.now(), except, publication) };
  }

  #encode(message: GroupMessage | Control, { except, isShared = false, place }: EncodeOptions): Uint8Array {
    this.#number = (this.#number + 1) >>> 0;
    if (except !== undefined) this.#remember(this.#number, except);
    return encodeEnvelope({ origin: this.#origin, number: this.#number, message, isShared, place });
  }

  #send(group: string, payload: Uint8Array, latest: LatestKey | undefined): Promise<string> {
    const { size, ttlMs, maxKeys, valueTtlMs } = this.limits;
    const keep = { size, ttlMs };
    if (latest === undefined) return orUnavailable(() => this.backplane.publish(group, payload, keep));
    const value = { ...latest, maxKeys, ttlMs: valueTtlMs };
    return orUnavailable(() => this.backplane.publishLatest(group, payload, keep, value));
  }

  #publisher(message: GroupMessage | Control, except: AnyChannel | undefined): PublishTo {
    const payload = this.#encode(message, { except, isShared: !isControl(message) });
    return (group, stream) => {
      const latest = isControl(message) ? undefined : message.latest;
      const send = (): Promise<string> => this.#send(group, payload, latest);
      return stream instanceof BackplaneStream ? stream.afterSubscribing(send) : send();
    };
  }

  #remember(number: number, except: AnyChannel): void {
    this.#exceptions.set(number, new WeakRef(except));
    if (this.#exceptions.size <= MAX_EXCEPTIONS) return;
    const [oldest] = this.#exceptions.keys();
    this.#exceptions.delete(oldest!);
  }
}

/** Leaves out controls: a channel that joins with an id was no member when they had their turn. */
function toMessages(
  entries: readonly BackplaneEntry[],
  convert: (entry: BackplaneEntry) => GroupEntry | ControlEntry | undefined,
): readonly GroupEntry[] {
  return entries.flatMap((entry) => {
    const each = convert(entry);
    return each instanceof GroupEntry ? [each] : [];
  });
}
