// @ts-check
// Runs every program in examples/ as a visitor would: starts it, asks its question with a real client, checks the
// answer strictly, and stops it with SIGTERM. All at once but the cluster, so the whole lasts little longer than the longest
// (streaming, 10 s).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectSession } from "unichannel/client";
import WebSocket from "ws";
import { needs } from "../dist/test/support/needs.js";

/** Far above what is needed on a busy machine. */
const DEADLINE_MS = 60_000;
const MAX_LINES = 80;

/**
 * @typedef {object} Running An example that has started.
 * @property {string} url
 * @property {() => string} stdout What it printed so far.
 * @property {(name: NodeJS.Signals) => void} signal Sends it a signal.
 */

/** What each example is asked. Returns what was seen. @type {Record<string, (example: Running) => Promise<string>>} */
const CHECKS = {
  "long-polling": async ({ url }) => {
    const start = performance.now();
    const polls = [stream(url), stream(url)];
    await sleep(500);
    assert.equal(await (await fetch(`${url}/event`)).text(), "answered 2\n");
    for (const poll of polls) {
      const { status, headers, chunks, text } = await poll;
      assert.equal(status, 200);
      assert.equal(headers["content-type"], "application/json; charset=utf-8");
      assert.equal(headers["content-length"], "14", "whole, so that the connection can be used again");
      assert.equal(text, "hello, polling");
      assert.ok(at(chunks, 0) - start >= 500, "it waited for the event");
    }
    assert.equal(await (await fetch(`${url}/event`)).text(), "answered 0\n");
    return "two polls waited and were answered by one event";
  },

  streaming: async ({ url, stdout }) => {
    const start = performance.now();
    const { status, headers, headAt, chunks, endAt } = await stream(url);
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(headers["transfer-encoding"], "chunked");
    assert.deepEqual(
      chunks.map(({ text }) => text),
      Array.from({ length: 10 }, (_, id) => `message from server #${id}`),
    );
    assert.ok(headAt <= at(chunks, 0));
    // A timer may be late on a busy machine, never early.
    for (const [id, { at }] of chunks.entries()) notBefore(at - start, id * 200, `message #${id}`);
    notBefore(endAt - start, 10_000, "the end");
    await until(() => stdout().includes("closed by server: server-close\n"), "the close handler's line");

    const left = await leaveAfter(url, 2);
    assert.deepEqual(left, ["message from server #0", "message from server #1"]);
    await until(() => stdout().includes("closed by client: client-close\n"), "the line of a client that left");
    return "ten messages, 200 ms apart, the end at 10 s; who leaves is noticed";
  },

  "websocket-echo": async ({ url, stdout }) => {
    assert.equal(await (await fetch(url)).text(), "Here is a WebSocket echo.\n");
    const socket = await connect(url);
    socket.send("text: “é”");
    assert.deepEqual(await next(socket), "text: “é”");
    socket.send(Buffer.from([0, 255, 128]));
    assert.deepEqual(await next(socket), Buffer.from([0, 255, 128]));
    socket.close(4000, "enough");
    const [code] = await once(socket, "close");
    assert.equal(code, 4000);
    await until(() => stdout().includes("closed by client: 4000 enough\n"), "the close handler's line");
    return "text and binary came back, the close code arrived";
  },

  chat: async ({ url }) => {
    assert.match(await (await fetch(url)).text(), /connect\("\/chat"\)/);
    assert.match(await (await fetch(`${url}/unichannel/client/connect.js`)).text(), /export function connect/);
    assert.match(
      await (await fetch(`${url}/unichannel/../../package.json`)).text(),
      /doctype/,
      "only the library's modules",
    );
    const people = ["websocket", "poll"].map((carrier) => {
      const options = { WebSocket, transports: [/** @type {"websocket" | "poll"} */ (carrier)] };
      return connectSession(`${url}/chat`, options);
    });
    /** @type {unknown[][]} */
    const heard = people.map(() => []);
    for (const [at, person] of people.entries()) person.onMessage((line) => heard[at]?.push(line));
    await until(() => people.every(({ state }) => state === "open"), "both are in");
    people[0]?.send("one");
    await until(() => heard.every(({ length }) => length === 1), "both heard it");
    people[1]?.send("two");
    await until(() => heard.every(({ length }) => length === 2), "both heard the answer");
    assert.deepEqual(heard, [
      ["one", "two"],
      ["one", "two"],
    ]);
    for (const person of people) person.close();
    return "two people on two carriers heard each other";
  },

  "channel-store": async ({ url }) => {
    const socket = await connect(`${url}/?group=a`);
    const other = await connect(`${url}/?group=b`);
    other.on("message", (data) => assert.fail(`group b got ${data}`));

    // A poll that waits and a socket get the same message.
    const waiting = fetch(`${url}/?group=a`);
    await sleep(200);
    assert.equal(await tell(url, "a", "one"), "2 listening\n");
    const answer = await waiting;
    assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
    const first = await answer.text();
    assert.deepEqual(texts(first), ["one"]);
    assert.equal(await next(socket), first);

    // While nobody polls two more come; the poll that says what it has gets these two, at once.
    assert.equal(await tell(url, "a", "two"), "1 listening\n");
    assert.deepEqual(texts(await next(socket)), ["two"]);
    socket.send("three");
    assert.deepEqual(texts(await next(socket)), ["three"]);
    const missed = await (await fetch(`${url}/?group=a&since_ts=${lastTs(first)}`)).text();
    assert.deepEqual(texts(missed), ["two", "three"]);

    // A poll that has everything waits, and gets what is new since then: nothing twice.
    const last = fetch(`${url}/?group=a&since_ts=${lastTs(missed)}`);
    await sleep(200);
    assert.equal(await tell(url, "a", "four"), "2 listening\n");
    assert.deepEqual(texts(await (await last).text()), ["four"]);
    assert.deepEqual(texts(await next(socket)), ["four"]);

    socket.terminate();
    other.terminate();
    return "a poller and a socket got what was new to each, nothing twice, since_ts passed back";
  },

  history: async ({ url }) => {
    assert.match(await (await fetch(url)).text(), /new EventSource/);
    /** @param {string} text @returns {Promise<string>} */
    const say = async (text) => {
      const response = await fetch(`${url}/say`, { method: "POST", body: text });
      return /** @type {{ id: string }} */ (await response.json()).id;
    };
    /** @param {string} since */
    const poll = async (since) => (await fetch(`${url}/poll?since=${encodeURIComponent(since)}`)).json();
    const ids = [await say("one"), await say("two"), await say("three")];
    const all = {
      messages: ids.map((id, i) => ({ id, data: ["one", "two", "three"][i] })),
      next: ids[2],
      reset: false,
    };
    assert.deepEqual(await poll(""), all);
    assert.deepEqual(await poll(ids[0] ?? ""), { ...all, messages: all.messages.slice(1) });

    // A poll that has everything waits for what is new.
    const waiting = poll(all.next ?? "");
    await sleep(200);
    const four = await say("four");
    assert.deepEqual(await waiting, { messages: [{ id: four, data: "four" }], next: four, reset: false });

    const missed = await events(`${url}/events`, { "Last-Event-ID": ids[1] ?? "" }, 2);
    assert.deepEqual(missed, [`id: ${ids[2]}\ndata: three`, `id: ${four}\ndata: four`]);
    const lost = await events(`${url}/events`, { "Last-Event-ID": "of-another-life" }, 2);
    assert.deepEqual(lost, ['event: reset\ndata: {"group":"lobby"}', `id: ${ids[0]}\ndata: one`]);
    const socket = await connect(`${url}/events?since=${encodeURIComponent(ids[2] ?? "")}`);
    assert.equal(await next(socket), JSON.stringify({ group: "lobby", id: four, data: "four" }));
    socket.terminate();
    return "polls, event streams and a WebSocket came back and got exactly what they had missed; an unknown id was told";
  },

  sse: async ({ url }) => {
    assert.match(await (await fetch(url)).text(), /new EventSource/);
    const fresh = await events(`${url}/events`, {}, 3);
    assert.deepEqual(fresh, [
      "event: hello\nretry: 1000\ndata: welcome",
      'id: 1\ndata: {"count":1}',
      'id: 2\ndata: {"count":2}',
    ]);
    const resumed = await events(`${url}/events`, { "Last-Event-ID": "7" }, 2);
    assert.deepEqual(resumed, ["event: hello\nretry: 1000\ndata: welcome back", 'id: 8\ndata: {"count":8}']);
    return "events with type, id and retry; Last-Event-ID goes on where it stopped";
  },

  metrics: async ({ url, stdout }) => {
    const admin = stdout().match(/http:\/\/\S+(?=\/metrics)/)?.[0];
    assert.equal(await (await fetch(url)).text(), "hello\n");
    const socket = await connect(url);
    socket.send("one");
    assert.equal(await next(socket), "one");
    const answer = await fetch(`${admin}/metrics`);
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const text = await answer.text();
    assert.match(text, /^unichannel_requests_total 2$/m);
    assert.match(text, /^unichannel_channels\{transport="websocket"\} 1$/m);
    assert.match(text, /^unichannel_messages_received_total 1$/m);
    assert.match(text, /^unichannel_request_seconds_count\{status="200"\} 1$/m);
    assert.match(text, /^nodejs_eventloop_lag_seconds /m);
    assert.equal((await fetch(`${admin}/`)).status, 404);
    socket.terminate();
    await until(() => stdout().includes("websocket closed: abnormal\n"), "the line of a channel that closed");
    return "what was asked is counted, on a port of its own";
  },

  hono: async ({ url, stdout }) => {
    assert.match(await (await fetch(url)).text(), /^Routes: /);
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
    assert.equal((await fetch(`${url}/echo/ann`)).status, 426);
    const { chunks } = await stream(`${url}/count/3`);
    assert.deepEqual(
      chunks.map(({ text }) => text),
      ["1\n", "2\n", "3\n"],
    );
    assert.ok(at(chunks, 2) - at(chunks, 0) > 300, "it grew");
    const socket = await connect(`${url}/echo/ann`);
    socket.send("hi");
    assert.equal(await next(socket), "ann: hi");
    socket.close();
    await until(() => stdout().includes("GET /echo/ann\n"), "the middleware's line");
    return "Hono's routes and middleware, a stream and a WebSocket";
  },

  "cluster/start": async ({ url }) => {
    const group = `${url}/?group=a`;
    const listening = Promise.all([1, 2, 3].map(() => events(group, {}, 2)));
    const who = async () => (await fetch(`${url}/who?group=a`)).text();
    for (let i = 0; (await who()).trim().split("\n").length < 3; i++) {
      assert.ok(i < 200, "three are present");
      await sleep(50);
    }
    for (const body of ["one", "two"])
      assert.match(await (await fetch(group, { method: "POST", body })).text(), /^published/);
    const heard = await listening;
    for (const one of heard) assert.deepEqual(one, heard[0], "all processes tell the same, with the same ids");
    const ids = heard[0]?.map((event) => /^id: (.*)$/m.exec(event)?.[1]) ?? [];
    const [missed] = await events(group, { "Last-Event-ID": ids[0] ?? "" }, 1);
    assert.equal(missed, `id: ${ids[1]}\ndata: two`);
    return "three listeners in some of three processes heard the same; one came back and got what it had missed";
  },

  "token-stream": async ({ url, stdout }) => {
    const whole = "“Why?” – A channel is one conversation with one client, whatever carries it.\n";
    const { chunks, text, headAt, endAt } = await stream(`${url}/?q=Why?`);
    assert.equal(text, whole);
    assert.ok(chunks.length >= 12, "token by token");
    assert.ok(endAt - headAt > 1000, "as it was made");
    await until(() => stdout().includes("made 13 tokens\n"), "the generator's end");
    await leaveAfter(url, 3);
    await until(() => /made [3-8] tokens\n/.test(stdout()), "the generator's early end");
    return "the body came token by token; the generator stopped when its reader left";
  },

  "rolling-restart/start": async ({ url, stdout, signal }) => {
    await until(() => stdout().includes("two servers are up"), "both servers", 15_000);
    const abort = new AbortController();
    /** What each kind of client got, and how often it connected. @type {Record<string, { got: Numbered[], times: number }>} */
    const seen = {};
    const clients = Object.entries(LISTENERS).map(async ([name, listen]) => {
      const mine = { got: /** @type {Numbered[]} */ ([]), times: 0 };
      seen[name] = mine;
      while (!abort.signal.aborted) {
        mine.times += 1;
        await listen(url, mine.got, abort.signal).catch((error) => {
          if (!abort.signal.aborted) throw error;
        });
      }
    });
    try {
      const everybody = (/** @type {(got: Numbered[]) => boolean} */ has) =>
        Object.values(seen).every(({ got }) => has(got));
      await Promise.race([until(() => everybody((got) => got.length > 3), "messages for all", 10_000), ...clients]);
      signal("SIGHUP");
      await Promise.race([until(() => stdout().includes("both were restarted"), "the restart", 15_000), ...clients]);
      const latest = Math.max(...Object.values(seen).map(({ got }) => got.at(-1)?.id ?? 0));
      await Promise.race([
        until(() => everybody((got) => (got.at(-1)?.id ?? 0) > latest + 2), "more", 10_000),
        ...clients,
      ]);
    } finally {
      abort.abort();
      await Promise.allSettled(clients);
    }
    for (const [name, { got, times }] of Object.entries(seen)) {
      const first = got[0]?.id ?? 0;
      assert.deepEqual(
        got.map(({ id }) => id),
        got.map((_, index) => first + index),
        `${name}: nothing is missing, nothing comes twice`,
      );
      assert.ok(times > 1, `${name} had to come back`);
      assert.ok(new Set(got.map(({ by }) => by)).size > 1, `${name} heard several servers`);
    }
    return "both servers were restarted; a WebSocket, an event stream and a poll came back and missed nothing";
  },
};

