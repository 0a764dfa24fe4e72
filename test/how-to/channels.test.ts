// The programs of docs/how-to/channels.md run as they are printed, and their commands do what they say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { block, start, write } from "./programs.ts";
import { readServer } from "./reader.ts";

const PAGE = "channels";

const dataOf = (events: string): string[] => [...events.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => data!);

describe("the guide to channels", { skip: needs("curl") }, () => {
  it("refuses a client that has not logged in, and knows the name of one that has", async (t) => {
    const { server, sh } = await readServer(t, PAGE, "users.get(login)");
    assert.equal(await sh("Try"), "hello ann\n");
    const refused = await fetch(server.url);
    assert.deepEqual([refused.status, await refused.text()], [401, "log in first\n"]);
  });

  it("answers a parked poll with the next message, and a late one at once", async (t) => {
    const { server, sh, listen } = await readServer(t, PAGE, "addToGroup");
    const parked = listen("Wait");
    await until(() => server.stats().channels.stream === 1, "the poll is parked");
    await sh("Say");
    await until(() => parked() === '{"next":1,"messages":["hello"]}', "it is answered");
    assert.equal(await sh("Wait"), parked());
  });

  it("answers a poll before a proxy ends it", async (t) => {
    const { server } = await readServer(t, PAGE, "addToGroup", (text) => text.replace("25_000", "10"));
    assert.equal((await fetch(server.url)).status, 204);
  });

  it("gives an event stream that comes back the events that follow", async (t) => {
    const { sh } = await readServer(t, PAGE, "lastEventId", (text) => text.replace("1000", "10"));
    assert.deepEqual(dataOf(await sh("All")), ["one", "two", "three", "four", "five"]);
    assert.deepEqual(dataOf(await sh("The last three")), ["three", "four", "five"]);
  });

  it("reads rows at the pace of a client, and no more for one that takes nothing", async (t) => {
    const endless = (text: string): string =>
      text
        .replace("id <= 1_000_000", "true")
        .replace("yield { id };", "{ globalThis.rowsOfTheGuide = id; yield { id }; }");
    const { server, listen } = await readServer(t, PAGE, "rows()", endless);
    const leaving = new AbortController();
    t.after(() => leaving.abort());
    await fetch(server.url, { signal: leaving.signal }); // its body is never read
    const made = (): number => (globalThis as { rowsOfTheGuide?: number }).rowsOfTheGuide!;
    for (let before = -1; before !== made(); await delay(500)) before = made();
    assert.ok(server.stats().bufferedBytes < 1_000_000);
    const output = listen("Slowly");
    await until(() => output().startsWith('{"id":1}{"id":2}'), "another client has its first rows");
  });

  it("compresses for a client that takes it", async (t) => {
    const { sh } = await readServer(t, PAGE, "compress:");
    assert.equal(Number(await sh("6,000 bytes")), 6000);
    assert.ok(Number(await sh("Compressed")) < 100);
  });

  it("has typed messages with one definition for both ends", async (t) => {
    const port = await freePort();
    const chat = pathToFileURL(write(t, block(PAGE, "// chat.ts"))).href;
    const put = (text: string): string => text.replace("./chat.ts", chat).replace("9090", `${port}`);
    start(t, put(block(PAGE, "// server.ts")));
    const client = start(t, put(block(PAGE, "// client.ts")));
    await client.printed(/^echo: hello$/m);
  });
});
