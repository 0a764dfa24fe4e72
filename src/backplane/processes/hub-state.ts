// The state of the hub: the streams of groups, the records of sessions, and which worker has announced which process of the service.

import { type Clock, systemClock } from "../../base/clock.ts";
import { MemoryBroker } from "../memory-broker.ts";
import { SessionRecords } from "../session-records.ts";

export class HubState {
  readonly broker: MemoryBroker;
  readonly sessions: SessionRecords;
  /** The date of the start: ids of entries begin with it, so that those of an earlier hub are known as such. */
  readonly epoch: number;
  /** The names of processes in session stores, by the worker that has announced them. */
  readonly #announced = new Map<number, Set<string>>();

  constructor(clock: Clock = systemClock, epoch: number = Date.now()) {
    this.broker = new MemoryBroker(clock);
    this.sessions = new SessionRecords(clock);
    this.epoch = epoch;
  }

  announced(worker: number, process: string): void {
    let processes = this.#announced.get(worker);
    if (processes === undefined) this.#announced.set(worker, (processes = new Set()));
    processes.add(process);
  }

  withdrawn(worker: number, process: string): void {
    this.#announced.get(worker)?.delete(process);
  }

  /** A worker has ended, or was killed: nobody answers at its addresses any more, and its claims are over. */
  workerEnded(worker: number): void {
    for (const process of this.#announced.get(worker) ?? []) this.sessions.processDied(process);
    this.#announced.delete(worker);
  }
}
