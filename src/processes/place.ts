// Where this process stands: it is a worker of `runProcesses`, or not. A worker knows the socket of the hub from its environment.

import cluster from "node:cluster";
import { PROTOCOL_VERSION } from "../backplane/processes/kinds.ts";
import { badOption } from "../base/option-values.ts";

/** The version of the hub's protocol, a colon, and the path of its socket. */
const VARIABLE = "UNICHANNEL_HUB";

/** The place of a worker of `runProcesses`, known from its start. */
export interface WorkerPlace {
  readonly hubPath: string;
  /** The number of this worker, counted from 1. */
  readonly worker: number;
}

/** The environment of a worker. */
export function workerEnvironment(hubPath: string): Readonly<Record<string, string>> {
  return { [VARIABLE]: `${PROTOCOL_VERSION}:${hubPath}` };
}

/**
 * Returns undefined in a process that is no worker of `runProcesses`. Throws BAD_OPTION if the first process has another version of
 * this library, whose hub would not understand this worker.
 */
export function workerPlace(): WorkerPlace | undefined {
  const value = process.env[VARIABLE];
  // A process that a worker starts has the variable too, and is no worker.
  if (value === undefined || !cluster.isWorker || cluster.worker === undefined) return undefined;
  const colon = value.indexOf(":");
  if (value.slice(0, colon) !== String(PROTOCOL_VERSION)) {
    throw badOption(
      "the first process of this service runs a version of unichannel whose hub speaks another protocol than that of this worker: " +
        "stop the whole service, and start it again",
    );
  }
  return { hubPath: value.slice(colon + 1), worker: cluster.worker.id };
}
