// @ts-check
// Memory: of a process after a garbage collection, and of the kernel.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The memory of this process after a garbage collection. Needs --expose-gc. */
export async function settledMemory() {
  // Twice with a pause: finalizers run in between, and V8 returns pages a little later.
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}

/** The caches of the kernel in which only sockets have their parts (slabinfo(5)); a socket's dentry and file lock are in those of files. */
const SOCKET_CACHES = ["TCP", "sock_inode_cache", "filp", "eventpoll_epi", "ep_head"];

/**
 * The memory of the kernel, in bytes: `slab` all objects of its own (it includes caches of files, which other programs change), `sockets` those of the caches
 * in which sockets are (only root may read them), `buffers` bytes that are under way, and the number of TCP sockets, of both ends.
 */
export function kernelMemory() {
  const memory = read("/proc/meminfo");
  const kb = (/** @type {string} */ name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(memory)?.[1]) * 1024;
  const [, inUse, pages] = /TCP: inuse (\d+).* mem (\d+)/.exec(read("/proc/net/sockstat")) ?? [];
  /** @type {Record<string, number>} */
  const caches = {};
  for (const line of read("/proc/slabinfo").split("\n")) {
    const [name = "", , objects, size] = line.split(/\s+/);
    if (SOCKET_CACHES.includes(name)) caches[name] = Number(objects) * Number(size);
  }
  return {
    available: kb("MemAvailable"),
    slab: kb("Slab"),
    unreclaimable: kb("SUnreclaim"),
    pageTables: kb("PageTables"),
    tcpSockets: Number(inUse),
    buffers: Number(pages) * 4096,
    sockets: Object.keys(caches).length === 0 ? undefined : Object.values(caches).reduce((sum, bytes) => sum + bytes),
    caches,
  };
}

/** Connections that the kernel has refused to queue so far, because a server's backlog was full: the client's kernel tries again, later and later. */
export function backlogOverflows() {
  const [names = "", values = ""] = read("/proc/net/netstat")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"));
  return Number(values.split(" ")[names.split(" ").indexOf("ListenOverflows")]);
}

/** Empty if it may not be read. @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