/** What must be on the PATH for an example. @type {Record<string, string>} */
const NEEDS = { "rolling-restart/start": "haproxy", "cluster/start": "redis-server" };
/** Many processes each: these do not run beside the others. */
const ALONE = ["cluster/start"];

/** @typedef {{ id: number, by: number }} Numbered A message of rolling-restart. */

/**
 * Clients of rolling-restart/, each as its transport has it: they come back whenever they lost their server, and say
 * which number they have seen last. Each fills its list until it is aborted.
 * @type {Record<"websocket" | "sse" | "poll", (url: string, got: Numbered[], abort: AbortSignal) => Promise<void>>}
 */
const LISTENERS = {
  async websocket(url, got, abort) {
    const socket = new WebSocket(`${url.replace("http", "ws")}/${since(got)}`);
    socket.on("message", (data) => got.push(JSON.parse(String(data))));
    abort.addEventListener("abort", () => socket.terminate());
    await once(socket, "close");
  },

  async sse(url, got, abort) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    const last = got.at(-1);
    if (last !== undefined) headers["Last-Event-ID"] = String(last.id);
    const { status, body } = await fetch(url, { headers, signal: abort });
    assert.equal(status, 200, "anything else would make an EventSource give up");
    let text = "";
    let retryMs = 0;
    for await (const chunk of /** @type {any} */ (body).pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = /^data: ?(.*)$/m.exec(block)?.[1];
        if (data !== undefined) got.push(JSON.parse(data));
        retryMs = Number(/^retry: ?(\d+)$/m.exec(block)?.[1] ?? retryMs);
      }
    }
    assert.ok(retryMs >= 1000 && retryMs <= 3000, "it was told when to come back");
    await sleep(retryMs, undefined, { signal: abort });
  },

  async poll(url, got, abort) {
    const response = await fetch(`${url}/${since(got)}`, { signal: abort });
    if (response.status === 200) got.push(.../** @type {Numbered[]} */ (await response.json()));
    else await sleep(1000 * Number(response.headers.get("retry-after") ?? 1), undefined, { signal: abort });
  },
};

