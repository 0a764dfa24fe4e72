// The life of a worker: it calls the application's function, says that it has started, and stops when it is asked to.

import { inspectable } from "../base/guard.ts";
import { badOption } from "../base/option-values.ts";
import { printError } from "../base/print-error.ts";
import { closeClients } from "./clients.ts";
import { isStopMessage, type WorkerMessage } from "./messages.ts";

/** The result of the function that runs in each worker: a server, or anything else that can be stopped. */
export interface Stoppable {
  /** Ends the work of the process in order. The process ends when its promise resolves. */
  stop(): unknown;
}

/** Runs this worker. The promise stays pending: the process ends when the worker has stopped. */
export async function runWorker(run: () => unknown): Promise<never> {
  let askedToStop!: () => void;
  const stopping = new Promise<void>((resolve) => {
    askedToStop = resolve;
  });
  process.on("message", (message) => {
    if (isStopMessage(message)) askedToStop();
  });
  // A Ctrl-C reaches all processes of a terminal: the first process decides.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", askedToStop);
  const running = await start(run);
  await say({ unichannel: "started" });
  await stopping;
  try {
    await running.stop();
    await closeClients();
  } catch (error) {
    printError("unichannel/processes:", error);
    process.exit(1);
  }
  process.exit(0);
}

async function start(run: () => unknown): Promise<Stoppable> {
  try {
    const running: unknown = await run();
    if (typeof (running as Partial<Stoppable> | undefined)?.stop === "function") return running as Stoppable;
    throw badOption(
      "the function of runProcesses must return what is to be stopped: the server, or an object with stop()",
    );
  } catch (error) {
    const shown = inspectable(error);
    await say({ unichannel: "failed", text: shown instanceof Error ? (shown.stack ?? shown.message) : String(shown) });
    return process.exit(1);
  }
}

/** Resolves when the message has left. Without the first process there is nobody to tell. */
function say(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(message, () => resolve());
    else resolve();
  });
}
