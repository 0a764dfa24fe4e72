// A browser with tabs in memory: locks and channels as its tabs see them, and tabs that can be closed, frozen and crashed. It is as
// unkind as a browser may be: a note leaves its tab a turn after it was posted, so that a crash can lose it, although bytes that
// were written to the network before the crash have left.

import { connect } from "../../../src/client/connect.ts";
import type { Connection, ConnectOptions } from "../../../src/client/connection.ts";
import type { WebSocketConstructor } from "../../../src/client/endpoint.ts";
import type { Environment, PageEvent } from "../../../src/client/environment.ts";
import {
  type TabChannel,
  type TabEvent,
  type TabLocks,
  type TabStatus,
  type TabsPlatform,
  tabs,
} from "../../../src/client/tabs/index.ts";
import type { TestPlatform } from "../../../src/testing/index.ts";

type LockCallback = (lock: unknown) => unknown;

interface LockRequest {
  readonly tab: MemoryTab;
  readonly name: string;
  readonly callback: LockCallback;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class MemoryBrowser {
  readonly #held = new Map<string, LockRequest>();
  readonly #queues = new Map<string, LockRequest[]>();
  readonly #channels = new Map<string, Set<MemoryChannel>>();
  readonly platform: TestPlatform;
  /** Notes that were delivered so far. */
  notes = 0;
  #tabs = 0;

  constructor(platform: TestPlatform) {
    this.platform = platform;
  }

  newTab(): MemoryTab {
    return new MemoryTab(this, `tab-${++this.#tabs}`);
  }

  request(request: LockRequest, steal: boolean): void {
    const { name } = request;
    const holder = this.#held.get(name);
    if (holder === undefined) this.#grant(request);
    else if (steal) {
      this.#grant(request);
      holder.tab.later(() => holder.reject(new DOMException("stolen", "AbortError")));
    } else this.#queueOf(name).push(request);
  }

  withdraw(request: LockRequest): void {
    const queue = this.#queueOf(request.name);
    const at = queue.indexOf(request);
    if (at >= 0) queue.splice(at, 1);
  }

  held(): { name: string; clientId: string }[] {
    return [...this.#held].map(([name, { tab }]) => ({ name, clientId: `client of ${tab.id}` }));
  }

  /** The tab exists no more. */
  gone(tab: MemoryTab): void {
    for (const queue of this.#queues.values()) {
      for (const request of queue.filter((one) => one.tab === tab)) queue.splice(queue.indexOf(request), 1);
    }
    for (const request of [...this.#held.values()]) if (request.tab === tab) this.#free(request);
    for (const channels of this.#channels.values()) {
      for (const channel of channels) if (channel.tab === tab) channels.delete(channel);
    }
  }

  channelsOf(name: string): Set<MemoryChannel> {
    let channels = this.#channels.get(name);
    if (channels === undefined) this.#channels.set(name, (channels = new Set()));
    return channels;
  }

  #queueOf(name: string): LockRequest[] {
    let queue = this.#queues.get(name);
    if (queue === undefined) this.#queues.set(name, (queue = []));
    return queue;
  }

  #grant(request: LockRequest): void {
    this.#held.set(request.name, request);
    request.tab.later(() => {
      // It was stolen before its tab knew of it.
      if (this.#held.get(request.name) !== request) return;
      Promise.resolve(request.callback({ name: request.name })).then((value) => {
        this.#free(request);
        request.resolve(value);
      });
    });
  }

  #free(request: LockRequest): void {
    if (this.#held.get(request.name) !== request) return;
    this.#held.delete(request.name);
    const next = this.#queueOf(request.name).shift();
    if (next !== undefined) this.#grant(next);
  }
}

class MemoryChannel implements TabChannel {
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  readonly tab: MemoryTab;
  readonly #peers: Set<MemoryChannel>;
  isClosed = false;

  constructor(tab: MemoryTab, peers: Set<MemoryChannel>) {
    this.tab = tab;
    this.#peers = peers;
    peers.add(this);
  }

  postMessage(message: unknown): void {
    if (this.isClosed) throw new DOMException("closed", "InvalidStateError");
    const data = structuredClone(message);
    this.tab.leaves(() => {
      for (const peer of this.#peers) if (peer !== this) peer.tab.later(() => peer.#deliver(data));
    });
  }

  close(): void {
    this.isClosed = true;
    this.#peers.delete(this);
  }

  #deliver(data: unknown): void {
    this.tab.browser.notes += 1;
    if (!this.isClosed) this.onmessage?.({ data } as MessageEvent);
  }
}

export class MemoryTab {
  readonly browser: MemoryBrowser;
  readonly id: string;
  readonly statuses: TabStatus[] = [];
  #state: "running" | "frozen" | "gone" = "running";
  /** Tasks that wait until the page runs again. */
  #tasks: (() => void)[] = [];
  readonly #pageWatchers = new Set<(event: PageEvent) => void>();
  readonly #watchers = new Set<(event: TabEvent) => void>();
  readonly #sockets = new Set<{ close(): void }>();
  readonly #end = new AbortController();

  constructor(browser: MemoryBrowser, id: string) {
    this.browser = browser;
    this.id = id;
  }

  /** Calls `fn` as a task of this tab: not while it is frozen, and never when it is gone. */
  run(fn: () => void): void {
    if (this.#state === "running") fn();
    else if (this.#state === "frozen") this.#tasks.push(fn);
  }

  /** The same in another turn. */
  later(fn: () => void): void {
    setImmediate(() => this.run(fn));
  }

  /** Calls `fn` in another turn, unless the tab has crashed by then. */
  leaves(fn: () => void): void {
    setImmediate(() => {
      if (this.#state !== "gone") fn();
    });
  }

  get platform(): TabsPlatform {
    const { browser } = this;
    const locks: TabLocks = {
      request: (name, { signal, steal = false }, callback) =>
        new Promise((resolve, reject) => {
          const request: LockRequest = { tab: this, name, callback, resolve, reject };
          signal?.addEventListener("abort", () => {
            browser.withdraw(request);
            reject(signal.reason);
          });
          browser.request(request, steal);
        }),
      query: () => new Promise((resolve) => this.later(() => resolve({ held: browser.held() }))),
    };
    return {
      locks,
      openChannel: (name) => new MemoryChannel(this, browser.channelsOf(name)),
      newId: () => this.id,
      watch: (fn) => {
        this.#watchers.add(fn);
        return () => void this.#watchers.delete(fn);
      },
    };
  }

  get environment(): Environment {
    const { clock, random } = this.browser.platform.environment;
    return {
      clock: {
        now: () => clock.now(),
        setTimer: (fn, delayMs) => clock.setTimer(() => this.run(fn), delayMs),
        clearTimer: (timer) => clock.clearTimer(timer),
      },
      random,
      watch: (fn) => {
        this.#pageWatchers.add(fn);
        return () => void this.#pageWatchers.delete(fn);
      },
    };
  }

  get options(): ConnectOptions {
    return { environment: this.environment, fetch: this.#fetch, WebSocket: this.#WebSocket };
  }

  /** A connection of this tab that shares. */
  connect(url: string, options: ConnectOptions = {}, user = "user"): Connection {
    const share = tabs({ user, platform: this.platform, onStatus: (status) => this.statuses.push(status) });
    return connect(url, { ...this.options, share, ...options });
  }

  get status(): TabStatus | undefined {
    return this.statuses.at(-1);
  }

  /** The page is frozen; with `isTold: false`, as by a debugger, without the event. */
  freeze({ isTold = true }: Told = {}): void {
    if (isTold) this.#tell("leave");
    setImmediate(() => {
      if (this.#state === "running") this.#state = "frozen";
    });
  }

  thaw({ isTold = true }: Told = {}): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    // The tasks that wait come before the event.
    for (const task of this.#tasks.splice(0)) task();
    if (isTold) this.#tell("return");
    for (const fn of this.#pageWatchers) fn("awake");
  }

  /** The user closes the tab. */
  close(): void {
    this.#tell("leave");
    this.leaves(() => setImmediate(() => this.crash()));
  }

  /** The process of the tab is gone. */
  crash(): void {
    this.#state = "gone";
    this.browser.gone(this);
    for (const socket of this.#sockets) socket.close();
    this.#end.abort();
  }

  #tell(event: TabEvent): void {
    for (const fn of this.#watchers) fn(event);
  }

  get #fetch(): typeof fetch {
    return async (input, init = {}) => {
      if (this.#state === "gone") return new Promise(() => {});
      const signals = [this.#end.signal, ...(init.signal ? [init.signal] : [])];
      return this.browser.platform.fetch(input, { ...init, signal: AbortSignal.any(signals) });
    };
  }

  get #WebSocket(): WebSocketConstructor {
    const tab = this;
    const { WebSocket } = this.browser.platform;
    // Each handler that the client sets is called as a task of the tab.
    return class extends (WebSocket as unknown as new (...args: unknown[]) => EventHandlers) {
      constructor(...args: unknown[]) {
        super(...args);
        tab.#sockets.add(this);
        // biome-ignore lint/correctness/noConstructorReturn: the handlers of the platform are plain fields
        return new Proxy<EventHandlers>(this, {
          get: (target, name) => {
            const value = Reflect.get(target, name, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
          set: (target, name, value) => {
            const isHandler = String(name).startsWith("on");
            return Reflect.set(
              target,
              name,
              isHandler ? (event: object) => tab.run(() => value(event)) : value,
              target,
            );
          },
        });
      }
    } as unknown as WebSocketConstructor;
  }
}

/** `isTold`: the page gets the event. */
interface Told {
  readonly isTold?: boolean;
}

interface EventHandlers {
  close(): void;
}
