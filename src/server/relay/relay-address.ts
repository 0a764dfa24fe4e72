// The addresses at which the processes of a service reach each other, as text that the session store keeps:
// `tcp:10.0.0.5:4100`, or `unix:` with the machine and the path.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { NetConnectOpts } from "node:net";
import { hostname } from "node:os";
import {
  badOption,
  checkFilledString,
  checkInteger,
  checkOptions,
  type OptionTable,
} from "../../base/option-values.ts";

/** The option `relay` of `serve`: where the other processes of the service reach this one. */
export interface RelayOptions {
  /** The address of this machine in the network of the processes. It must not be reachable from outside. */
  readonly host: string;
  /** @default 0: any free port */
  readonly port?: number | undefined;
}

const RELAY_OPTIONS: OptionTable = { host: checkFilledString, port: checkInteger(0, 65_535) };

/** Throws BAD_OPTION. Without a host it would listen at all addresses of the machine. */
export function checkRelay(name: string, value: unknown): void {
  checkOptions(name, value, RELAY_OPTIONS, `${name}.`);
  if ((value as Partial<RelayOptions>).host === undefined) {
    throw badOption(`${name} needs host, the address of this machine in the network of the processes`);
  }
}

export function tcpAddress(host: string, port: number): string {
  return `tcp:${host.includes(":") ? `[${host}]` : host}:${port}`;
}

export function unixAddress(path: string): string {
  return `unix:${machine()}:${path}`;
}

/** How to connect to an address. `elsewhere`: it is a Unix socket of another machine, or of another container. */
export function toConnectOptions(address: string): NetConnectOpts | "elsewhere" {
  const tcp = /^tcp:\[?(.+?)\]?:(\d+)$/.exec(address);
  if (tcp !== null) return { host: tcp[1]!, port: Number(tcp[2]) };
  const [, where, path] = /^unix:([\w-]+):(.+)$/.exec(address) ?? [];
  return where === machine() ? { path: path! } : "elsewhere";
}

let known: string | undefined;

/** The same for all processes that share this machine's files: containers have names of their own. */
function machine(): string {
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(hostname());
  try {
    hash.update(readFileSync("/proc/sys/kernel/random/boot_id"));
  } catch {
    // Not Linux.
  }
  known = hash.digest("base64url").slice(0, 16);
  return known;
}
