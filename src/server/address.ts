// The address on which a server listens: a TCP port, a Unix socket, or a listening socket that the process was started with
// (`fd`, or systemd's protocol sd_listen_fds(3)).

import { type AddressInfo, connect, type Server as NetServer } from "node:net";
import { ChannelError } from "../base/errors.ts";
import { badOption } from "../base/option-values.ts";
import { SERVE_DEFAULTS, type ServeOptions } from "./options.ts";

export type Address =
  | { readonly fd: number }
  | { readonly path: string }
  | { readonly port: number; readonly host: string | undefined };

/** Silence after which TCP sends its first keep-alive probe, which finds a peer that has vanished without a FIN. */
export const KEEP_ALIVE_MS = 30_000;

/** sd_listen_fds(3): the first descriptor after stdin, stdout and stderr. */
const LISTEN_FDS_START = 3;

/** Returns the address that the options give. Removes systemd's variables from `env` if `listenFds` is set. Throws BAD_OPTION. */
export function toListenAddress(options: ServeOptions, env: NodeJS.ProcessEnv, pid: number): Address {
  const { port = SERVE_DEFAULTS.port, host, path, listenFds = false } = options;
  const fd = (listenFds ? passedFd(env, pid) : undefined) ?? options.fd;
  if (fd !== undefined) return { fd };
  return path === undefined ? { port, host } : { path };
}

/** Undefined if the process was not started with a socket. The variables may be inherited from a parent, and meant for it. */
function passedFd(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_PID, LISTEN_FDS = "0" } = env;
  // Child processes must not take the sockets for theirs.
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === "0") return undefined;
  if (LISTEN_FDS === "1") return LISTEN_FDS_START;
  throw badOption(`listenFds takes one socket, and there are ${LISTEN_FDS}: give each its server with fd`);
}

/** The address of the peer; undefined on a Unix socket. */
export function addressOf({ remoteAddress }: { readonly remoteAddress?: string | undefined }): string | undefined {
  // A dual-stack socket shows an IPv4 peer as an IPv6 address (RFC 4291 §2.5.5.2).
  return remoteAddress?.startsWith("::ffff:") ? remoteAddress.slice(7) : remoteAddress;
}

/** True for 127.0.0.0/8 and ::1, which only this machine reaches (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export function isLoopbackAddress(address: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) || address === "::1";
}

/** Resolves when it listens. Rejects with Node's own error, or BAD_OPTION for an fd that is not a listening socket. */
export function listen(server: NetServer, address: Address, backlog: number): Promise<void> {
  return listenAt(address, () => tryToListen(server, address, backlog));
}

/** `listen` for a runtime with a function of its own that listens. Rejects with an error like Node's. */
export async function listenAt(address: Address, tryToListen: () => Promise<void>): Promise<void> {
  try {
    await tryToListen();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ("fd" in address && code === "EINVAL") {
      throw new ChannelError("BAD_OPTION", `fd ${address.fd} is not a stream socket of this process`, { cause: error });
    }
    if (!("path" in address) || code !== "EADDRINUSE" || !(await removeStale(address.path))) throw error;
    await tryToListen();
  }
}

/** `bound`: the address that the listening server reports; null on a Unix socket that came as an fd. */
export function urlOf(address: Address, bound: AddressInfo | string | null, scheme: "http" | "https"): string {
  if ("path" in address) return `unix:${address.path}`;
  if ("fd" in address && (bound === null || typeof bound === "string")) return `unix:${bound ?? ""}`;
  const { address: own, port } = typeof bound === "object" && bound !== null ? bound : { address: undefined, port: 0 };
  const host = "host" in address ? address.host : own;
  const isAny = host === undefined || host === "0.0.0.0" || host === "::";
  const name = isAny ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${name}:${port}`;
}

function tryToListen(server: NetServer, address: Address, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...address, backlog }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

/**
 * Removes the file of a Unix socket on which no process listens any more: a process that was killed leaves it behind, and bind(2) fails
 * for it. Returns true if the path is free now. Any other file at the path stays.
 */
async function removeStale(path: string): Promise<boolean> {
  // Loaded before the first look: nothing may come between the last look and the removal.
  const files = await import("node:fs/promises");
  const statusOf = () => files.lstat(path).catch(() => undefined);
  const found = await statusOf();
  if (found === undefined) return true;
  if (!found.isSocket() || (await isAnswered(path))) return false;
  const now = await statusOf();
  // Another process may have removed it meanwhile, and listen there now.
  if (now !== undefined && (now.ino !== found.ino || now.ctimeMs !== found.ctimeMs)) return false;
  await files.unlink(path).catch(() => {});
  return true;
}

/** True unless a connection is refused, which proves that no process listens. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED" && code !== "ENOENT"));
  });
}
