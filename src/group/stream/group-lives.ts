// The lives of groups: a group begins with its first member in the whole service, and ends with its last. Here for one process;
// `service-groups.ts` for all processes of a backplane.

import { guard } from "../../base/guard.ts";
import type { ChannelStoreOptions } from "../channel-store.ts";

/** Receives the beginnings and ends that this process has to tell. Must not throw. */
export interface LifeListener {
  started(group: string): void;
  ended(group: string): void;
}

/** Returns undefined if the application has no such callbacks. */
export function toLifeListener(
  { onGroupStart, onGroupEnd }: Pick<ChannelStoreOptions, "onGroupStart" | "onGroupEnd">,
  report: (error: unknown, group: string) => void,
): LifeListener | undefined {
  if (onGroupStart === undefined && onGroupEnd === undefined) return undefined;
  const tell = (callback: ((group: string) => unknown) | undefined, group: string): void => {
    if (callback === undefined) return;
    void guard(
      () => callback(group),
      (error) => report(error, group),
    );
  };
  return { started: (group) => tell(onGroupStart, group), ended: (group) => tell(onGroupEnd, group) };
}

export interface GroupLives {
  /** Called whenever a member has come or gone. Polls do not count. */
  changed(group: string, hasMembers: boolean): void;
  /** The last member may be about to go on in another process: the group does not end for that, for a while. */
  keep(group: string): void;
  /** Resolves when everything is told. */
  close(): Promise<void>;
}

export class LocalLives implements GroupLives {
  readonly #listener: LifeListener;
  readonly #living = new Set<string>();
  /** Groups that have changed in this turn, and whether they have members now. */
  readonly #changed = new Map<string, boolean>();

  constructor(listener: LifeListener) {
    this.#listener = listener;
  }

  changed(group: string, hasMembers: boolean): void {
    if (this.#changed.size === 0) queueMicrotask(() => this.#tellAll());
    this.#changed.set(group, hasMembers);
  }

  keep(): void {}

  async close(): Promise<void> {
    this.#tellAll();
  }

  #tellAll(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const [group, hasMembers] of changed) {
      if (hasMembers === this.#living.has(group)) continue;
      if (hasMembers) {
        this.#living.add(group);
        this.#listener.started(group);
      } else {
        this.#living.delete(group);
        this.#listener.ended(group);
      }
    }
  }
}
