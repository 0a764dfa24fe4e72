// @ts-check
// GET over HTTP/2: on each connection so many requests at a time, each followed by the next when it is answered.
import { fail, measure, openMany } from "../lib/generator.js";
import { openHttp2 } from "../lib/http2-client.js";

/** @type {import("../lib/generator.js").LoadConfig & { streams: number, body: string }} */
const config = JSON.parse(process.argv[2] ?? "{}");
let answers = 0;
let asked = 0;
let isOver = false;

const sessions = await openMany(config.connections, () => openHttp2(config.port));
for (const session of sessions) for (let i = 0; i < config.streams; i++) ask(session);
await measure(config, () => answers, {
  stop() {
    isOver = true;
  },
  missing: () => (answers < asked ? `${asked - answers} requests are not answered` : undefined),
});

/** @param {import("node:http2").ClientHttp2Session} session */
function ask(session) {
  asked++;
  const stream = session.request({ ":path": "/" });
  let body = "";
  stream.setEncoding("latin1");
  stream.on("data", (text) => {
    body += text;
  });
  stream.on("end", () => {
    if (body !== config.body) fail(new Error(`not the answer: ${body}`));
    answers++;
    if (!isOver) ask(session);
  });
  stream.on("error", fail);
}
