// The options of hosts that read requests and speak WebSocket by themselves: those of `serve` that do not belong to them.

import { badOption, badValue, checkOptions, type OptionTable } from "../../base/option-values.ts";
import { LIMITS, refuseServiceOptions, SERVE_CHECKS, type ServeOptions } from "../../server/options.ts";

/** Options of `serve` that are the server's own. */
const OF_THE_SERVER = [
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
] as const;

type OfTheServer = (typeof OF_THE_SERVER)[number];

/** The options of `serve` that do not belong to the host. */
export interface HostOptions extends Omit<ServeOptions, OfTheServer | "sessions" | "relay" | "stores"> {
  /**
   * Bytes of messages that wait for a WebSocket's slow receiver, where the server cannot stop reading (Deno, uWebSockets.js). Over it: close 1013.
   * @default 4_194_304 (4 MiB)
   */
  readonly maxUnreadBytes?: number;
}

export const DEFAULT_MAX_UNREAD_BYTES = 4_194_304;

const CHECKS: OptionTable = {
  ...Object.fromEntries(Object.entries(SERVE_CHECKS).filter(([name]) => !OF_THE_SERVER.includes(name as OfTheServer))),
  maxUnreadBytes: SERVE_CHECKS.maxBufferedBytes,
};

/** Throws BAD_OPTION. `own`: names of boolean options that this host has beside them. */
export function checkHostOptions(
  name: string,
  options: unknown,
  own: readonly string[] = [],
): asserts options is HostOptions {
  refuseServiceOptions(name, options);
  if (typeof options === "object" && options !== null) {
    const others = Object.keys(options).find((option) => OF_THE_SERVER.includes(option as OfTheServer));
    if (others !== undefined) {
      throw badOption(`${name} has no ${others}, because the server is yours: set it there, if it has it`);
    }
  }
  checkOptions(name, options, { ...CHECKS, ...Object.fromEntries(own.map((option) => [option, checkFlag])) });
}

/** The seconds without a sign of life after which a server that sends pings by itself sends one. 0: never. */
export function toIdleTimeoutSeconds({ pingIntervalMs = LIMITS.pingIntervalMs }: HostOptions): number {
  return Math.ceil(pingIntervalMs / 1000);
}

function checkFlag(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw badValue(name, value, "true or false");
}
