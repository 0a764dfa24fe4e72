// The first process: it has the hub, starts the workers, replaces those that die, and stops all.

import type { Clock, Timer } from "../base/clock.ts";
import { HubListener } from "./hub-listener.ts";
import { workerEnvironment } from "./place.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker that lives for less is said to die at once, in milliseconds. */
const SHORT_LIFE_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;

export interface SupervisorOptions {
  readonly count: number;
  readonly clock: Clock;
  /** Time after which a worker that is asked to stop is killed, in milliseconds. */
  readonly stopMs: number;
  /** Receives the deaths of workers. Must not throw. */
  readonly report: (error: unknown) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Set<WorkerProcess>();
  #hub: HubListener | undefined;
  /** Timers of workers that begin later. */
  readonly #timers = new Set<Timer>();
  /** The place for which `replace` is starting a worker: if the old one dies meanwhile, the new one has its place already. */
  #place: { readonly old: WorkerProcess | undefined; isFree: boolean } | undefined;
  /** Number of workers in a row that died at once. */
  #shortLives = 0;
  #replacing: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The ids of the workers' processes. */
  get pids(): readonly number[] {
    return [...this.#workers].flatMap(({ pid }) => pid ?? []);
  }

  /** Resolves when all workers have started. Ends all and rejects if one does not. */
  async start(): Promise<void> {
    this.#hub = await HubListener.listen(this.#options.report);
    const begun: WorkerProcess[] = [];
    try {
      while (begun.length < this.#options.count) begun.push(this.#begin());
      await Promise.all(begun.map(({ started }) => started));
    } catch (error) {
      this.#stopped ??= this.#end(0);
      await this.#stopped;
      throw error;
    }
    // One may have died while the others were starting: it is replaced as well.
    for (const worker of begun) this.#replaceWhenDead(worker);
  }

  /** Replaces the workers one after the other; a later call begins after an earlier one. */
  replace(): Promise<void> {
    const replaced = this.#replacing.then(() => this.#replaceAll());
    this.#replacing = replaced.catch(() => {});
    return replaced;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end(this.#options.stopMs);
    return this.#stopped;
  }

  async #replaceAll(): Promise<void> {
    const workers = [...this.#workers];
    // Workers that were to begin later begin now: they load the same code as the others.
    for (const timer of [...this.#timers]) {
      if (this.#stopped !== undefined || !this.#timers.delete(timer)) continue;
      this.#options.clock.clearTimer(timer);
      await this.#startSuccessor(undefined);
    }
    for (const old of workers) {
      // It has died meanwhile, and the one that follows it is a new one.
      if (!this.#workers.has(old) || old.isStopping) continue;
      if (this.#stopped !== undefined) return;
      await this.#startSuccessor(old);
      await old.stop(this.#options.stopMs);
    }
  }

  /** Starts the worker that follows `old`, or one that has died. Rejects if it does not start. */
  async #startSuccessor(old: WorkerProcess | undefined): Promise<void> {
    const place = { old, isFree: old === undefined };
    this.#place = place;
    let next: WorkerProcess | undefined;
    try {
      next = this.#begin();
      await next.started;
      this.#replaceWhenDead(next);
    } catch (error) {
      await next?.stop(0);
      if (place.isFree && this.#stopped === undefined) this.#beginLater(true);
      throw error;
    } finally {
      this.#place = undefined;
    }
  }

  #begin(): WorkerProcess {
    const worker = new WorkerProcess(workerEnvironment(this.#hub!.path), this.#options.clock);
    this.#workers.add(worker);
    void worker.ended.then(() => {
      this.#workers.delete(worker);
      this.#hub!.workerEnded(worker.number);
    });
    return worker;
  }

  #replaceWhenDead(worker: WorkerProcess): void {
    const { clock, report } = this.#options;
    void worker.ended.then((how) => {
      if (worker.isStopping || this.#stopped !== undefined) return;
      const isShort = clock.now() - worker.beganAt < SHORT_LIFE_MS;
      // One that was asked to end, by a signal of its own, has not failed.
      if (how !== "code 0")
        report(new Error(`the worker with the process id ${worker.pid} has died (${how}), and is replaced`));
      this.#leftPlace(worker, isShort);
    });
  }

  #leftPlace(worker: WorkerProcess, isShort: boolean): void {
    if (this.#place?.old === worker) this.#place.isFree = true;
    else this.#beginLater(isShort);
  }

  /** Starts a worker: at once after a long life, and later with each that died at once. */
  #beginLater(isShort: boolean): void {
    const { clock } = this.#options;
    this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    const delayMs = isShort ? Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#shortLives - 1)) : 0;
    const timer = clock.setTimer(() => {
      this.#timers.delete(timer);
      this.#beginAgain();
    }, delayMs);
    this.#timers.add(timer);
  }

  #beginAgain(): void {
    const { report } = this.#options;
    let worker: WorkerProcess;
    try {
      worker = this.#begin();
    } catch (error) {
      // Node throws some errors of the system, such as one of memory that is missing, and emits others.
      report(error);
      this.#beginLater(true);
      return;
    }
    worker.started.then(
      () => this.#replaceWhenDead(worker),
      (error: unknown) => {
        if (worker.isStopping || this.#stopped !== undefined) return;
        report(error);
        this.#leftPlace(worker, true);
      },
    );
  }

  async #end(limitMs: number): Promise<void> {
    for (const timer of this.#timers) this.#options.clock.clearTimer(timer);
    await Promise.all([...this.#workers].map((worker) => worker.stop(limitMs)));
    await this.#hub?.close();
  }
}
