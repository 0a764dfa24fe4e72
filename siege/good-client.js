// @ts-check
// A correct client, in a separate process and at another address than the attack's: round trips on a session, a
// plain WebSocket and GETs, each message numbered, and new sessions from time to time. Reports answers and faults.
import { Agent, get } from "node:http";
import { setTimeout as rest } from "node:timers/promises";
import { connect } from "unichannel/client";
import WebSocket from "ws";

/** @typedef {{ answered: Record<string, number>, worstMs: Record<string, number>, failures: string[] }} Report */

const PAUSE_MS = 30;
/** The interval of new sessions, for which the table of sessions must have room. */
const NEW_SESSION_MS = 2000;
/** An answer that takes longer than this is lost, not slow. */
const PATIENCE_MS = 60_000;

const port = Number(process.argv[2]);
const localAddress = process.argv[3] ?? "127.0.0.2";
/** @type {Report} */
const report = { answered: {}, worstMs: {}, failures: [] };
let isOver = false;

class LocalWebSocket extends WebSocket {
  /** @param {string} url @param {string[]} [protocols] */
  constructor(url, protocols) {
    super(url, protocols, { localAddress, perMessageDeflate: false });
  }
}

/** @param {string} what @param {number} start */
function answered(what, start) {
  report.answered[what] = (report.answered[what] ?? 0) + 1;
  report.worstMs[what] = Math.max(report.worstMs[what] ?? 0, performance.now() - start);
}

/**
 * Checks the answers of one conversation, in order.
 * @param {string} what @param {(data: string) => void} send
 */
function conversation(what, send) {
  /** @type {{ data: string, start: number, resolve: () => void }[]} */
  const owed = [];
  return {
    /** @param {string} data */
    arrived(data) {
      const next = owed.shift();
      if (next?.data !== data) report.failures.push(`${what}: ${data.slice(0, 40)} in place of ${next?.data}`);
      else {
        answered(what, next.start);
        next.resolve();
      }
    },
    /** @param {number} number */
    ask(number) {
      const data = `${number} ${"x".repeat(number % 500)}`;
      return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
        owed.push({ data, start: performance.now(), resolve });
        send(data);
      });
    },
  };
}

/** @param {string} what @param {Promise<unknown>} answer */
async function within(what, answer) {
  const timer = new AbortController();
  const late = rest(PATIENCE_MS, "late", { signal: timer.signal }).catch(() => undefined);
  if ((await Promise.race([answer, late])) === "late") report.failures.push(`${what}: no answer in ${PATIENCE_MS} ms`);
  timer.abort();
}

async function session() {
  const connection = connect(`http://127.0.0.1:${port}/session`, {
    WebSocket: /** @type {any} */ (LocalWebSocket),
    carriers: ["websocket"],
  });
  const talk = conversation("session", (data) => connection.send(data));
  connection.onMessage((/** @type {unknown} */ data) => talk.arrived(String(data)));
  connection.onOpen(({ session: kind }) => {
    if (kind === "lost") report.failures.push("session: lost");
  });
  connection.onClose(({ code, reason }) => {
    if (!isOver) report.failures.push(`session: closed, ${code} ${reason}`);
  });
  for (let number = 1; !isOver && report.failures.length === 0; number++) {
    await within("session", talk.ask(number));
    await rest(PAUSE_MS);
  }
  connection.close();
}

async function newSessions() {
  while (!isOver && report.failures.length === 0) {
    const start = performance.now();
    const socket = new LocalWebSocket(`ws://127.0.0.1:${port}/session`, ["unichannel.v1"]);
    const opened = new Promise((resolve) => {
      socket.on("message", resolve);
      socket.on("unexpected-response", (_, { statusCode }) => {
        report.failures.push(`new session: ${statusCode}`);
        resolve(undefined);
      });
      socket.on("error", (error) => {
        if (!isOver) report.failures.push(`new session: ${error.message}`);
        resolve(undefined);
      });
    });
    await within("new session", opened);
    if (socket.readyState !== WebSocket.OPEN) continue;
    answered("new session", start);
    socket.send("c1000 ");
    socket.close();
    await rest(NEW_SESSION_MS);
  }
}

async function webSocket() {
  const socket = new LocalWebSocket(`ws://127.0.0.1:${port}/echo`);
  const talk = conversation("websocket", (data) => socket.send(data));
  socket.on("message", (data) => talk.arrived(String(data)));
  socket.on("error", (error) => report.failures.push(`websocket: ${error.message}`));
  socket.on("close", (code) => {
    if (!isOver) report.failures.push(`websocket: closed, ${code}`);
  });
  await new Promise((resolve) => socket.once("open", resolve));
  for (let number = 1; !isOver && report.failures.length === 0; number++) {
    await within("websocket", talk.ask(number));
    await rest(PAUSE_MS);
  }
  socket.close();
}

async function gets() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  while (!isOver && report.failures.length === 0) {
    const start = performance.now();
    const asked = new Promise((resolve, reject) => {
      get({ port, host: "127.0.0.1", path: "/hello", agent, localAddress }, (response) => {
        response.resume();
        if (response.statusCode !== 200) report.failures.push(`get: ${response.statusCode}`);
        response.once("end", resolve);
      }).once("error", reject);
    });
    try {
      await within("get", asked);
      answered("get", start);
    } catch (error) {
      report.failures.push(`get: ${error}`);
    }
    await rest(PAUSE_MS);
  }
  agent.destroy();
}

process.on("message", (question) => {
  if (question === "stop") isOver = true;
  else process.send?.(report);
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
await Promise.all([session(), newSessions(), webSocket(), gets()]);
process.send?.(report);
process.disconnect?.();
