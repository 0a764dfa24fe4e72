// The entry `unichannel/processes`: re-exports only.

export type { Backplane } from "./backplane/backplane.ts";
export type { SessionStore } from "./backplane/session-store.ts";
export {
  type ProcessBackplaneOptions,
  type ProcessSessionsOptions,
  processBackplane,
  processSessions,
} from "./processes/clients.ts";
export type { Stoppable } from "./processes/in-worker.ts";
export { type Processes, type ProcessesOptions, runProcesses } from "./processes/run-processes.ts";
