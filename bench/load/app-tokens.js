// @ts-check
// The readers of a language model: each asks for an answer, reads it token by token over an event stream, and asks again. One answer
// in twenty is stopped by its reader, who closes the connection. An operation is a token; its time is in it, and latency is the
// time until the reader has it. Each token is compared, each answer must be complete, and the server must have ended those that were
// stopped.
import { measureApplication } from "../lib/application.js";
import { now } from "../lib/clock.js";
import { eventStreams } from "../lib/event-streams.js";
import { exchangeOnce } from "../lib/exchanges.js";
import { closedByServer, fail, openMany } from "../lib/generator.js";
import { took } from "../lib/latencies.js";
import { wordOf } from "../lib/tokens.js";

/** @type {import("../lib/application.js").ApplicationConfig & { tokens: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, connections } = config;
/** One answer in this many is stopped. */
const STOPPED = 20;

let tokens = 0;
let answers = 0;
let reading = 0;
let isOver = false;

await openMany(connections, async (index) => read(index));
await measureApplication(config, {
  count: () => tokens,
  stop() {
    isOver = true;
  },
  async missing() {
    if (reading > 0) return `${reading} answers are not complete`;
    const running = await exchangeOnce({ port }, "GET", "/running");
    return running === "0" ? undefined : `${running} answers are still made, and nobody reads them`;
  },
});

/** A reader on a new connection. The first answers differ in length, so that the later ones do not all end together. @param {number} index */
function read(index) {
  let expected = 1 + (index % config.tokens);
  let received = 0;
  let stopAt = Number.POSITIVE_INFINITY;
  let isStopped = false;
  let isReading = false;
  // At the end of the work a server may close a connection that is silent.
  const onClose = () => isStopped || (isOver && !isReading) || closedByServer();
  const connection = eventStreams(
    { port, onClose },
    {
      onData(data) {
        if (isStopped) return;
        const { i, at, token } = JSON.parse(data);
        if (i !== received || token !== wordOf(i)) fail(new Error(`token ${received} is ${data}`));
        took(now() - at);
        received += 1;
        tokens += 1;
        if (received < stopAt) return;
        isStopped = true;
        connection.socket.destroy();
        reading -= 1;
        if (!isOver) read(received);
      },
      onEnd() {
        if (isStopped) return;
        if (received !== expected) fail(new Error(`${received} of ${expected} tokens`));
        reading -= 1;
        isReading = false;
        expected = config.tokens;
        if (!isOver) next();
      },
    },
  );
  connection.socket.on("connect", next);

  function next() {
    reading += 1;
    isReading = true;
    received = 0;
    stopAt = ++answers % STOPPED === 0 ? Math.ceil(expected / 2) : Number.POSITIVE_INFINITY;
    connection.ask(`/answer?tokens=${expected}`);
  }
}
