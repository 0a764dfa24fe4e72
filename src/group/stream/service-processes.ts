// The processes of a service, as one of them sees them: which live, and which have died. A process has an id, a record that says
// that it lives, and is listed as present. One that is not listed any more is declared dead by another one, which changes its
// record: it learns of that when it lives nevertheless, and goes on under another id.

import type { GuardedBackplane } from "../../backplane/guarded.ts";
import { utf8, utf8Bytes } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { nodeCrypto } from "../../transport/node-modules.ts";
import { PROCESSES } from "../own-groups.ts";
import type { Retries } from "./retries.ts";

/** Interval of looking after the processes. */
export const LOOK_MS = 5000;
/** Looks in succession that do not find a process before it counts as dead: a broker that was emptied lists it again soon. */
const MISSED_LOOKS = 3;
/** Further looks after which a process that was declared dead is buried by another one: the first one may have died. */
const BURIAL_LOOKS = 12;

/** Attempts to remove the record of this process when the store is closed. */
const LAST_ATTEMPTS = 4;

const ALIVE = "alive";
const DEAD = "dead";

export interface ServiceProcessesOptions {
  readonly backplane: GuardedBackplane;
  readonly clock: Clock;
  readonly retries: Retries;
  report(error: unknown): void;
  /** This process has another id: everything that it has written under the former one may have been removed. */
  renamed(former: string): void;
  /** Called regularly. */
  looked(): void;
  /** Removes processes from all records. Rejects if it could not be done for all. */
  bury(dead: ReadonlySet<string>): Promise<void>;
  /** Resolves to the ids of all processes in the records. */
  named(): Promise<ReadonlySet<string>>;
}

interface Missing {
  looks: number;
  /** True if it was found in the records alone. */
  readonly isFound: boolean;
}

/** Name of the record of a process. */
export function processRecord(id: string): string {
  return `p${id}`;
}

export class ServiceProcesses {
  id: string = newId();
  readonly #options: ServiceProcessesOptions;
  /** Processes that were present at the last look. */
  #known = new Set<string>();
  readonly #missing = new Map<string, Missing>();
  #timer: Timer;
  #begun: Promise<void> | undefined;
  /** True when the records were searched for processes that had died before this one began. */
  #hasSearched = false;
  #isClosed = false;

  constructor(options: ServiceProcessesOptions) {
    this.#options = options;
  }

  /** Resolves when the others know this process. Begins with the first call, and never rejects. */
  begin(): Promise<void> {
    if (this.#begun === undefined) {
      this.#begun = this.#register();
      this.#lookLater(0);
    }
    return this.#begun;
  }

  /** `isKept`: the others see it living as long as a process that has died. */
  async close({ isKept }: { readonly isKept: boolean }): Promise<void> {
    this.#isClosed = true;
    const { backplane, clock, report, retries } = this.#options;
    clock.clearTimer(this.#timer);
    if (this.#begun === undefined) return;
    if (isKept) {
      backplane.release(PROCESSES, this.id);
      return;
    }
    for (let attempt = 0; attempt < LAST_ATTEMPTS; attempt++) {
      try {
        await backplane.swapRecord(processRecord(this.id), utf8Bytes(ALIVE), undefined);
        await backplane.leave(PROCESSES, this.id);
        return;
      } catch (error) {
        report(error);
        await retries.pause(attempt).over;
      }
    }
  }

  async #register(): Promise<void> {
    const { backplane, retries, report } = this.#options;
    for (let attempt = 0; !this.#isClosed && !retries.isClosed; attempt++) {
      try {
        // The list comes first: nobody finds a record of a process that is not listed.
        await backplane.enter(PROCESSES, { key: this.id, payload: new Uint8Array() });
        const name = processRecord(this.id);
        if (await backplane.swapRecord(name, undefined, utf8Bytes(ALIVE))) return;
        // The answer of an earlier attempt was lost.
        if ((await this.#stateOf(this.id)) === ALIVE) return;
      } catch (error) {
        report(error);
      }
      await retries.pause(attempt).over;
    }
  }

  #lookLater(ms: number): void {
    const { clock } = this.#options;
    if (this.#isClosed) return;
    this.#timer = clock.setTimer(() => {
      void this.#look().finally(() => this.#lookLater(LOOK_MS));
    }, ms);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { backplane, report, looked, named } = this.#options;
    try {
      await this.#begun;
      if ((await this.#stateOf(this.id)) !== ALIVE) await this.#rename();
      const living = new Set((await backplane.present(PROCESSES)).map(({ key }) => key));
      if (this.#isClosed) return;
      if (!this.#hasSearched) {
        const ids = await named();
        this.#hasSearched = true;
        for (const id of ids) if (!living.has(id)) this.#missing.set(id, { looks: 0, isFound: true });
      }
      for (const id of this.#known) {
        if (!living.has(id) && !this.#missing.has(id)) this.#missing.set(id, { looks: 0, isFound: false });
      }
      this.#known = living;
      await this.#buryMissing(living);
    } catch (error) {
      if (!this.#isClosed) report(error);
    }
    looked();
  }

  /** It was declared dead while it was suspended or cut off, or the broker has lost its data. */
  async #rename(): Promise<void> {
    if (this.#isClosed) return;
    const former = this.id;
    this.id = newId();
    this.#begun = this.#register();
    await this.#begun;
    this.#options.renamed(former);
    await this.#options.backplane.leave(PROCESSES, former);
  }

  async #buryMissing(living: ReadonlySet<string>): Promise<void> {
    const { backplane, bury } = this.#options;
    const dead = new Map<string, string | undefined>();
    for (const [id, missing] of this.#missing) {
      if (living.has(id) || id === this.id) this.#missing.delete(id);
      else if ((missing.looks += 1) >= MISSED_LOOKS) {
        const state = await this.#stateOf(id);
        const isWaiting = state === DEAD && missing.looks < MISSED_LOOKS + BURIAL_LOOKS;
        // A process that has ended in order has no record, and is named nowhere.
        if (state === undefined && !missing.isFound) this.#missing.delete(id);
        else if (!isWaiting) {
          const name = processRecord(id);
          const isOurs = state !== ALIVE || (await backplane.swapRecord(name, utf8Bytes(ALIVE), utf8Bytes(DEAD)));
          if (isOurs) dead.set(id, state);
        }
      }
    }
    if (dead.size === 0) return;
    await bury(new Set(dead.keys()));
    for (const [id, state] of dead) {
      if (state !== undefined) await backplane.swapRecord(processRecord(id), utf8Bytes(DEAD), undefined);
      this.#missing.delete(id);
    }
  }

  async #stateOf(id: string): Promise<string | undefined> {
    const value = await this.#options.backplane.readRecord(processRecord(id));
    return value === undefined ? undefined : utf8(value);
  }
}

function newId(): string {
  return nodeCrypto().randomBytes(8).toString("hex");
}
