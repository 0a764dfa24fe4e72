// The parts of a browser through which tabs find each other. They are an option, so that tests run many tabs in one process.

/** The methods of `navigator.locks` that are used (Web Locks API). */
export interface TabLocks {
  /** As `LockManager.request`. */
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    callback: (lock: unknown) => unknown,
  ): Promise<unknown>;
  /** As `LockManager.query`. */
  query(): Promise<{ readonly held?: readonly { readonly name?: string; readonly clientId?: string }[] }>;
}

/** The members of a BroadcastChannel that are used. */
export interface TabChannel {
  /** Called with each message of the other tabs. */
  onmessage: ((event: MessageEvent) => unknown) | null;
  /** Sends a message to the other tabs. */
  postMessage(message: unknown): void;
  /** Ends it. */
  close(): void;
}

/** `leave`: the page may stop at any moment, and for ever. `return`: it goes on. */
export type TabEvent = "leave" | "return";

/** The browser, as tabs need it. */
export interface TabsPlatform {
  /** `navigator.locks`; undefined where there is none: another browser, or a page without a secure origin. */
  readonly locks: TabLocks | undefined;
  /** Opens a BroadcastChannel; undefined where there is none. */
  readonly openChannel: ((name: string) => TabChannel) | undefined;
  /** Returns a random name for a tab. */
  newId(): string;
  /** Calls `fn` at each event of the page; returns the function that ends this. */
  watch(fn: (event: TabEvent) => void): () => void;
}

/** WICG Page Lifecycle and HTML §7.4.6: a page with locks or channels cannot be kept for the way back. */
const EVENTS: Readonly<Record<string, TabEvent>> = {
  freeze: "leave",
  pagehide: "leave",
  resume: "return",
  pageshow: "return",
};

export const browser: TabsPlatform = {
  locks: globalThis.navigator?.locks as TabLocks | undefined,
  openChannel: globalThis.BroadcastChannel && ((name) => new BroadcastChannel(name)),
  newId: () => Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("-"),
  watch(fn) {
    const end = new AbortController();
    // `capture` also gets the events of the document.
    const options = { capture: true, signal: end.signal };
    for (const [type, event] of Object.entries(EVENTS)) globalThis.addEventListener?.(type, () => fn(event), options);
    return () => end.abort();
  },
};
