// The open pages. While one of them looks, the server is sampled once a second and each page is sent what it shows; otherwise there
// is no timer, no sample and no listener on a store.

import type { Clock, Timer } from "../base/clock.ts";
import type { Channel } from "../channel/channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { ServerStats } from "../server/counts.ts";
import { type ActionName, actionOf } from "./actions.ts";
import type { ChannelTable } from "./channel-table.ts";
import { CpuBudget } from "./cpu-budget.ts";
import { channelDetail, channelsPage, groupDetail, groupsPage, type WatchedStores } from "./lists.ts";
import type { Done, Hello, Kind, Sample, TimelineEvent, Update } from "./page/wire.ts";
import type { Sampler } from "./sampler.ts";
import { type Loose, parseMessage, toView } from "./view.ts";
import { Viewer } from "./viewer.ts";

const TICK_MS = 1000;
/** Interval at which the application is asked whether a page may still look, and the time that it has for its answer. */
export const RECHECK_MS = 30_000;
/** Close code of a page that may not look any more; of the application's range (RFC 6455 §7.4.2). */
export const NOT_AUTHORIZED = 4401;

export interface ViewersOwner {
  readonly table: ChannelTable;
  readonly stores: WatchedStores;
  readonly sampler: Sampler;
  readonly clock: Clock;
  status(): string;
  stats(): ServerStats;
  hello(): Omit<Hello, "type" | "now" | "samples">;
  /** Resolves with false if the request may not look any more. Never rejects. */
  mayLook(request: ChannelRequest): Promise<boolean>;
  /** Carries out an action, if it is allowed. Resolves with the mistake, if there is one. Never rejects. */
  act(action: ActionName, given: Loose, request: ChannelRequest): Promise<string | undefined>;
}

export class Viewers {
  readonly #owner: ViewersOwner;
  readonly #viewers = new Map<Channel, Viewer>();
  readonly #budget: CpuBudget;
  #timer: Timer | undefined;
  /** Runs as long as a page is open, also one that is hidden or paused: it may look again at any time. */
  #recheckTimer: Timer | undefined;
  #sampledAt = 0;
  #received = 0;
  #sent = 0;

  constructor(owner: ViewersOwner) {
    this.#owner = owner;
    this.#budget = new CpuBudget(() => owner.clock.now());
  }

  get size(): number {
    return this.#viewers.size;
  }

  /** Opens a page, or continues one whose session has come from another process. */
  open(channel: Channel, request: ChannelRequest): void {
    this.#viewers.set(channel, new Viewer(channel, request));
    const now = this.#owner.clock.now();
    const samples = this.#owner.sampler.latest();
    this.#send(channel, { type: "hello", now, samples, ...this.#owner.hello() });
    this.#checkLater();
  }

  /** A carrier of a page was authorized. */
  carried(channel: Channel, request: ChannelRequest): void {
    const viewer = this.#viewers.get(channel);
    if (viewer !== undefined) viewer.request = request;
  }

  /** The page says what it shows, and is answered at once; or it asks for an action, and its next message waits for the end of it. */
  message(channel: Channel, message: unknown): Promise<void> | undefined {
    this.#received += 1;
    const viewer = this.#viewers.get(channel);
    const given = parseMessage(message);
    if (viewer === undefined || given === undefined) return undefined;
    const action = actionOf(given);
    if (action !== undefined) return this.#act(viewer, action, given);
    viewer.view = toView(given);
    this.#check();
    if (viewer.isLooking) this.#answer(viewer);
    return undefined;
  }

  close(channel: Channel): void {
    this.#viewers.delete(channel);
    this.#check();
    this.#checkLater();
  }

