// @ts-check
// Opens many connections, sends one request on each and leaves them alone. Reports once all are open.
import { openMany } from "../lib/generator.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/** One source address has some 28,000 ports. Linux answers for all of 127.0.0.0/8; other systems for 127.0.0.1 only. */
const PER_ADDRESS = 20_000;

/** @type {{ port: number, connections: number, webSocket: boolean, fields: readonly string[] }} */
const { port, connections, webSocket, fields } = JSON.parse(process.argv[2] ?? "{}");
const request = ["GET /poll HTTP/1.1", "Host: 127.0.0.1", ...fields, "", ""].join("\r\n");

await openMany(connections, async (index) => {
  const address = Math.floor(index / PER_ADDRESS);
  const localAddress = address === 0 ? undefined : `127.0.0.${1 + address}`;
  // Pings and what else may come are passed over.
  if (webSocket) await openWebSocket({ port, localAddress, fields }, () => {});
  else await ask(localAddress);
});
process.send?.({ open: connections });

/** Resolves at once: nobody answers. @param {string | undefined} localAddress @returns {Promise<void>} */
function ask(localAddress) {
  return new Promise((resolve) => {
    const socket = openSocket({ port, localAddress }, () => {});
    socket.on("connect", () => {
      socket.write(request, "latin1");
      resolve();
    });
  });
}
