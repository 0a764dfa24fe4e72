// @ts-check
// How many processes a run needs, and whether this machine has the memory for it.

/** Descriptors of a process beside its connections. */
const OTHER_FILES = 300;
/** Connections of a process are limited by descriptors; where there are more of them, by this, which is what one event loop is given here. */
const MOST_FILES = 20_000;
const LEAST_SERVERS = 4;

/** Bytes that a connection takes, measured with some room: in the server's process, in the client's, and in the kernel for both ends. */
const SERVER_BYTES = 4000;
const CLIENT_BYTES = 3500;
const KERNEL_BYTES = 9000;
/** Bytes of a server and its process of clients without connections. */
const PAIR_BYTES = 150e6;
/** Memory that stays free for others. */
export const KEPT_BYTES = 2 * 2 ** 30;

/**
 * The processes for so many connections. When one of the servers is killed, the others have descriptors for its clients.
 * @param {number} connections @param {number} fileLimit of a process
 */
export function planProcesses(connections, fileLimit) {
  const files = Math.min(fileLimit, MOST_FILES) - OTHER_FILES;
  if (files < LEAST_SERVERS)
    throw new Error(
      `a process may have ${fileLimit} descriptors, of which it needs ${OTHER_FILES} itself: raise \`ulimit -Hn\``,
    );
  let servers = LEAST_SERVERS;
  const most = () => Math.floor((files * (servers - 1)) / servers);
  while (most() * servers < connections) servers += 1;
  return { servers, share: Math.ceil(connections / servers) };
}

/** The bytes that a run needs. @param {number} connections @param {number} fileLimit */
export function neededBytes(connections, fileLimit) {
  const { servers } = planProcesses(connections, fileLimit);
  return connections * (SERVER_BYTES + CLIENT_BYTES + KERNEL_BYTES) + servers * PAIR_BYTES;
}

/** The most connections for which the memory is enough, in steps of a thousand. @param {number} available bytes @param {number} fileLimit */
export function mostConnections(available, fileLimit) {
  let connections = 0;
  while (neededBytes(connections + 1000, fileLimit) + KEPT_BYTES <= available) connections += 1000;
  return connections;
}

/**
 * Throws if the memory is not enough.
 * @param {number} connections @param {number} available bytes @param {number} fileLimit
 */
export function checkMemory(connections, available, fileLimit) {
  const needed = neededBytes(connections, fileLimit);
  if (needed + KEPT_BYTES <= available) return;
  const most = mostConnections(available, fileLimit);
  throw new Error(
    `${connections.toLocaleString("en-US")} connections need some ${gib(needed)} GiB, both ends and the kernel together, and 2 GiB stay free: ` +
      `this machine has ${gib(available)} GiB available, which is enough for --connections ${most}`,
  );
}

/** @param {number} bytes */
function gib(bytes) {
  return (bytes / 2 ** 30).toFixed(1);
}
