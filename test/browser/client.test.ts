// unichannel/client in a real browser, through a proxy that does what networks do to it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { createChannelStore, type Handler, openSession, serve } from "../../src/index.ts";
import { FaultProxy, type Faults } from "../support/fault-proxy.ts";
import { BLANK, newPage, skip } from "./chromium.ts";

/** State that the tests keep in the page. */
interface Left {
  seen: string[];
  history: string[];
}

interface Site {
  readonly proxy: FaultProxy;
  /** Another server, at the same place. */
  readonly restart: () => Promise<void>;
  /** The server without the proxy. */
  readonly url: () => string;
}

/** Everything that is said is told to all, with its number. */
function chat(): Handler {
  const room = createChannelStore();
  let count = 0;
  return (request) => {
    if (request.path === "/chat") {
      return openSession(request, {
        open: (channel) => room.addToGroup("chat", channel),
        message: (message) => room.broadcast("chat", `${++count} ${message}`),
      });
    }
    const [, module] = /^\/unichannel\/([\w/-]+\.js)$/.exec(request.path) ?? [];
    if (module === undefined) return BLANK;
    return { headers: { "Content-Type": "text/javascript" }, body: readFileSync(`dist/src/${module}`) };
  };
}

/** A server behind a proxy. */
async function site(t: TestContext, faults: Faults = {}): Promise<Site> {
  const options = { host: "127.0.0.1", port: 0 };
  let server = await serve(chat(), options);
  t.after(() => server.stop({ graceMs: 100 }));
  const restart = async (): Promise<void> => {
    await server.stop({ graceMs: 100 });
    server = await serve(chat(), options);
  };
  return { proxy: await FaultProxy.start(t, () => server.port, { faults }), restart, url: () => server.url };
}

/** Connects in the page, and is there. `pace`: how much faster its clock goes. A string: tsc would rewrite the imports. */
async function connectIn(page: Page, url: string, pace = 1): Promise<void> {
  await page.goto(url);
  await page.evaluate(`(async () => {
    const { connect } = await import("/unichannel/client/index.js");
    const { platform } = await import("/unichannel/client/environment.js");
    const clock = {
      ...platform.clock,
      now: () => ${pace} * Date.now(),
      setTimer: (fn, delayMs) => setTimeout(fn, delayMs / ${pace}),
    };
    const connection = connect("/chat", { environment: { ...platform, clock } });
    window.left = { connection, seen: [], history: [] };
    connection.onMessage((message) => left.seen.push(String(message)));
    connection.onOpen(({ session, transport }) => left.history.push(session + " " + transport));
  })()`);
  // A member that has not joined yet receives nothing.
  await waitFor(page, "left.history.length > 0");
}

const waitFor = (page: Page, expression: string): Promise<unknown> =>
  page.waitForFunction(expression, undefined, { timeout: 60_000 });
const read = <K extends keyof Left>(page: Page, name: K): Promise<Left[K]> => page.evaluate(`left.${name}`);
const send = (page: Page, text: string): Promise<unknown> =>
  page.evaluate(`left.connection.send(${JSON.stringify(text)})`);

