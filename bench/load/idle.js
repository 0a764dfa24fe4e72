// @ts-check
// Opens many connections of one kind and leaves them alone. Reports once all are open.
import { openMany } from "../lib/generator.js";
import { openSocketIo, openSocketIoPolls } from "../lib/socket-io.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/** One source address has some 28,000 ports. Linux answers for all of 127.0.0.0/8; other systems for 127.0.0.1 only. */
const PER_ADDRESS = 20_000;

/** @type {{ port: number, connections: number, kind: keyof typeof kinds, fields: readonly string[] }} */
const { port, connections, kind, fields } = JSON.parse(process.argv[2] ?? "{}");

/** Ignores later data, such as pings. */
const ignore = () => {};
/** @typedef {import("../lib/web-socket.js").Where} Where */
const kinds = {
  request: ask,
  webSocket: (/** @type {Where} */ where) => openWebSocket({ ...where, fields }, ignore),
  socketIo: (/** @type {Where} */ where) => openSocketIo(where, ignore),
  socketIoPoll: (/** @type {Where} */ where) => openSocketIoPolls(where, ignore),
};

await openMany(connections, async (index) => {
  const address = Math.floor(index / PER_ADDRESS);
  await kinds[kind]({ port, localAddress: address === 0 ? undefined : `127.0.0.${1 + address}` });
});
process.send?.({ open: connections });

/** Resolves at once, because there is no answer. @param {Where} where @returns {Promise<void>} */
function ask(where) {
  return new Promise((resolve) => {
    const socket = openSocket(where, ignore);
    socket.on("connect", () => {
      socket.write(["GET /poll HTTP/1.1", "Host: 127.0.0.1", ...fields, "", ""].join("\r\n"), "latin1");
      resolve();
    });
  });
}
