// The open pages. While one of them looks, the server is sampled once a second and each page is sent what it shows; otherwise there
// is no timer, no sample and no listener on a store.

import type { Clock, Timer } from "../base/clock.ts";
import type { Channel } from "../channel/channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { ServerStats } from "../server/counts.ts";
import { type ActionName, actionOf } from "./actions.ts";
import type { ChannelTable } from "./channel-table.ts";
import { channelDetail, channelsPage, groupDetail, groupsPage, type WatchedStores } from "./lists.ts";
import type { Done, Hello, Kind, Sample, TimelineEvent, Update } from "./page/wire.ts";
import type { Sampler } from "./sampler.ts";
import { type Loose, parseMessage, toView } from "./view.ts";
import { Viewer } from "./viewer.ts";

const TICK_MS = 1000;
/** The part of the time that looking may take: a tick that took longer than 20 ms makes the pause until the next one longer. */
const MAX_SHARE = 0.02;
const MAX_TICK_MS = 10_000;
/** Interval at which the application is asked whether a page may still look. */
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
  #timer: Timer | undefined;
  #sampledAt = 0;
  #checkedAt = 0;
  #tickMs = TICK_MS;
  #received = 0;
  #sent = 0;

  constructor(owner: ViewersOwner) {
    this.#owner = owner;
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
    if (viewer.isLooking) this.#update(viewer, null);
    return undefined;
  }

  close(channel: Channel): void {
    this.#viewers.delete(channel);
    this.#check();
  }

  closeAll(): void {
    for (const channel of [...this.#viewers.keys()]) channel.close(1001, "the inspector was closed");
    this.#viewers.clear();
    this.#check();
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
      this.#sample();
      this.#checkedAt = clock.now();
      this.#timer = clock.setTimer(() => this.#tick(), TICK_MS);
    } else {
      clock.clearTimer(this.#timer);
      this.#timer = undefined;
      sampler.stop();
      for (const { activity } of stores.values()) activity.stop();
    }
  }

  #tick(): void {
    const { clock, stores } = this.#owner;
    const now = clock.now();
    // Set first, so that an exception below does not end all updates.
    this.#timer = clock.setTimer(() => this.#tick(), this.#tickMs);
    const before = process.cpuUsage();
    for (const { activity } of stores.values()) activity.tick(Math.max(1, now - this.#sampledAt));
    const sample = this.#sample();
    for (const viewer of this.#viewers.values()) if (viewer.isLooking && viewer.isReady) this.#update(viewer, sample);
    if (now - this.#checkedAt >= RECHECK_MS) {
      this.#checkedAt = now;
      for (const viewer of this.#viewers.values()) void this.#recheck(viewer);
    }
    const { user, system } = process.cpuUsage(before);
    this.#tickMs = Math.min(Math.max(TICK_MS, (user + system) / 1000 / MAX_SHARE), MAX_TICK_MS);
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

  async #recheck({ channel, request }: Viewer): Promise<void> {
    if (!(await this.#owner.mayLook(request))) channel.close(NOT_AUTHORIZED, "not authorized any more");
  }
}
