// The options of `createFetchHost`: those of `serve` that do not belong to the server that runs it.

import { badOption, checkOptions, type OptionTable } from "../../base/option-values.ts";
import { LIMITS, SERVE_CHECKS, type ServeOptions } from "../../server/options.ts";

type OfTheServer =
  | "port"
  | "host"
  | "path"
  | "fd"
  | "listenFds"
  | "backlog"
  | "tls"
  | "tlsHandshakeTimeoutMs"
  | "proxyProtocol"
  | "http2"
  | "maxHeaderBytes"
  | "maxHeaderCount"
  | "maxTargetBytes"
  | "maxConnections"
  | "maxConnectionsPerAddress"
  | "maxFragments"
  | "messageTimeoutMs"
  | "keepAliveTimeoutMs"
  | "headerTimeoutMs"
  | "serverHeader";

/** Options of `serve` that are the server's own. */
const OF_THE_SERVER: readonly OfTheServer[] = [
  "port",
  "host",
  "path",
  "fd",
  "listenFds",
  "backlog",
  "tls",
  "tlsHandshakeTimeoutMs",
  "proxyProtocol",
  "http2",
  "maxHeaderBytes",
  "maxHeaderCount",
  "maxTargetBytes",
  "maxConnections",
  "maxConnectionsPerAddress",
  "maxFragments",
  "messageTimeoutMs",
  "keepAliveTimeoutMs",
  "headerTimeoutMs",
  "serverHeader",
];

/** The options of `createFetchHost`: those of `serve` that do not belong to the server. */
export interface FetchHostOptions extends Omit<ServeOptions, OfTheServer> {
  /**
   * Bytes of messages that wait for a WebSocket's slow receiver, where the server cannot stop reading (Deno). Over it: close 1013.
   * @default 4_194_304 (4 MiB)
   */
  readonly maxUnreadBytes?: number;
}

export const DEFAULT_MAX_UNREAD_BYTES = 4_194_304;

const CHECKS: OptionTable = {
  ...Object.fromEntries(Object.entries(SERVE_CHECKS).filter(([name]) => !OF_THE_SERVER.includes(name as OfTheServer))),
  maxUnreadBytes: SERVE_CHECKS.maxBufferedBytes,
};

/** Throws BAD_OPTION. */
export function checkFetchHostOptions(options: unknown): asserts options is FetchHostOptions {
  if (typeof options === "object" && options !== null) {
    const own = Object.keys(options).find((name) => OF_THE_SERVER.includes(name as OfTheServer));
    if (own !== undefined) {
      throw badOption(`createFetchHost has no ${own}, because the server is yours: set it there, if it has it`);
    }
  }
  checkOptions("createFetchHost", options, CHECKS);
}

/** The seconds without a sign of life after which a server that sends pings by itself sends one. 0: never. */
export function toIdleTimeoutSeconds({ pingIntervalMs = LIMITS.pingIntervalMs }: FetchHostOptions): number {
  return Math.ceil(pingIntervalMs / 1000);
}