  closeAll(): void {
    for (const channel of [...this.#viewers.keys()]) channel.close(1001, "the inspector was closed");
    this.#viewers.clear();
    this.#check();
    this.#checkLater();
  }

  happened(event: TimelineEvent): void {
    for (const viewer of this.#viewers.values()) if (viewer.isLooking) viewer.happened(event);
  }

  /** Starts or stops looking. */
  #check(): void {
    const { clock, sampler, stores } = this.#owner;
    const isLooked = [...this.#viewers.values()].some((viewer) => viewer.isLooking);
    if (isLooked === (this.#timer !== undefined)) return;
    if (isLooked) {
      sampler.start();
      for (const { activity } of stores.values()) activity.start();
      if (this.#budget.waitMs === 0) this.#budget.run(() => this.#sample());
      this.#tickLater();
    } else {
      clock.clearTimer(this.#timer);
      this.#timer = undefined;
      sampler.stop();
      for (const { activity } of stores.values()) activity.stop();
    }
  }

  #tickLater(): void {
    this.#timer = this.#owner.clock.setTimer(
      () => {
        // Set first, so that an exception does not end all updates.
        this.#tickLater();
        this.#budget.run(() => this.#tick());
      },
      Math.max(TICK_MS, this.#budget.waitMs),
    );
  }

  #tick(): void {
    const { clock, stores } = this.#owner;
    const now = clock.now();
    for (const { activity } of stores.values()) activity.tick(Math.max(1, now - this.#sampledAt));
    const sample = this.#sample();
    for (const viewer of this.#viewers.values()) if (viewer.isLooking && viewer.isReady) this.#update(viewer, sample);
  }

  /** Answers a page that shows something else now. One that asks too often, or takes nothing, is answered by the next tick. */
  #answer(viewer: Viewer): void {
    if (viewer.isReady && this.#budget.waitMs === 0) this.#budget.run(() => this.#update(viewer, null));
  }

  #sample(): Sample | undefined {
    const { clock, table, sampler } = this.#owner;
    this.#sampledAt = clock.now();
    const { away } = table.sample();
    const { opened, closed } = table;
    return sampler.take(this.#sampledAt, this.#owner.stats(), {
      ...{ status: this.#owner.status(), away, opened, closed },
      own: { channels: this.#kinds(), received: this.#received, sent: this.#sent },
    });
  }

  /** The pages' own channels by transport: they are not counted. */
  #kinds(): Record<Kind, number> {
    const kinds = { websocket: 0, sse: 0, stream: 0, poll: 0 };
    for (const { transport } of this.#viewers.keys()) kinds[transport] += 1;
    return kinds;
  }

  #update(viewer: Viewer, sample: Sample | undefined | null): void {
    const { table, stores, clock } = this.#owner;
    const { channel, view } = viewer;
    const now = clock.now();
    const update: Update = {
      type: "update",
      now,
      sample: sample ?? null,
      happened: viewer.takeHappened(now),
      channels: view.tab === "channels" ? channelsPage(table, view.channels) : null,
      groups: view.tab === "groups" ? groupsPage(stores, view.groups) : null,
      ...(view.channel !== null && { channel: channelDetail(table, stores, view.channel) }),
      ...(view.group !== null && { group: groupDetail(table, stores, view.group) }),
    };
    this.#send(channel, update);
  }

  async #act({ channel, request }: Viewer, action: ActionName, given: Loose): Promise<void> {
    const error = await this.#owner.act(action, given, request);
    this.#send(channel, { type: "done", n: Number(given["n"] ?? 0), error: error ?? null });
  }

  #send(channel: Channel, message: Hello | Update | Done): void {
    if (channel.send(JSON.stringify(message))) this.#sent += 1;
  }

  /** Starts or stops the timer that asks the application again. */
  #checkLater(): void {
    const { clock } = this.#owner;
    if (this.#viewers.size > 0 === (this.#recheckTimer !== undefined)) return;
    if (this.#viewers.size > 0) this.#recheckTimer = clock.setTimer(() => this.#recheckAll(), RECHECK_MS);
    else {
      clock.clearTimer(this.#recheckTimer);
      this.#recheckTimer = undefined;
    }
  }

  #recheckAll(): void {
    this.#recheckTimer = this.#owner.clock.setTimer(() => this.#recheckAll(), RECHECK_MS);
    for (const viewer of [...this.#viewers.values()]) void this.#recheck(viewer);
  }

  /** No answer is a no: a database that hangs must not let a page look forever. */
  async #recheck(viewer: Viewer): Promise<void> {
    const { channel, request, isAsked } = viewer;
    viewer.isAsked = true;
    const mayLook = !isAsked && (await this.#owner.mayLook(request));
    viewer.isAsked = false;
    if (!mayLook) channel.close(NOT_AUTHORIZED, "not authorized any more");
  }
}