describe("A page that is connected", { skip }, () => {
  it("is on a WebSocket where there is one", async (t) => {
    const { proxy } = await site(t);
    const page = await newPage(t);
    await connectIn(page, proxy.url);
    await send(page, "hello");
    await waitFor(page, "left.seen.length === 1");
    assert.deepEqual(await read(page, "seen"), ["1 hello"]);
    assert.deepEqual(await read(page, "history"), ["new websocket"]);
  });

  it("is on a stream 2.5 s after its WebSocket stayed silent", async (t) => {
    const { proxy } = await site(t, { swallowFrames: true });
    const page = await newPage(t);
    await connectIn(page, proxy.url);
    await send(page, "hello");
    await waitFor(page, "left.seen.length === 1");
    assert.deepEqual(await read(page, "history"), ["new sse"]);
  });

  it("polls where streams are held back, and goes back to a WebSocket when it can", async (t) => {
    const { proxy } = await site(t, { stripUpgrade: true, bufferDownstream: true });
    const page = await newPage(t);
    await connectIn(page, proxy.url, 4);
    await send(page, "one");
    await waitFor(page, "left.seen.length === 1");
    assert.equal((await read(page, "history"))[0], "new poll");
    proxy.faults = {};
    await send(page, "two");
    await waitFor(page, "left.connection.transport === 'websocket'");
    await send(page, "three");
    await waitFor(page, "left.seen.length === 3");
    assert.deepEqual(await read(page, "seen"), ["1 one", "2 two", "3 three"]);
    for (const opening of (await read(page, "history")).slice(1)) assert.match(opening, /^resumed /);
  });

  it("says that it is offline, and loses nothing of what is said meanwhile", async (t) => {
    const { proxy, url } = await site(t);
    const page = await newPage(t);
    const other = await newPage(t);
    await connectIn(page, proxy.url);
    await connectIn(other, url());
    await send(page, "before");
    await waitFor(page, "left.seen.length === 1");
    // The switch of the browser says so to the page, and does not reach WebSockets.
    proxy.faults = { refuse: true };
    proxy.cut();
    await page.context().setOffline(true);
    await waitFor(page, "left.connection.state === 'offline'");
    await send(page, "mine");
    await send(other, "theirs");
    await waitFor(other, "left.seen.length === 2");
    proxy.faults = {};
    await page.context().setOffline(false);
    await waitFor(page, "left.seen.length === 3");
    assert.deepEqual(await read(page, "seen"), ["1 before", "2 theirs", "3 mine"]);
    assert.match((await read(page, "history")).join(), /^new websocket,resumed /);
  });

  it("is told of the network, and that it may have slept, until it unsubscribes", async (t) => {
    const { url } = await site(t);
    const page = await newPage(t);
    await page.goto(url());
    const seen = await page.evaluate(`(async () => {
      const { platform } = await import("/unichannel/client/environment.js");
      const seen = [];
      const off = platform.watch((event) => seen.push(event));
      for (const type of ["online", "offline", "pageshow"]) window.dispatchEvent(new Event(type));
      for (const type of ["visibilitychange", "resume"]) document.dispatchEvent(new Event(type));
      off();
      window.dispatchEvent(new Event("online"));
      return seen;
    })()`);
    assert.deepEqual(seen, ["online", "offline", "awake", "awake", "awake"]);
  });

  it("has a separate session in each tab", async (t) => {
    const { proxy } = await site(t, { stripUpgrade: true });
    const context = await (await newPage(t)).context().browser()!.newContext();
    t.after(() => context.close());
    const tabs = [await context.newPage(), await context.newPage(), await context.newPage()];
    for (const tab of tabs) await connectIn(tab, proxy.url, 10);
    for (const tab of tabs) await waitFor(tab, "left.connection.state === 'open'");
    for (const [id, tab] of tabs.entries()) {
      await send(tab, `from ${id}`);
      for (const other of tabs) await waitFor(other, `left.seen.length === ${id + 1}`);
    }
    for (const tab of tabs) assert.deepEqual(await read(tab, "seen"), ["1 from 0", "2 from 1", "3 from 2"]);
  });

  it("is told when the server was started again, and goes on", async (t) => {
    const { proxy, restart } = await site(t);
    const page = await newPage(t);
    await connectIn(page, proxy.url, 10);
    await send(page, "one");
    await waitFor(page, "left.seen.length === 1");
    await restart();
    await waitFor(page, "left.history.length === 2");
    await send(page, "two");
    await waitFor(page, "left.seen.length === 2");
    assert.deepEqual(await read(page, "seen"), ["1 one", "1 two"]);
    // On which carrier is chance: while nobody listens each fails at once, and any of them may be the first that does not.
    const history = (await read(page, "history")) as string[];
    assert.deepEqual(
      history.map((entry) => entry.split(" ")[0]),
      ["new", "lost"],
    );
  });
});