/** @param {Numbered[]} got */
function since(got) {
  const last = got.at(-1);
  return last === undefined ? "" : `?since=${last.id}`;
}

/** Says something to a group of channel-store.js. @param {string} url @param {string} group @param {string} text */
async function tell(url, group, text) {
  return (await fetch(`${url}/?group=${group}`, { method: "POST", body: text })).text();
}

/** The texts in an answer of channel-store.js. @param {string | Buffer} answer @returns {string[]} */
function texts(answer) {
  return JSON.parse(String(answer)).map((/** @type {{ text: string }} */ { text }) => text);
}

/** @param {string} answer @returns {number} */
function lastTs(answer) {
  return JSON.parse(answer).at(-1).ts;
}

/** @typedef {{ text: string, at: number }} Chunk */

/**
 * @typedef {object} Answer
 * @property {number | undefined} status
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {number} headAt
 * @property {Chunk[]} chunks
 * @property {string} text
 * @property {number} endAt
 */

/** When a chunk came. @param {Chunk[]} chunks @param {number} index */
function at(chunks, index) {
  const chunk = chunks[index];
  assert.ok(chunk !== undefined, `chunk ${index} came`);
  return chunk.at;
}

/** A GET as it comes in: the head, then each chunk with its time. @param {string} url @returns {Promise<Answer>} */
function stream(url) {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      const headAt = performance.now();
      /** @type {Chunk[]} */
      const chunks = [];
      response.setEncoding("utf8");
      response.on("data", (text) => chunks.push({ text, at: performance.now() }));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        const text = chunks.map((chunk) => chunk.text).join("");
        resolve({ status, headers, headAt, chunks, text, endAt: performance.now() });
      });
    }).on("error", reject);
  });
}

