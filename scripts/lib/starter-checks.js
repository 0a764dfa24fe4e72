// @ts-check
// Checks of a framework's starter with the lines of its guide in it: its own page, all transports, and what it must leave alone. A check
// that fails throws an error.
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { connect } from "../../dist/src/client/index.js";

const TIMEOUT_MS = 120_000;

/** @typedef {"websocket" | "sse" | "poll"} Carrier */

/** The page of the starter itself. @param {string} url */
export async function page(url) {
  assert.equal((await fetch(url)).status, 200);
}

/** A session of unichannel/client, both ways. @param {string} url @param {Carrier} carrier */
export async function session(url, carrier) {
  const connection = connect(`${url}/live`, { WebSocket, carriers: [carrier] });
  try {
    const echo = new Promise((resolve) => connection.onMessage(resolve));
    connection.send("hello");
    assert.equal(await within(echo), "hello");
    assert.equal(connection.transport, carrier);
  } finally {
    connection.close();
  }
  await within(connection.closed);
}

/** @param {string} url */
export async function webSocket(url) {
  const socket = open(`${url}/live/hello`);
  const [data] = await within(once(socket, "message"));
  assert.equal(String(data), "hello");
  // It stays open: where another listener answers the same upgrade, it breaks a little later.
  const closed = once(socket, "close").then(([code]) => code);
  const wasClosed = await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1000, "no"))]);
  assert.equal(wasClosed, "no");
  socket.terminate();
}

/** @param {string} url */
export async function eventStream(url) {
  await firstPart(`${url}/live/hello`, "text/event-stream", /^data: ?hello\n/m);
}

/** @param {string} url */
export async function plainStream(url) {
  await firstPart(`${url}/live/hello`, "*/*", /^hello$/);
}

/** An upgrade for which there is no route is answered. @param {string} url */
export async function noRoute(url) {
  const socket = open(`${url}/live/nothing/here`);
  const answered = Promise.race([
    once(socket, "unexpected-response").then(([, response]) => response.statusCode),
    once(socket, "open").then(() => "open"),
  ]);
  assert.ok([400, 404].includes(await within(answered)));
  socket.terminate();
}

/** The hot module replacement of Vite: its own WebSocket beside ours. @param {string} url */
export async function hotReloadOfVite(url) {
  const client = await (await fetch(`${url}/@vite/client`)).text();
  const socket = open(`${url}/?token=${/const wsToken = "([^"]+)"/.exec(client)?.[1]}`, ["vite-hmr"]);
  const [data] = await within(once(socket, "message"));
  assert.match(String(data), /"connected"/);
  socket.terminate();
}

/** The hot module replacement of Next. @param {string} url */
export async function hotReloadOfNext(url) {
  const socket = open(`${url}/_next/hmr?id=starter`);
  await within(once(socket, "message"));
  socket.terminate();
}

/** @param {string} url @param {string[]} [protocols] */
function open(url, protocols = []) {
  const socket = new WebSocket(url.replace("http", "ws"), protocols);
  socket.on("error", () => {});
  return socket;
}

/** @param {string} url @param {string} accept @param {RegExp} pattern */
async function firstPart(url, accept, pattern) {
  const response = await within(fetch(url, { headers: { Accept: accept } }));
  assert.equal(response.status, 200);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  let text = "";
  while (!pattern.test(text)) {
    const { value, done } = await within(reader.read());
    assert.equal(done, false, `the response ended with ${JSON.stringify(text)}`);
    text += Buffer.from(value ?? []).toString();
  }
  await reader.cancel();
}

/** @template T @param {Promise<T>} promise @returns {Promise<T>} */
async function within(promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}
