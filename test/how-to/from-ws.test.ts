// The programs of docs/how-to/from-ws.md run as they are printed: only ports are put in. The program for ws and ours have the
// same conversation with the same clients.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, blocks, program, run, start } from "./programs.ts";

const PAGE = "from-ws";
/** The beginnings of the programs by which they are found. */
const THEIRS = "wss.handleUpgrade";
const OURS = 'if (request.path !== "/chat")';
const WITH_SESSIONS = "openSession";
const CLIENT = "new ResumableWebSocket";

interface Client {
  readonly socket: WebSocket;
  readonly texts: string[];
}

async function open(t: TestContext, url: string): Promise<Client> {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  const texts: string[] = [];
  socket.on("message", (data) => texts.push(String(data)));
  await new Promise((done, failed) => socket.on("open", done).on("error", failed));
  await until(() => texts.length === 1, "the greeting has arrived");
  return { socket, texts };
}

/** A conversation of two users, and a client that does not say who it is. */
async function converse(t: TestContext, port: string | number): Promise<void> {
  const url = `ws://127.0.0.1:${port}/chat`;
  await assert.rejects(open(t, url), /401/);
  const ann = await open(t, `${url}?user=ann`);
  const bob = await open(t, `${url}?user=bob`);
  bob.socket.send("hi");
  await until(() => ann.texts.length === 2, "ann has bob's message");
  ann.socket.send("and hi to you");
  await until(() => bob.texts.length === 2, "bob has ann's message");
  assert.deepEqual(ann.texts, ["hello ann", "bob: hi"]);
  assert.deepEqual(bob.texts, ["hello bob", "ann: and hi to you"]);
  const closed = new Promise((done) => bob.socket.on("close", done));
  bob.socket.close(4000, "bye");
  assert.equal(await closed, 4000);
}

describe("the guide from ws", () => {
  it("has a program for ws that has the conversation", async (t) => {
    const listening = block(PAGE, THEIRS).replace(
      "server.listen(9090)",
      'server.listen(0, () => console.log("port", server.address().port))',
    );
    const server = start(t, listening);
    const [, port] = await server.printed(/port (\d+)/);
    await converse(t, port!);
    await server.printed(/^bob left: 4000 bye$/m);
  });

  it("has a program of ours that has the same conversation, also with an event stream", async (t) => {
    const log = t.mock.method(console, "log", () => {});
    const { server } = (await run(t, program(PAGE, OURS))) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const leaving = new AbortController();
    const { body } = await fetch(`${server.url}/chat?user=eve`, {
      headers: { Accept: "text/event-stream" },
      signal: leaving.signal,
    });
    await converse(t, server.port);
    // After the address of the server.
    const lines = (): unknown[][] => log.mock.calls.slice(1).map((call) => call.arguments as unknown[]);
    await until(() => lines().length === 1, "the program has logged that bob left");
    assert.deepEqual(lines(), [["bob", "left:", 4000, "bye"]]);
    const reader = body!.getReader();
    let events = "";
    while (!events.includes("to you")) events += Buffer.from((await reader.read()).value!).toString();
    assert.deepEqual(
      [...events.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => data),
      ["hello eve", "bob: hi", "ann: and hi to you"],
    );
    leaving.abort();
  });

  it("has a page that talks to the program with sessions", async (t) => {
    t.mock.method(console, "log", () => {});
    const { server } = (await run(t, program(PAGE, WITH_SESSIONS))) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const client = block(PAGE, CLIENT).replace("127.0.0.1:9090", `127.0.0.1:${server.port}`);
    const [ann, bob] = [start(t, client), start(t, client.replace("user=ann", "user=bob"))];
    await ann.printed(/^hello ann$/m);
    await bob.printed(/^hello bob$/m);
    await until(
      () => /^bob: hello over a session$/m.test(ann.output()) || /^ann: hello over a session$/m.test(bob.output()),
      "the one who came first has the message of the other",
    );
    assert.equal((await fetch(server.url)).status, 401);
  });

  it("has no program that is not run here", () => {
    const marks = [THEIRS, OURS, WITH_SESSIONS, CLIENT];
    assert.deepEqual(
      blocks(PAGE, "ts").map((text) => marks.filter((mark) => text.includes(mark))),
      marks.map((mark) => [mark]),
    );
  });
});
