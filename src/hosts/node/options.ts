// The options of `attach`: those of `serve` that do not belong to the host, and which upgrades are ours.

import { badOption, badValue, checkOptions, type OptionTable, type ValueCheck } from "../../base/option-values.ts";
import { refuseServiceOptions, SERVE_CHECKS, type ServeOptions } from "../../server/options.ts";
import type { NodeRequest } from "./host-server.ts";

/** A path and all paths below it, several of them, or a function that is asked for each upgrade. */
export type Upgrades = string | readonly string[] | ((request: NodeRequest) => boolean);

/** Returns true for an upgrade that is ours. */
export type UpgradeMatcher = (request: NodeRequest) => boolean;

type OfTheHost =
  | "port"
  | "host"
  | "path"
  | "fd"
  | "listenFds"
  | "backlog"
  | "tls"
  | "tlsHandshakeTimeoutMs"
  | "http2"
  | "proxyProtocol"
  | "maxHeaderBytes"
  | "maxHeaderCount"
  | "maxTargetBytes"
  | "maxConnections"
  | "maxConnectionsPerAddress"
  | "keepAliveTimeoutMs"
  | "serverHeader"
  | "upgrade";

/** Options of `serve` that the host has itself, and how it calls them. */
const OF_THE_HOST: {
  readonly [Name in OfTheHost]: string;
} = {
  port: "server.listen",
  host: "server.listen",
  path: "server.listen",
  fd: "server.listen",
  listenFds: "server.listen",
  backlog: "server.listen",
  tls: "https.createServer",
  tlsHandshakeTimeoutMs: "handshakeTimeout of https.createServer",
  http2: "http2.createSecureServer",
  proxyProtocol: "a proxy that sends X-Forwarded-For, with trustedProxies",
  maxHeaderBytes: "maxHeaderSize of http.createServer",
  maxHeaderCount: "server.maxHeadersCount",
  maxTargetBytes: "maxHeaderSize of http.createServer",
  maxConnections: "server.maxConnections",
  maxConnectionsPerAddress: "server.maxConnections",
  keepAliveTimeoutMs: "server.keepAliveTimeout",
  serverHeader: "response.setHeader",
  upgrade: "middleware before the route: it runs for WebSockets, too",
};

/** The options of `attach`: beside `upgrades`, those of `serve` that do not belong to the host. */
export interface AttachOptions extends Omit<ServeOptions, OfTheHost | "sessions" | "relay" | "stores"> {
  /**
   * The upgrades that are ours: a path, with all paths below it, a list of them, or a function that gets the request. All
   * others are left to the other listeners of the server.
   */
  readonly upgrades: Upgrades;
}

const CHECKS: OptionTable = {
  ...Object.fromEntries(Object.entries(SERVE_CHECKS).filter(([name]) => !(name in OF_THE_HOST))),
  upgrades: checkUpgrades,
};

/** Throws BAD_OPTION. */
export function checkAttachOptions(options: unknown): asserts options is AttachOptions {
  refuseServiceOptions("attach", options);
  if (typeof options === "object" && options !== null) {
    for (const name of Object.keys(options) as OfTheHost[]) {
      if (Object.hasOwn(OF_THE_HOST, name)) {
        throw badOption(`attach has no ${name}, because the server is yours: use ${OF_THE_HOST[name]}`);
      }
    }
  }
  checkOptions("attach", options, CHECKS);
  if ((options as Partial<AttachOptions>).upgrades === undefined) {
    throw badOption(
      'attach needs upgrades, the path of your channels: attach(server, { upgrades: "/live" }); [] for no WebSockets',
    );
  }
}

/** Returns a function that tells which upgrades are ours. */
export function toUpgradeMatcher(upgrades: Upgrades): UpgradeMatcher {
  if (typeof upgrades === "function") return upgrades;
  const prefixes = (typeof upgrades === "string" ? [upgrades] : [...upgrades]).map((prefix) =>
    prefix.replace(/\/$/, ""),
  );
  return ({ url = "" }) => prefixes.some((prefix) => isBelow(url, prefix));
}

function isBelow(target: string, prefix: string): boolean {
  if (!target.startsWith(prefix)) return false;
  const next = target[prefix.length];
  return next === undefined || next === "/" || next === "?";
}

function checkUpgrades(name: string, value: unknown): void {
  if (typeof value === "function") return;
  const paths: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const path of paths) checkPath(name, path);
}

const checkPath: ValueCheck = (name, path) => {
  if (typeof path !== "string" || !path.startsWith("/") || /[?#]/.test(path)) {
    throw badValue(name, path, 'a path that begins with "/", a list of paths, or a function');
  }
};
