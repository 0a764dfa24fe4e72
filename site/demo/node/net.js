// node:net for a page: listeners that nobody reaches. The servers of the demo have their connections from the network in memory; what a
// server with a session store opens besides, so that other processes can reach it, is not needed here.

export function createServer() {
  const server = {
    /** @param {object} _ @param {() => void} onListening */
    listen: (_, onListening) => queueMicrotask(onListening),
    address: () => ({ port: 1 }),
    /** @param {() => void} onClose */
    close: (onClose) => queueMicrotask(onClose),
    on: () => server,
    once: () => server,
    removeAllListeners: () => server,
    unref: () => server,
  };
  return server;
}

export { BlockList, connect, isIP, Server, Socket } from "./absent.js";
