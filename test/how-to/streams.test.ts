// The programs of docs/how-to/streams.md and docs/how-to/mcp.md run as they are printed: only ports, URLs, and what the page leaves to its
// reader are put in.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { StreamView } from "../../src/client/index.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import { chromium } from "../browser/engines/chromium.ts";
import { type Page, waitFor } from "../browser/engines/engine.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { block, type Program, program, run, start, write } from "./programs.ts";
import { readServer, readSite, tabsOf } from "./reader.ts";

const PAGE = "streams";

const STEPS = Array.from({ length: 100 }, (_, i) => `step ${i + 1} of 100\n`).join("");

describe("the guide to streams", () => {
  it("shows a build to two pages, the second loaded later, and stops the next one", {
    skip: chromium.skip,
  }, async (t) => {
    const { server } = await readSite(t, PAGE, (text) => text.replace("delay(100", "delay(5"));
    const open = await tabsOf(t, server);
    const shows = (page: Page, test: string): Promise<void> =>
      waitFor(page, `document.querySelector("pre").textContent.${test}`);
    const press = (page: Page, button: string): Promise<unknown> =>
      page.evaluate(`document.querySelector("#${button}").click()`);
    const first = await open();
    await press(first, "start");
    await shows(first, 'includes("step 3 ")');
    const pages = [first, await open()];
    for (const page of pages) await shows(page, `trim() === ${JSON.stringify(`${STEPS} done`)}`);
    await press(pages[1]!, "start");
    await shows(first, 'endsWith(" open")');
    await press(first, "stop");
    for (const page of pages) await shows(page, 'endsWith(" stopped")');
  });

  it("says that the build is lost when the server was started again", { skip: chromium.skip }, async (t) => {
    const { server, restart } = await readSite(t, PAGE);
    const page = await (await tabsOf(t, server))();
    await page.evaluate('document.querySelector("#start").click()');
    const shows = (test: string): Promise<void> => waitFor(page, `document.querySelector("pre").textContent.${test}`);
    await shows('endsWith(" open")');
    await restart();
    await shows('endsWith(" lost")');
    await page.evaluate('document.querySelector("#start").click()');
    await shows('startsWith("step 1 of 100") && document.querySelector("pre").textContent.endsWith(" open")');
  });

  it("has the end and the error in the result", async (t) => {
    const text = block(PAGE, '"report"');
    const failing = text.replace(
      "yield { id };",
      'if (id === 2) throw new Error("of the database"); else yield { id };',
    );
    const log = t.mock.method(console, "log", () => {});
    t.mock.method(console, "error", () => {});
    await run(t, text);
    await run(t, failing);
    assert.deepEqual(
      log.mock.calls.map(({ arguments: [end, error] }) => [end, error === "" ? "" : (error as Error).message]),
      [
        ["done", ""],
        ["failed", "of the database"],
      ],
    );
  });

  it("publishes what a command prints", { skip: needs("curl") }, async (t) => {
    const { server, sh, listen } = await readServer(t, PAGE, "request.body", (text) =>
      text.replace("sleep 1", "sleep 0.1"),
    );
    const watching = listen("Watch");
    await until(() => server.stats().channels.sse === 1, "a client watches");
    assert.equal(await sh("Publish"), "done\n");
    const view = new StreamView();
    await until(() => {
      for (const [, data] of watching().matchAll(/^data: ?(.*)$/gm)) view.receive(data);
      return view.state === "done";
    }, "the client has the end");
    assert.equal(view.text, "1\n2\n3\n");
  });

  it("gives an event stream that comes back what it has missed", async (t) => {
    const { server } = await readServer(t, PAGE, "request.body");
    const parts = new TransformStream<Uint8Array, Uint8Array>();
    const publishing = fetch(server.url, { method: "PUT", body: parts.readable, duplex: "half" } as RequestInit);
    const writer = parts.writable.getWriter();
    await writer.write(Buffer.from("a"));
    const view = new StreamView();
    const id = await readEvents(server.url, view, 2);
    assert.deepEqual([view.text, view.state], ["a", "open"]);
    await writer.write(Buffer.from("b"));
    await writer.close();
    assert.equal(await (await publishing).text(), "done\n");
    await readEvents(server.url, view, 2, id);
    assert.deepEqual([view.text, view.state], ["ab", "done"]);
  });

  it("has typed messages, whose schema takes those of a stream, and refuses others", async (t) => {
    const shared = pathToFileURL(write(t, block(PAGE, "// messages.ts"))).href;
    const port = await freePort();
    const typed = (mark: string): Program =>
      start(t, block(PAGE, mark).replaceAll("9090", `${port}`).replaceAll("./messages.ts", shared));
    const server = typed("// typed-server.ts");
    await server.printed(/Ask/);
    const client = typed("// typed-client.ts");
    await client.printed(/You asked: what is new $/m);
    assert.equal(client.output(), "what is new\nYou asked: what is new \n");

    const { messages } = (await import(shared)) as { messages: { server: { encode(value: unknown): unknown } } };
    messages.server.encode({ stream: "s", n: 1, text: "a" });
    for (const wrong of [
      { stream: "s", n: 1, text: 1 },
      { stream: "s", n: 1 },
      { stream: "s", end: "over" },
    ])
      assert.throws(() => messages.server.encode(wrong), { code: "BAD_MESSAGE" });
  });
});

/** Reads so many events into the view. Returns the last id. */
async function readEvents(url: string, view: StreamView, count: number, id?: string): Promise<string | undefined> {
  const leaving = new AbortController();
  const headers = { Accept: "text/event-stream", ...(id === undefined ? {} : { "Last-Event-ID": id }) };
  const response = await fetch(url, { headers, signal: leaving.signal });
  const decoder = new EventDecoder();
  let last = id;
  let left = count;
  for await (const bytes of response.body!) {
    decoder.push(bytes);
    for (let event = decoder.next(); event !== undefined && left > 0; event = decoder.next()) {
      view.receive(event.data);
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
    const running = start(t, program("mcp", "mcpEventStore"), {}, "examples/mcp");
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
