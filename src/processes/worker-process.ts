// A worker as the first process sees it.

import cluster, { type Worker } from "node:cluster";
import type { Clock } from "../base/clock.ts";
import { type StopMessage, toWorkerMessage } from "./messages.ts";

export class WorkerProcess {
  /** Counted from 1; no later worker has it again. */
  readonly number: number;
  readonly pid: number | undefined;
  /** Resolves when the application's function has returned. Rejects with its error, or if the process ends before. */
  readonly started: Promise<void>;
  /** Resolves when the process has ended, to the way in which it did. */
  readonly ended: Promise<string>;
  /** Time at which it began, in milliseconds. */
  readonly beganAt: number;
  isStopping = false;
  readonly #worker: Worker;
  readonly #clock: Clock;

  constructor(environment: Readonly<Record<string, string>>, clock: Clock) {
    this.#clock = clock;
    this.beganAt = clock.now();
    const worker = cluster.fork(environment);
    this.#worker = worker;
    this.number = worker.id;
    this.pid = worker.process.pid;
    this.ended = new Promise((resolve) => {
      worker.once("exit", (code: number | null, signal: string | null) => {
        resolve(signal === null || signal === undefined ? `code ${code}` : signal);
      });
      worker.on("error", (error) => {
        // The process could not be started. Of one that was, a message could not be sent: it is ending.
        if (worker.process.pid === undefined) resolve(error.message);
      });
    });
    this.started = new Promise((resolve, reject) => {
      worker.on("message", (message: unknown) => {
        const said = toWorkerMessage(message);
        if (said?.unichannel === "started") {
          resolve();
          // It may have been asked before it listened.
          if (this.isStopping) this.#askToStop();
        } else if (said?.unichannel === "failed") reject(new Error(`a worker did not start: ${said.text}`));
      });
      void this.ended.then((how) => reject(new Error(`a worker has ended before it had started: ${how}`)));
    });
    // Somebody else may wait for it, or nobody.
    this.started.catch(() => {});
  }

  /** Asks it to stop, and kills it after `limitMs` milliseconds. Resolves when it has ended. */
  async stop(limitMs: number): Promise<void> {
    this.isStopping = true;
    this.#askToStop();
    const timer = this.#clock.setTimer(() => this.kill(), limitMs);
    await this.ended;
    this.#clock.clearTimer(timer);
  }

  kill(): void {
    this.isStopping = true;
    this.#worker.process.kill("SIGKILL");
  }

  #askToStop(): void {
    const stop: StopMessage = { unichannel: "stop" };
    // A process that is ending does not take it.
    if (this.#worker.isConnected()) this.#worker.send(stop, () => {});
  }
}
