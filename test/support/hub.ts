// The hub of `unichannel/processes` for tests: as a broker of its own, and its clients.

import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { type HubClientOptions, ProcessBackplane } from "../../src/backplane/processes/backplane.ts";
import { ProcessSessions } from "../../src/backplane/processes/sessions.ts";
import { systemClock } from "../../src/base/clock.ts";
import { Broker } from "./broker.ts";

const CHILD = fileURLToPath(new URL("./hub-child.js", import.meta.url));

/** A hub that loses everything when it is killed, as the first process of a service does. */
export function startHub(): Promise<Broker> {
  return Broker.start((port) => [process.execPath, "--enable-source-maps", CHILD, String(port)]);
}

export type HubOptions = Partial<Pick<HubClientOptions, "timeoutMs" | "maxPendingBytes" | "onError">>;

/** `at`: a port of this machine, or a path. */
export function hubBackplane(at: number | string, options?: HubOptions): ProcessBackplane {
  return new ProcessBackplane(clientOptions(at, 16 * 1024 * 1024, options));
}

export function hubSessions(at: number | string, options?: HubOptions): ProcessSessions {
  return new ProcessSessions(clientOptions(at, 1024 * 1024, options));
}

function clientOptions(
  at: number | string,
  maxPendingBytes: number,
  { timeoutMs = 5000, onError = () => {}, ...options }: HubOptions = {},
): HubClientOptions {
  return {
    clock: systemClock,
    worker: 0,
    connect: () => (typeof at === "number" ? connect(at, "127.0.0.1") : connect(at)),
    ...{ timeoutMs, maxPendingBytes: options.maxPendingBytes ?? maxPendingBytes, onError },
  };
}
