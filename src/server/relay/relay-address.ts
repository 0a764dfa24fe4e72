// The addresses at which the processes of a service reach each other, as text that the session store keeps:
// `tcp:10.0.0.5:4100`, or `unix:` with the machine and the path.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { NetConnectOpts } from "node:net";
import { hostname } from "node:os";

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
