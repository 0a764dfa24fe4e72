// @ts-check
// Opens many connections, sends one request on each and leaves them alone. Reports once all are open.
import { connect } from "node:net";
import { upgradeRequest } from "../lib/frames.js";

/** Connections that are being opened at the same time: less than any server's backlog. */
const BATCH = 200;
/** One source address has some 28,000 ports. Linux answers for all of 127.0.0.0/8; other systems for 127.0.0.1 only. */
const PER_ADDRESS = 20_000;

/** @type {{ port: number, connections: number, webSocket: boolean, fields: readonly string[] }} */
const { port, connections, webSocket, fields } = JSON.parse(process.argv[2] ?? "{}");
const request = webSocket
  ? upgradeRequest("/", fields)
  : ["GET /poll HTTP/1.1", "Host: 127.0.0.1", ...fields, "", ""].join("\r\n");

for (let i = 0; i < connections; i += BATCH) {
  const batch = Math.min(BATCH, connections - i);
  await Promise.all(Array.from({ length: batch }, (_, k) => open(`127.0.0.${1 + Math.floor((i + k) / PER_ADDRESS)}`)));
}
process.send?.({ open: connections });

/**
 * Resolves when the server has upgraded the connection, or at once for a request that nobody answers.
 * @param {string} localAddress
 * @returns {Promise<void>}
 */
function open(localAddress) {
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      localAddress: localAddress === "127.0.0.1" ? undefined : localAddress,
    });
    socket.on("connect", () => {
      socket.write(request, "latin1");
      if (!webSocket) resolve();
    });
    // 101 and whatever comes later, pings for instance.
    socket.on("data", () => resolve());
    socket.on("error", (error) => {
      console.error(error);
      process.exit(1);
    });
    socket.on("close", () => {
      console.error("the server closed a connection");
      process.exit(1);
    });
  });
}
