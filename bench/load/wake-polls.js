// @ts-check
// Long polls: every connection asks with the id of its last answer and waits. The server says something as soon as all of
// them wait; then each asks again. Counted are answers.
import { setTimeout as sleep } from "node:timers/promises";
import { fail, measure } from "../lib/generator.js";
import { openSocket } from "../lib/web-socket.js";

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const HEAD_END = "\r\n\r\n";
const NEXT = '"next":"';

let operations = 0;
for (let i = 0; i < config.connections; i++) open();
// All have had their first answer, and one that they waited for.
while (operations < 2 * config.connections) await sleep(10);
await measure(config, () => operations);

function open() {
  let text = "";
  const socket = openSocket(config, (bytes) => {
    text += bytes.toString("latin1");
    const head = text.indexOf(HEAD_END);
    if (head === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (text.length < head + HEAD_END.length + length) return;
    if (!text.startsWith("HTTP/1.1 200 ")) fail(new Error(text));
    operations += 1;
    const start = text.lastIndexOf(NEXT) + NEXT.length;
    ask(text.slice(start, text.indexOf('"', start)));
  });
  socket.on("connect", () => ask(""));

  /** @param {string} since */
  function ask(since) {
    text = "";
    socket.write(`GET /?since=${since} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  }
}
