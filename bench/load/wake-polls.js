// @ts-check
// Long polls: every connection asks with the id of its last answer and waits. The server says something as soon as all of
// them wait; then each asks again. Counted are answers.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openWindow } from "../lib/cpu.js";

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number }} */
const { port, serverPid, seconds, warmupSeconds, connections } = JSON.parse(process.argv[2] ?? "{}");
const HEAD_END = "\r\n\r\n";
const NEXT = '"next":"';

let operations = 0;
for (let i = 0; i < connections; i++) open();
// All have had their first answer, and one that they waited for.
while (operations < 2 * connections) await sleep(10);
await sleep(warmupSeconds * 1000);
const closeWindow = openWindow(serverPid);
operations = 0;
await sleep(seconds * 1000);
const completed = operations;
process.send?.({ operations: completed, ...closeWindow() }, () => process.exit());

function open() {
  let text = "";
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.setEncoding("latin1");
  socket.on("connect", () => ask(""));
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the server closed a connection")));
  socket.on("data", (bytes) => {
    text += bytes;
    const head = text.indexOf(HEAD_END);
    if (head === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (text.length < head + HEAD_END.length + length) return;
    if (!text.startsWith("HTTP/1.1 200 ")) fail(new Error(text));
    operations += 1;
    const start = text.lastIndexOf(NEXT) + NEXT.length;
    ask(text.slice(start, text.indexOf('"', start)));
  });

  /** @param {string} since */
  function ask(since) {
    text = "";
    socket.write(`GET /?since=${since} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  }
}

/** @param {unknown} error */
function fail(error) {
  console.error(error);
  process.exit(1);
}
