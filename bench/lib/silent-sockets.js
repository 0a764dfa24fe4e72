// @ts-check
// WebSockets that say nothing.
import { once } from "node:events";
import { connect } from "node:net";

const REQUEST = [
  "GET /quotes HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "",
  "",
].join("\r\n");

/** Opens them, a hundred at a time. @param {number} port @param {number} count @returns {Promise<() => void>} drops them */
export async function openWebSockets(port, count) {
  /** @type {import("node:net").Socket[]} */
  const sockets = [];
  while (sockets.length < count) {
    const opened = Array.from({ length: Math.min(100, count - sockets.length) }, () => {
      const socket = connect(port, "127.0.0.1");
      socket.write(REQUEST);
      sockets.push(socket);
      return once(socket, "data").then(() => socket.resume());
    });
    await Promise.all(opened);
  }
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
