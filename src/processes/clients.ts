// The clients of the hub in a worker: the backplanes and session stores that the application makes, closed when the worker ends.

import { connect } from "node:net";
import type { Backplane } from "../backplane/backplane.ts";
import {
  type BrokerOptions,
  SESSION_BROKER_OPTIONS,
  type SessionBrokerOptions,
  toBrokerSettings,
  toSessionStoreSettings,
} from "../backplane/options.ts";
import { type HubClientOptions, ProcessBackplane } from "../backplane/processes/backplane.ts";
import { ProcessSessions } from "../backplane/processes/sessions.ts";
import type { SessionStore } from "../backplane/session-store.ts";
import { systemClock } from "../base/clock.ts";
import { badOption, checkOptions } from "../base/option-values.ts";
import { workerPlace } from "./place.ts";

/** The options of `processBackplane`. */
export interface ProcessBackplaneOptions extends Omit<BrokerOptions, "aliveMs"> {}

/** The options of `processSessions`. */
export interface ProcessSessionsOptions extends SessionBrokerOptions {}

const ENTRY = "unichannel/processes";

const opened = new Set<{ close(): Promise<void> }>();

/**
 * Returns a backplane between the processes of `runProcesses`, for one store. Throws BAD_OPTION in any other process, and for a
 * wrong option.
 */
export function processBackplane(options: ProcessBackplaneOptions = {}): Backplane {
  checkOptions("processBackplane", options, SESSION_BROKER_OPTIONS);
  const instead = "leave out the option backplane, or use MemoryBackplane";
  return keep(new ProcessBackplane(clientOptions("processBackplane", instead, toBrokerSettings(options, ENTRY))));
}

/**
 * Returns a session store between the processes of `runProcesses`, for one server. Throws BAD_OPTION in any other process, and for a
 * wrong option.
 */
export function processSessions(options: ProcessSessionsOptions = {}): SessionStore {
  checkOptions("processSessions", options, SESSION_BROKER_OPTIONS);
  const instead = "leave out the option sessions, or use memorySessions";
  return keep(new ProcessSessions(clientOptions("processSessions", instead, toSessionStoreSettings(options, ENTRY))));
}

/** Closes all clients: the hub has then removed the members of this process, or is away. */
export async function closeClients(): Promise<void> {
  await Promise.all([...opened].map((client) => client.close()));
}

function keep<Client extends { close(): Promise<void> }>(client: Client): Client {
  opened.add(client);
  const close = client.close.bind(client);
  client.close = () => {
    opened.delete(client);
    return close();
  };
  return client;
}

function clientOptions(
  name: string,
  instead: string,
  settings: Pick<HubClientOptions, "timeoutMs" | "maxPendingBytes" | "onError">,
): HubClientOptions {
  const place = workerPlace();
  if (place === undefined) {
    throw badOption(
      `${name} works in the function that runProcesses calls in each worker, and this process is none: call it there; ` +
        `in a process alone, such as a test, ${instead}`,
    );
  }
  const { timeoutMs, maxPendingBytes, onError } = settings;
  return {
    ...{ timeoutMs, maxPendingBytes, onError },
    clock: systemClock,
    worker: place.worker,
    connect: () => connect(place.hubPath),
  };
}
