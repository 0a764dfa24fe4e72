// The programs of docs/how-to/streams.md and docs/how-to/mcp.md run as they are printed: only ports, URLs, and what the page leaves to its
// reader are put in.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { type Connection, StreamView } from "../../src/client/index.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import type { ChannelStore, Server, StreamResult } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, program, run, start } from "./programs.ts";

const PAGE = "streams";

interface Page {
  readonly output: { textContent?: string };
  readonly startButton: { onclick(): void };
  readonly stopButton: { onclick(): void };
  readonly connection: Connection;
}

async function buildServer(t: TestContext): Promise<Server> {
  const work = "const work = () => new Promise((done) => setTimeout(done, 1));\n";
  const { server } = (await run(t, work + program(PAGE, "async function* build"))) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

/** The page of the guide, without a document. */
async function page(t: TestContext, url: string): Promise<Page> {
  const text = block(PAGE, "new StreamView").replace('connect("/")', `connect(${JSON.stringify(url)})`);
  const names = "export const output = {}, startButton = {}, stopButton = {};\n";
  const loaded = (await run(t, `${names}${text}\nexport { connection };`)) as unknown as Page;
  t.after(() => loaded.connection.close());
  await loaded.connection.opened;
  return loaded;
}

const STEPS = Array.from({ length: 100 }, (_, i) => `step ${i + 1} of 100\n`).join("");

describe("the guide to streams", () => {
  it("shows a build to two pages, the second loaded later, and stops the next one", async (t) => {
    const { url } = await buildServer(t);
    const first = await page(t, url);
    first.startButton.onclick();
    await until(() => first.output.textContent?.includes("step 3 ") === true, "the build has begun");
    const second = await page(t, url);
    const pages = [first, second];
    await until(() => pages.every(({ output }) => output.textContent === `${STEPS} done`), "both have all");
    second.startButton.onclick();
    await until(() => first.output.textContent?.endsWith(" open") === true, "the next one has begun");
    first.stopButton.onclick();
    await until(() => pages.every(({ output }) => output.textContent?.endsWith(" stopped") === true), "it is stopped");
  });

  it("has the end and the error in the result", async (t) => {
    const rows = `import { createChannelStore } from "unichannel";
const store = createChannelStore({ onError() {} });
async function* each() { yield { row: 1 }; throw new Error("of the database"); }
const rows = each();\n`;
    const found = (await run(
      t,
      `${rows}${block(PAGE, '"report"')}\nexport { end, error };`,
    )) as unknown as StreamResult;
    assert.deepEqual([found.end, (found.error as Error).message], ["failed", "of the database"]);
  });

  it("gives an event stream that comes back what it has missed", async (t) => {
    const text = `import { createChannelStore, serve, withChannel } from "unichannel";
export const store = createChannelStore();
export const server = await serve((request) => {
  ${block(PAGE, "request.lastEventId").replace("withChannel", "return withChannel")}
});`.replace(/\}\);$/, "}, { port: 0 });");
    const { store, server } = (await run(t, text)) as { store: ChannelStore; server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const view = new StreamView();
    const first = await readEvents(server.url, undefined, 0);
    assert.equal(first, undefined);
    async function* steps(): AsyncGenerator<string> {
      yield "a";
      await new Promise((done) => setTimeout(done, 20));
      yield "b";
    }
    await store.publishStream("build", steps(), { coalesceMs: 0 });
    const id = await readEvents(server.url, view, 2);
    assert.equal(view.text, "a");
    await readEvents(server.url, view, 2, id);
    assert.deepEqual([view.text, view.state], ["ab", "done"]);
  });
});

/** Reads so many events into the view. Returns the last id. */
async function readEvents(
  url: string,
  view: StreamView | undefined,
  count: number,
  id?: string,
): Promise<string | undefined> {
  const leaving = new AbortController();
  const headers = { Accept: "text/event-stream", ...(id === undefined ? {} : { "Last-Event-ID": id }) };
  const response = await fetch(url, { headers, signal: leaving.signal });
  const decoder = new EventDecoder();
  let last = id;
  let left = count;
  if (left === 0) {
    leaving.abort();
    return last;
  }
  for await (const bytes of response.body!) {
    decoder.push(bytes);
    for (let event = decoder.next(); event !== undefined && left > 0; event = decoder.next()) {
      view?.receive(event.data);
      last = event.lastEventId;
      left -= 1;
    }
    if (left === 0) break;
  }
  leaving.abort();
  return last;
}

describe("the guide to the Model Context Protocol", { skip: needsSdk(), timeout: 120_000 }, () => {
  it("serves a client of the SDK", async (t) => {
    const makeServer = `import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
function makeServer() {
  const server = new McpServer({ name: "guide", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool("count", { inputSchema: { to: z.number() } }, async ({ to }, { sendNotification }) => {
    for (let data = 1; data <= to; data++)
      await sendNotification({ method: "notifications/message", params: { level: "info", data } });
    return { content: [{ type: "text", text: "counted" }] };
  });
  return server;
}\n`;
    const text = program("mcp", "mcpEventStore").replace("await serve(", "const server = await serve(");
    const running = start(t, `${makeServer}${text}\nconsole.log(server.url);`, {}, "examples/mcp");
    const [url] = await running.printed(/http:\S+/);
    const child = spawn(process.execPath, ["examples/mcp/client.js", url, "3"]);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
    await until(() => child.exitCode !== null, `the client has ended: ${output}`);
    assert.match(output, /^1\n2\n3\n\[.*counted/s);
  });
});

function needsSdk(): string | false {
  if (existsSync("examples/mcp/node_modules/.package-lock.json")) return false;
  const reason = "the packages of examples/mcp are not installed";
  if (process.env["UNICHANNEL_REQUIRE_ALL"]) throw new Error(`${reason}, and UNICHANNEL_REQUIRE_ALL is set`);
  return reason;
}
