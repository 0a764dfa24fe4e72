// The development server of Next: its hot module replacement and our channels on one server, each with its own WebSockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { within } from "../support/wait.ts";
import { needsFrameworks, startApp } from "./app.ts";

const ORIGINAL = "examples/frameworks/next";
/** A copy, since the test edits a page of it while another one builds the original. */
const COPY = "examples/frameworks/next-dev";

describe("the development server of Next", { skip: needsFrameworks(), timeout: 400_000 }, () => {
  it("replaces modules beside our channels, also where a page matches their path, and ends when it is told to", async (t) => {
    const remove = (): void => rmSync(COPY, { recursive: true, force: true, maxRetries: 5 });
    remove();
    t.after(remove);
    cpSync(ORIGINAL, COPY, { recursive: true, filter: (path) => !/next\/(?:\.next|next-env)/.test(path) });
    const app = await startApp("next-dev", "server.js", { NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "development" });
    t.after(() => app.stop());
    // Next listens for upgrades from its first request on, and compiles the page for it.
    assert.match(await (await fetch(app.url)).text(), /a page of Next/);

    const socketTo = (path: string): WebSocket => {
      const socket = new WebSocket(`${app.url.replace("http", "ws")}${path}`);
      t.after(() => socket.terminate());
      return socket;
    };
    const updates: string[] = [];
    const hmr = socketTo("/_next/hmr?id=test");
    hmr.on("message", (data) => updates.push(String(data)));
    const ours = socketTo("/live?user=ann");
    await within(Promise.all([once(hmr, "open"), once(ours, "open")]), () => "both WebSockets to open");

    const page = `${COPY}/app/page.js`;
    const known = updates.length;
    writeFileSync(page, readFileSync(page, "utf8").replace("a page of Next", "an edited page"));
    const deadline = Date.now() + 120_000;
    const isEdited = async (): Promise<boolean> => /an edited page/.test(await (await fetch(app.url)).text());
    while (!(await isEdited())) assert.ok(Date.now() < deadline, "the page is compiled again");
    while (updates.length === known) {
      assert.ok(Date.now() < deadline, "the page's client is told of it");
      await within(once(hmr, "message"), () => "a message of the hot module replacement");
    }

    const echo = once(ours, "message");
    ours.send("still here");
    assert.equal(String((await within(echo, () => "the echo"))[0]), "still here");
    const closed = once(ours, "close");
    assert.deepEqual(await app.stop(), { code: 0, signal: null }, app.output());
    assert.equal((await within(closed, () => "the close"))[0], 1001);
  });
});
