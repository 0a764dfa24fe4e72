// The locks of a tab (Web Locks API). The tab that holds the lock of the name leads. Each tab also holds a lock of its own, which
// tells the others that it exists: the browser frees it when the page is closed or has crashed.

import type { TabLocks } from "./platform.ts";

export interface TabLocksEvents {
  /** The tab holds its own lock: others can see it. */
  onReady(): void;
  onElected(): void;
  /** Another tab has stolen the lock. */
  onDeposed(): void;
  /** This page gets no locks. */
  onRefused(error: unknown): void;
}

export interface HeldLocks {
  /** Takes the lock from the tab that holds it. */
  steal(): void;
  /** Resolves to true if this tab holds the lock. */
  isElected(): Promise<boolean>;
  /** Resolves to the ids of the other tabs that exist; undefined if the browser refuses the question. */
  others(): Promise<string[] | undefined>;
  /** Calls `fn` when the tab exists no more; returns the function that ends this. */
  watch(tab: string, fn: () => void): () => void;
  release(): void;
}

type Held = Awaited<ReturnType<TabLocks["query"]>>["held"];

/** `name`: the same for all tabs that share a session. A JSON text: no name with a "/" behind it is another name. */
export function takeLocks(locks: TabLocks, name: string, id: string, events: TabLocksEvents): HeldLocks {
  const ownName = `${name}/${id}`;
  const frees: (() => void)[] = [];
  let candidacy = new AbortController();
  let isReleased = false;

  /** Also rejects where the browser throws. */
  const request: TabLocks["request"] = async (...parameters) => locks.request(...parameters);

  function hold(
    lock: string,
    options: { readonly signal?: AbortSignal; readonly steal?: boolean },
    onGranted: () => void,
  ): void {
    let isGranted = false;
    const held = (): Promise<void> | undefined => {
      if (isReleased || options.signal?.aborted) return undefined;
      isGranted = true;
      const end = new Promise<void>((resolve) => frees.push(resolve));
      onGranted();
      return end;
    };
    request(lock, options, held).catch((error: unknown) => {
      if (isReleased || (!isGranted && options.signal?.aborted)) return;
      // A lock may be stolen before this page knows that it had it.
      if ((error as DOMException).name !== "AbortError") return events.onRefused(error);
      stand();
      if (isGranted) events.onDeposed();
    });
  }

  /** Waits for the lock. */
  function stand(): void {
    candidacy = new AbortController();
    hold(name, { signal: candidacy.signal }, events.onElected);
  }

  hold(ownName, {}, () => {
    events.onReady();
    stand();
  });

  /** Undefined if the browser refuses the question. */
  const heldLocks = async (): Promise<Held | undefined> => {
    try {
      return (await locks.query()).held ?? [];
    } catch {
      return undefined;
    }
  };

  return {
    steal() {
      candidacy.abort();
      hold(name, { steal: true }, events.onElected);
    },
    async isElected() {
      const held = await heldLocks();
      // A page whose question is refused has heard of no other leader: its own request would be rejected.
      if (!held) return true;
      const clientOf = (lock: string): string | undefined => held.find((one) => one.name === lock)?.clientId;
      const client = clientOf(name);
      return client !== undefined && client === clientOf(ownName);
    },
    async others() {
      const held = await heldLocks();
      const prefix = `${name}/`;
      return held?.flatMap((lock) =>
        lock.name?.startsWith(prefix) && lock.name !== ownName ? [lock.name.slice(prefix.length)] : [],
      );
    },
    watch(tab, fn) {
      const end = new AbortController();
      const { signal } = end;
      request(`${name}/${tab}`, { signal }, () => void (signal.aborted || fn())).catch(() => {});
      return () => end.abort();
    },
    release() {
      isReleased = true;
      candidacy.abort();
      for (const free of frees) free();
    },
  };
}