/**
 * The first chunks of a response; then the client is gone.
 * @param {string} url @param {number} count @returns {Promise<string[]>}
 */
function leaveAfter(url, count) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      /** @type {string[]} */
      const chunks = [];
      response.setEncoding("utf8");
      response.on("error", () => {});
      response.on("data", (text) => {
        if (chunks.push(text) !== count) return;
        request.destroy();
        resolve(chunks);
      });
    }).on("error", reject);
  });
}

/**
 * The first events of an event stream, as they are on the wire.
 * @param {string} url @param {Record<string, string>} headers @param {number} count
 */
async function events(url, headers, count) {
  const abort = new AbortController();
  const response = await fetch(url, { headers: { ...headers, Accept: "text/event-stream" }, signal: abort.signal });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert.ok(response.body !== null);
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("\n\n").length > count) break;
  }
  abort.abort();
  return text.split("\n\n").slice(0, count);
}

/** Messages that came and nobody took yet. @type {WeakMap<WebSocket, (string | Buffer)[]>} */
const arrived = new WeakMap();

/** @param {string} url */
async function connect(url) {
  const socket = new WebSocket(url.replace("http", "ws"));
  // Kept from the start: a message may come before anybody waits for it.
  /** @type {(string | Buffer)[]} */
  const messages = [];
  arrived.set(socket, messages);
  socket.on("message", (data, isBinary) => messages.push(isBinary ? /** @type {Buffer} */ (data) : String(data)));
  await once(socket, "open");
  return socket;
}

