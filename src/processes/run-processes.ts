// `runProcesses`: in the first process the supervisor, in the processes that it starts the application's function.

import cluster from "node:cluster";
import { availableParallelism } from "node:os";
import { systemClock } from "../base/clock.ts";
import { guard } from "../base/guard.ts";
import {
  badOption,
  badValue,
  checkFunction,
  checkInteger,
  checkOptions,
  type OptionTable,
} from "../base/option-values.ts";
import { printError } from "../base/print-error.ts";
import { runtime } from "../base/runtime.ts";
import { runWorker, type Stoppable } from "./in-worker.ts";
import { workerPlace } from "./place.ts";
import { Supervisor } from "./supervisor.ts";

/** The options of `runProcesses`. */
export interface ProcessesOptions {
  /** Time for a worker to stop, in milliseconds; then it is killed. Longer than the `graceMs` of its server. @default 20_000 */
  readonly stopMs?: number | undefined;
  /** Receives the deaths of workers, in the first process. @default console.error */
  readonly onError?: ((error: unknown) => unknown) | undefined;
}

/** The processes of a service on one machine: `runProcesses` resolves to it in the first process. */
export interface Processes extends AsyncDisposable {
  /** The ids of the workers' processes, at this moment. */
  readonly pids: readonly number[];
  /**
   * Replaces each worker by a new one, one after the other: the new one loads the code as it is then, and when it has started the
   * old one stops. Rejects if a new one does not start; the old ones that are left go on. Calls wait for one another.
   */
  replace(): Promise<void>;
  /** Stops all workers, kills those that have not stopped in `stopMs`, and resolves when all have ended. */
  stop(): Promise<void>;
}

const PROCESSES_OPTIONS: OptionTable & Readonly<Record<keyof ProcessesOptions, unknown>> = {
  stopMs: checkInteger(0, 2_000_000_000),
  onError: checkFunction,
};

const MAX_COUNT = 1024;

let isCalled = false;

/**
 * Runs a function in `count` processes of this machine, `"auto"`: as many as there are cores. Resolves in the first process when
 * all of them have started; in the others the promise stays pending, so the code that follows runs in the first process alone. Rejects
 * with BAD_OPTION for wrong arguments, on Windows and on another runtime than Node, and with the error of a function that fails at the first
 * start.
 *
 * SIGINT and SIGTERM stop all. A process that dies is replaced.
 */
export async function runProcesses(
  count: number | "auto",
  run: () => Stoppable | Promise<Stoppable>,
  options: ProcessesOptions = {},
): Promise<Processes> {
  if (count !== "auto") checkCount(count);
  checkFunction("run", run);
  checkOptions("runProcesses", options, PROCESSES_OPTIONS);
  if (runtime !== "node") {
    throw badOption(
      `runProcesses needs the module cluster of Node, and this is ${runtime}: start several processes by another way, with ` +
        "unichannel/redis or unichannel/nats between them",
    );
  }
  if (process.platform === "win32") {
    throw badOption(
      "runProcesses needs Unix sockets between its processes, and Windows has none: use one process, or WSL",
    );
  }
  if (isCalled) throw badOption("runProcesses was called before in this process; it is called once");
  isCalled = true;
  if (workerPlace() !== undefined) return runWorker(run);
  if (cluster.isWorker)
    throw badOption("this process is a worker of another cluster: runProcesses starts workers itself");
  return begin(count === "auto" ? availableParallelism() : count, options);
}

async function begin(count: number, { stopMs = 20_000, onError }: ProcessesOptions): Promise<Processes> {
  if (process.argv[1] === undefined && cluster.settings.exec === undefined) {
    throw badOption(
      "each worker of runProcesses loads the file of this program, and there is none: put the program into a file",
    );
  }
  const print = (error: unknown): void => printError("unichannel/processes:", error);
  const report = (error: unknown): void => {
    if (onError === undefined) print(error);
    else void guard(() => onError(error), print);
  };
  const supervisor = new Supervisor({ count, clock: systemClock, stopMs, report });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Once: a second Ctrl-C ends this process at once, and the workers with it.
    process.once(signal, () => void supervisor.stop().then(() => process.exit()));
  }
  await supervisor.start();
  return {
    get pids() {
      return supervisor.pids;
    },
    replace: () => supervisor.replace(),
    stop: () => supervisor.stop(),
    [Symbol.asyncDispose]: () => supervisor.stop(),
  };
}

function checkCount(count: unknown): void {
  if (Number.isSafeInteger(count) && (count as number) >= 1 && (count as number) <= MAX_COUNT) return;
  throw badValue("count", count, `"auto", or an integer from 1 to ${MAX_COUNT}`);
}
