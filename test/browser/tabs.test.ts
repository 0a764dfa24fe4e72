// Tabs that share a session, in Chromium, with its own locks, channels and processes.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { build } from "esbuild";
import { type Channel, openSession, type Server, serve } from "../../src/index.ts";
import { seeded } from "../support/random.ts";
import { until } from "../support/wait.ts";
import { chromium } from "./engines/chromium.ts";
import { type Browser, type Page, waitFor } from "./engines/engine.ts";
import { BLANK } from "./engines/rig.ts";

const script = build({
  stdin: {
    contents: `export { connect } from "./dist/src/client/index.js";
      export { tabs } from "./dist/src/client/tabs/index.js";`,
    resolveDir: process.cwd(),
  },
  bundle: true,
  format: "esm",
  write: false,
});

interface Site {
  readonly server: Server;
  readonly browser: Browser;
  readonly channels: Channel[];
  /** The numbers that have arrived, by the tab that has sent them. */
  readonly up: Map<string, number[]>;
}

async function startSite(t: TestContext): Promise<Site> {
  const { outputFiles } = await script;
  const channels: Channel[] = [];
  const up = new Map<string, number[]>();
  const server = await serve(
    (request) => {
      if (request.path === "/client.js") {
        return { headers: { "Content-Type": "text/javascript" }, body: outputFiles[0]!.contents };
      }
      if (request.path !== "/chat") return BLANK;
      return openSession(request, {
        open: (channel) => void channels.push(channel),
        message(message) {
          const [name, number] = String(message).split(" ");
          if (!up.has(name!)) up.set(name!, []);
          up.get(name!)!.push(Number(number));
        },
      });
    },
    { host: "127.0.0.1", port: 0 },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  const browser = await chromium.launch();
  t.after(() => browser.close());
  return { server, browser, channels, up };
}

interface Tab {
  readonly name: string;
  readonly page: Page;
  sent: number;
  state: "running" | "frozen" | "gone";
}

async function openTab(site: Site, name: string, options = "{}", share = 'tabs({ user: "", onStatus })'): Promise<Tab> {
  const page = await site.browser.newPage();
  await page.goto(site.server.url);
  await page.evaluate(`(async () => {
    const { connect, tabs } = await import("/client.js");
    const left = (window.left = { got: [], openings: [], statuses: [], errors: [], sent: 0 });
    const onStatus = (status) => left.statuses.push(status);
    left.connection = connect("/chat", { share: ${share}, ...${options} });
    left.connection.onMessage((message) => left.got.push(Number(message)));
    left.connection.onOpen(({ session }) => left.openings.push(session));
    left.connection.onError((error) => left.errors.push(String(error)));
  })()`);
  return { name, page, sent: 0, state: "running" };
}

async function send(tab: Tab, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await tab.page.evaluate(`left.connection.send("${tab.name} ${++tab.sent}")`);
}

const isOpen = (tab: Tab): Promise<void> => waitFor(tab.page, "left.connection.state === 'open'");
const got = async (tab: Tab): Promise<number[]> => (await tab.page.evaluate("left.got")) as number[];
const status = async (tab: Tab): Promise<string> => (await tab.page.evaluate("left.statuses.at(-1)")) as string;

function count(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

describe("Tabs that share a session in Chromium", { skip: chromium.skip }, () => {
  it("are ten on one event stream, where a browser allows six connections", async (t) => {
    const site = await startSite(t);
    const all: Tab[] = [];
    for (let id = 1; id <= 10; id++) all.push(await openTab(site, `t${id}`, '{ carriers: ["sse"] }'));
    for (const tab of all) await isOpen(tab);
    assert.equal(site.channels.length, 1);
    for (let id = 1; id <= 20; id++) site.channels[0]!.send(String(id));
    for (const tab of all) await send(tab, 3);
    for (const tab of all) {
      await waitFor(tab.page, "left.got.at(-1) === 20", `${tab.name} has all`);
      assert.deepEqual(await got(tab), count(1, 20), tab.name);
      await until(() => site.up.get(tab.name)?.length === 3, `the messages of ${tab.name}`);
      assert.deepEqual(site.up.get(tab.name), [1, 2, 3]);
    }
    const statuses = await Promise.all(all.map(status));
    assert.deepEqual(statuses.sort(), [...Array.from({ length: 9 }, () => "following"), "leading"]);
  });

  it("are six of seven without sharing: the seventh gets no connection", async (t) => {
    const site = await startSite(t);
    const all: Tab[] = [];
    for (let id = 1; id <= 6; id++) all.push(await openTab(site, `t${id}`, '{ carriers: ["sse"] }', "undefined"));
    for (const tab of all) await isOpen(tab);
    assert.equal(site.channels.length, 6);
    const page = await site.browser.newPage();
    // Not even its document arrives, until one of the others leaves.
    const loaded = page.goto(site.server.url);
    const isFirst = await Promise.race([loaded.then(() => "loaded"), all[0]!.page.close().then(() => "closed")]);
    assert.equal(isFirst, "closed");
    await loaded;
  });

  it("go on when the tab that leads is frozen, and it follows when it is thawed", async (t) => {
    const site = await startSite(t);
    const [first, second] = [await openTab(site, "first"), await openTab(site, "second")];
    for (const tab of [first, second]) await isOpen(tab);
    assert.equal(await status(first), "leading");
    await first.page.setFrozen(true);
    await waitFor(second.page, "left.statuses.at(-1) === 'leading'");
    await isOpen(second);
    site.channels[0]!.send("1");
    await send(second);
    await waitFor(second.page, "left.got.length === 1");
    await first.page.setFrozen(false);
    await waitFor(first.page, "left.got.length === 1");
    await send(first);
    await until(() => site.up.size === 2, "both have sent");
    assert.deepEqual([await status(first), await status(second)], ["following", "leading"]);
    assert.equal(site.channels.length, 1);
  });

  it("take the session up again when the user goes back to a page whose successors have led and are closed", async (t) => {
    const site = await startSite(t);
    const [first, second] = [await openTab(site, "first"), await openTab(site, "second")];
    for (const tab of [first, second]) await isOpen(tab);
    await first.page.goto(`${site.server.url}/other`);
    const third = await openTab(site, "third");
    await isOpen(third);
    await second.page.close();
    await waitFor(third.page, "left.statuses.at(-1) === 'leading' && left.connection.state === 'open'");
    await third.page.close();
    await first.page.back();
    await waitFor(first.page, "typeof left === 'object' && left.connection.state === 'open'");
    site.channels[0]!.send("1");
    await send(first);
    await waitFor(first.page, "left.got.length === 1");
    await until(() => site.up.get("first")?.length === 1, "the page has sent");
    assert.deepEqual(await first.page.evaluate("left.openings"), ["new", "resumed"]);
    assert.equal(site.channels.length, 1);
  });

  it("take the lock from a tab that stands still and keeps it", async (t) => {
    const site = await startSite(t);
    const [first, second] = [await openTab(site, "first"), await openTab(site, "second")];
    for (const tab of [first, second]) await isOpen(tab);
    await first.page.evaluate("void setTimeout(() => { for (const end = Date.now() + 15_000; Date.now() < end; ); })");
    await waitFor(second.page, "left.statuses.at(-1) === 'leading'");
    await isOpen(second);
    site.channels[0]!.send("1");
    await send(second);
    await waitFor(second.page, "left.got.length === 1");
    await until(() => site.up.get("second")?.length === 1, "the second one has sent");
    await waitFor(first.page, "left.got.length === 1");
    assert.equal(await status(first), "following");
    assert.equal(site.channels.length, 1);
  });

  for (const carriers of [["websocket"], ["sse"]]) {
    it(`are opened, closed, frozen and crashed at random, and lose and repeat nothing (${carriers})`, async (t) => {
      const { randomInt } = seeded(Number(process.env["TABS_SEED"] ?? 1));
      const site = await startSite(t);
      const all: Tab[] = [];
      const lines: string[] = [];
      let down = 0;
      const open = async (): Promise<void> => {
        const tab = await openTab(site, `t${all.length + 1}`, JSON.stringify({ carriers }));
        all.push(tab);
        await isOpen(tab);
        lines.push(`open ${tab.name}`);
      };
      const those = (state: Tab["state"]): Tab[] => all.filter((tab) => tab.state === state);
      const talk = async (): Promise<void> => {
        for (let burst = randomInt(5); burst >= 0; burst--) site.channels[0]!.send(String(++down));
        await Promise.all(those("running").map((tab) => send(tab, randomInt(3))));
      };
      for (let id = 0; id < 5; id++) await open();
      for (let step = 0; step < 30; step++) {
        await talk();
        const running = those("running");
        // The tab that leads is the victim more often than by chance.
        const leading = await Promise.all(running.map(async (tab) => (await status(tab)) === "leading"));
        const victim = running[randomInt(2) ? Math.max(leading.indexOf(true), 0) : randomInt(running.length)]!;
        const act = randomInt(4);
        const talking = talk();
        if (running.length < 3 || act === 0) {
          if (running.length < 5) await open();
        } else if (act === 3 || those("frozen").length > 1) {
          const [frozen] = those("frozen");
          lines.push(`thaw ${frozen?.name}`);
          await frozen?.page.setFrozen(false);
          if (frozen) frozen.state = "running";
        } else {
          await talking;
          await send(victim, randomInt(3));
          lines.push(`${["", "crash", "freeze"][act]} ${victim.name}`);
          if (act === 2) {
            victim.state = "frozen";
            await victim.page.setFrozen(true);
          } else {
            victim.state = "gone";
            await (randomInt(2) ? victim.page.crash() : victim.page.close());
          }
        }
        await talking;
      }
      for (const tab of those("frozen")) {
        await tab.page.setFrozen(false);
        tab.state = "running";
      }
      await talk();
      assert.equal(site.channels.length, 1, lines.join("\n"));
      for (const tab of those("running")) {
        await waitFor(tab.page, `left.got.at(-1) === ${down}`, `${tab.name} has ${down}; ${lines.join("\n")}`);
        const all = await got(tab);
        assert.deepEqual(all, count(all[0]!, down), `${tab.name}; ${lines.join("\n")}`);
        await waitFor(tab.page, "left.connection.bufferedAmount === 0");
        assert.deepEqual(site.up.get(tab.name) ?? [], count(1, tab.sent), `${tab.name}; ${lines.join("\n")}`);
        assert.deepEqual(await tab.page.evaluate("left.openings.filter((session) => session === 'lost')"), []);
      }
      for (const tab of those("gone")) {
        const arrived = site.up.get(tab.name) ?? [];
        assert.deepEqual(arrived, count(1, arrived.length), `${tab.name}; ${lines.join("\n")}`);
      }
      t.diagnostic(`${down} messages to each of ${all.length} tabs: ${lines.join(", ")}`);
    });
  }
});