/** @param {WebSocket} socket @returns {Promise<string | Buffer>} */
async function next(socket) {
  const messages = arrived.get(socket) ?? [];
  await until(() => messages.length > 0, "a message");
  return /** @type {string | Buffer} */ (messages.shift());
}

/** @param {() => boolean} isTrue @param {string} what */
async function until(isTrue, what, ms = 60_000) {
  for (let i = 0; i < ms / 20; i++) {
    if (isTrue()) return;
    await sleep(20);
  }
  assert.fail(`${what} did not come`);
}

/** @param {number} ms @param {number} wanted @param {string} what */
function notBefore(ms, wanted, what) {
  // Timers and this clock round differently.
  assert.ok(ms >= wanted - 5, `${what} came after ${Math.round(ms)} ms, before ${wanted}`);
}

/** @param {string} what @returns {Promise<never>} */
async function deadline(what) {
  await sleep(DEADLINE_MS, undefined, { ref: false });
  assert.fail(`${what} took more than ${DEADLINE_MS} ms`);
}

/** @param {string} name */
async function run(name) {
  const missing = NEEDS[name] !== undefined && needs(NEEDS[name]);
  if (missing) {
    console.log(`skip  ${name}: ${missing}`);
    return;
  }
  let out = "";
  let errors = "";
  const child = spawn(process.execPath, [`examples/${name}.js`], {
    env: { ...process.env, PORT: "0", BROKER_PORT: String(20_000 + (process.pid % 10_000)) },
  });
  const exit = once(child, "exit");
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  try {
    const source = readFileSync(`examples/${name}.js`, "utf8");
    assert.ok(source.startsWith("// @ts-check\n"), "it opens with // @ts-check");
    assert.ok(source.trimEnd().split("\n").length <= MAX_LINES, `it has at most ${MAX_LINES} lines`);
    await until(() => out.includes("\n"), "its first line", 15_000);
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(out)?.[0];
    assert.ok(out.includes("curl ") && url !== undefined, "it says what to try");
    const check = CHECKS[name];
    assert.ok(check !== undefined, "it has its check in scripts/examples.js");
    const said = await Promise.race([
      check({ url, stdout: () => out, signal: (signal) => child.kill(signal) }),
      deadline("its check"),
    ]);
    child.kill("SIGTERM");
    assert.deepEqual(await Promise.race([exit, deadline("its end")]), [0, null], "SIGTERM stops it with status 0");
    assert.equal(errors, "", "it says nothing on stderr");
    console.log(`ok    ${name}: ${said}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.stack : error}\n--- its output\n${out}${errors}---`);
  } finally {
    if (child.exitCode === null) child.kill("SIGKILL");
  }
}

/** What `// @ts-check` shows in an editor. */
async function checkTypes() {
  const tsc = spawn(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "examples"], { stdio: "inherit" });
  const [code] = await once(tsc, "exit");
  console.log(`${code === 0 ? "ok  " : "FAIL"}  types of all examples, and of the demo's page`);
  if (code !== 0) process.exitCode = 1;
}

await checkTypes();
// An example that is a folder begins with its start.js.
const names = readdirSync("examples").flatMap((file) => {
  if (existsSync(`examples/${file}/start.js`)) return [`${file}/start`];
  return file.endsWith(".js") ? [file.slice(0, -3)] : [];
});
await Promise.all(names.filter((name) => !ALONE.includes(name)).map(run));
for (const name of ALONE) await run(name);
