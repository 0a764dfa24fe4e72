// unichannel/client in a real browser, written once for all engines. Each test checks that every message arrives once, in order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Page, waitFor } from "../engines/engine.ts";
import type { Rig } from "../engines/rig.ts";
import { assertSeen, connectIn, history, send, startSite } from "./client-site.ts";

/** Numbered as the server numbers all texts. */
const numbered = (texts: readonly string[]): string[] => texts.map((text, at) => `${at + 1} ${text}`);

const CARRIERS = ["websocket", "sse", "poll"] as const;

export function clientSuite(rig: Rig): void {
  const { newPage, needing } = rig;

  describe("unichannel/client", () => {
    it("is on a WebSocket where there is one", async (t) => {
      const { proxy } = await startSite(t);
      t.diagnostic(rig.browser.version);
      const page = await newPage(t);
      await connectIn(page, proxy.url);
      await send(page, "hello");
      await assertSeen(page, ["1 hello"]);
      assert.deepEqual(await history(page), ["new websocket"]);
    });

    for (const carrier of CARRIERS) {
      it(`carries 300 texts and binary messages to the server and back, on ${carrier}`, async (t) => {
        const { proxy } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url, { path: "/echo", carriers: [carrier] });
        await page.evaluate(`(async () => {
          left.sent = [];
          for (let id = 0; id < 300; id++) {
            const text = id === 100 ? "" : id + " é😀\\0\\n " + "x".repeat(id === 200 ? 100_000 : id);
            const message = id % 2 ? new TextEncoder().encode(text) : text;
            left.sent.push(message);
            left.connection.send(message);
          }
        })()`);
        await waitFor(page, "left.seen.length >= 300");
        const wrong = await page.evaluate(`left.seen.flatMap((message, id) => {
          const plain = (value) => typeof value === "string" ? value : "bytes: " + String(value);
          return plain(message) === plain(left.sent[id]) ? [] : [id];
        })`);
        assert.deepEqual(wrong, []);
        assert.equal(await page.evaluate("left.seen.length"), 300);
        assert.deepEqual(await history(page), [`new ${carrier}`]);
      });
    }

    it("is on a stream 2.5 s after its WebSocket stayed silent", async (t) => {
      const { proxy } = await startSite(t, { swallowFrames: true });
      const page = await newPage(t);
      await connectIn(page, proxy.url);
      await send(page, "hello");
      await assertSeen(page, ["1 hello"]);
      assert.deepEqual(await history(page), ["new sse"]);
    });

    it("is on a stream where WebSockets are blocked, and on a WebSocket when they are not any more", async (t) => {
      const { proxy, say } = await startSite(t, { stripUpgrade: true });
      const page = await newPage(t);
      await connectIn(page, proxy.url, { pace: 10 });
      await send(page, "one");
      await assertSeen(page, ["1 one"]);
      assert.deepEqual(await history(page), ["new sse"]);
      proxy.faults = {};
      await say("two");
      await waitFor(page, "left.connection.transport === 'websocket'");
      await send(page, "three");
      await assertSeen(page, numbered(["one", "two", "three"]));
      await assertResumed(page);
    });

    it("polls where streams are held back, and goes back to a WebSocket when it can", async (t) => {
      const { proxy } = await startSite(t, { stripUpgrade: true, bufferDownstream: true });
      const page = await newPage(t);
      await connectIn(page, proxy.url, { pace: 8 });
      await send(page, "one");
      await assertSeen(page, ["1 one"]);
      assert.equal((await history(page))[0], "new poll");
      proxy.faults = {};
      await send(page, "two");
      await waitFor(page, "left.connection.transport === 'websocket'");
      await send(page, "three");
      await assertSeen(page, numbered(["one", "two", "three"]));
      await assertResumed(page);
    });

    it(
      "says that it is offline when the browser does, and loses nothing meanwhile",
      needing("networkSwitch"),
      async (t) => {
        const { proxy, say } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url);
        await send(page, "before");
        await assertSeen(page, ["1 before"]);
        // The switch of the browser says so to the page, and does not reach each connection in each engine.
        proxy.faults = { refuse: true };
        proxy.cut();
        await page.setOffline(true);
        await waitFor(page, "left.connection.state === 'offline'");
        await send(page, "mine");
        await say("theirs");
        proxy.faults = {};
        await page.setOffline(false);
        await assertSeen(page, numbered(["before", "theirs", "mine"]));
        await assertResumed(page);
      },
    );

    for (const carrier of CARRIERS) {
      it(`loses nothing when the network goes and comes and no event says so, on ${carrier}`, async (t) => {
        const { proxy, say } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url, { carriers: [carrier] });
        await send(page, "before");
        await assertSeen(page, ["1 before"]);
        proxy.faults = { refuse: true };
        proxy.cut();
        await waitFor(page, "left.connection.state === 'reconnecting'");
        await send(page, "mine");
        await say("theirs");
        proxy.faults = {};
        await assertSeen(page, numbered(["before", "theirs", "mine"]));
        await assertResumed(page);
      });
    }

    it("hears of the network, and that it may have slept, until it does not listen any more", async (t) => {
      const { proxy } = await startSite(t);
      const page = await newPage(t);
      await page.goto(proxy.url);
      const seen = await page.evaluate(`(async () => {
        const { platform } = await import("/client.js");
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

    it("receives, and finds its way back, while its page is hidden", async (t) => {
      const { proxy, say } = await startSite(t);
      const page = await newPage(t);
      await connectIn(page, proxy.url);
      await page.setHidden(true);
      await waitFor(page, "document.visibilityState === 'hidden'");
      await say("one");
      await send(page, "two");
      await assertSeen(page, numbered(["one", "two"]));
      proxy.cut();
      await say("three");
      await send(page, "four");
      await assertSeen(page, numbered(["one", "two", "three", "four"]));
      await page.setHidden(false);
      await waitFor(page, "document.visibilityState === 'visible'");
      await send(page, "five");
      await assertSeen(page, numbered(["one", "two", "three", "four", "five"]));
      await assertResumed(page);
    });

    for (const carrier of CARRIERS) {
      it(`receives what it missed while its page was frozen, on ${carrier}`, needing("freeze"), async (t) => {
        const { proxy, say } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url, { carriers: [carrier] });
        await page.evaluate("document.addEventListener('freeze', () => (left.wasFrozen = true))");
        await page.setHidden(true);
        await page.setFrozen(true);
        await waitFor(page, "left.wasFrozen === true");
        const said = Array.from({ length: 50 }, (_, id) => `while frozen ${id}`);
        for (const text of said.slice(0, 25)) await say(text);
        proxy.cut();
        for (const text of said.slice(25)) await say(text);
        assert.deepEqual(await page.evaluate("left.seen"), [], "a frozen page runs nothing");
        await page.setFrozen(false);
        await page.setHidden(false);
        await send(page, "after");
        await assertSeen(page, numbered([...said, "after"]));
        await assertResumed(page);
      });
    }

    for (const carrier of CARRIERS) {
      it(`receives what it missed while the computer slept, on ${carrier}`, async (t) => {
        const { proxy, say } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url, { carriers: [carrier] });
        const said = Array.from({ length: 50 }, (_, id) => `asleep ${id}`);
        rig.browser.sleep();
        for (const text of said.slice(0, 25)) await say(text);
        rig.browser.wake();
        await assertSeen(page, numbered(said.slice(0, 25)));
        rig.browser.sleep();
        proxy.cut();
        for (const text of said.slice(25)) await say(text);
        rig.browser.wake();
        await assertSeen(page, numbered(said));
        await send(page, "awake");
        await assertSeen(page, numbered([...said, "awake"]));
        await assertResumed(page);
      });
    }

    for (const carrier of CARRIERS) {
      it(`receives what it missed while its page was left, on ${carrier}`, needing("cachesConnected"), async (t) => {
        const { proxy, say } = await startSite(t);
        const page = await newPage(t);
        await connectIn(page, proxy.url, { carriers: [carrier] });
        await send(page, "before");
        await assertSeen(page, ["1 before"]);
        await page.goto(`${proxy.url}/elsewhere`);
        await say("meanwhile");
        await page.back();
        await waitFor(page, "left.shown.length === 1");
        assert.deepEqual(await page.evaluate("left.shown"), [true], "the page comes from the back-forward cache");
        await send(page, "after");
        await assertSeen(page, numbered(["before", "meanwhile", "after"]));
        await assertResumed(page);
      });
    }

    it("connects at once when its page comes back from the back-forward cache without a connection", async (t) => {
      const { proxy, say } = await startSite(t);
      const elsewhere = await startSite(t);
      const page = await newPage(t);
      // The next attempt would begin long after the test: only the news that the page is back begins it earlier.
      await connectIn(page, proxy.url, { backoffMs: 600_000 });
      await send(page, "before");
      await assertSeen(page, ["1 before"]);
      proxy.cut();
      await waitFor(page, "left.connection.state === 'reconnecting'");
      await send(page, "mine");
      await page.goto(elsewhere.proxy.url);
      await say("theirs");
      await page.back();
      await waitFor(page, "left.shown.length === 1");
      assert.deepEqual(await page.evaluate("left.shown"), [true], "the page comes from the back-forward cache");
      await assertSeen(page, numbered(["before", "theirs", "mine"]));
      await assertResumed(page);
    });

    it("has a session of its own in each tab", async (t) => {
      const { proxy } = await startSite(t, { stripUpgrade: true });
      const tabs = [await newPage(t), await newPage(t), await newPage(t)];
      for (const tab of tabs) await connectIn(tab, proxy.url, { pace: 10 });
      const said: string[] = [];
      for (const [id, tab] of tabs.entries()) {
        said.push(`from ${id}`);
        await send(tab, `from ${id}`);
        for (const other of tabs) await assertSeen(other, numbered(said));
      }
    });

    it("is told when the server was started again, and goes on", async (t) => {
      const { proxy, stop, start } = await startSite(t);
      const page = await newPage(t);
      await connectIn(page, proxy.url, { pace: 10 });
      await send(page, "one");
      await assertSeen(page, ["1 one"]);
      await stop();
      await waitFor(page, "left.connection.state !== 'open'");
      // Nobody listens: it waits, and leaves when somebody does.
      await send(page, "two");
      await start();
      await assertSeen(page, ["1 one", "1 two"]);
      await send(page, "three");
      await assertSeen(page, ["1 one", "1 two", "2 three"]);
      // On which carrier is chance: while nobody listens each fails at once, and any of them may be the first that does not.
      const sessions = (await history(page)).map((entry) => entry.split(" ")[0]);
      assert.deepEqual(sessions.slice(0, 2), ["new", "lost"]);
      assert.ok(
        sessions.slice(2).every((session) => session === "resumed"),
        sessions.join(),
      );
    });
  });
}

/** The first session is still the one. */
async function assertResumed(page: Page): Promise<void> {
  const [first, ...others] = await history(page);
  assert.match(first!, /^new /);
  assert.ok(
    others.every((opening) => opening.startsWith("resumed ")),
    others.join(),
  );
}
