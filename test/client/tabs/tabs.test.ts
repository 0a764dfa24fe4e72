// Tabs that share a session, in memory and virtual time: each promise of docs/guide/one-connection-for-all-tabs.md.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { z } from "zod";
import { connect } from "../../../src/client/connect.ts";
import type { ConnectionClose, Opening } from "../../../src/client/connection.ts";
import type { Connection, ConnectOptions } from "../../../src/client/index.ts";
import { ResumableWebSocket } from "../../../src/client/index.ts";
import { requests } from "../../../src/client/requests.ts";
import { type TabStatus, tabs } from "../../../src/client/tabs/index.ts";
import { MAX_TABS } from "../../../src/client/tabs/limits.ts";
import {
  type Channel,
  type ChannelRequest,
  jsonMessages,
  openSession,
  type SessionOptions,
} from "../../../src/index.ts";
import { type TestServer, testServer } from "../../../src/testing/index.ts";
import { MemoryBrowser, type MemoryTab } from "./memory-browser.ts";

interface Kit {
  readonly app: TestServer;
  readonly browser: MemoryBrowser;
  readonly channels: Channel[];
  readonly requests: ChannelRequest[];
  /** The messages that the server has received. */
  readonly up: unknown[];
  readonly closes: string[];
  isRefusing: boolean;
  /** The server refuses to resume a session, as it refuses a late attempt. */
  isLate: boolean;
  open(options?: ConnectOptions, user?: string): Opened;
}

interface Opened {
  readonly tab: MemoryTab;
  readonly connection: Connection;
  readonly got: unknown[];
  readonly openings: Opening[];
  readonly closings: ConnectionClose[];
  readonly errors: unknown[];
}

function kit(t: TestContext, session: SessionOptions = {}): Kit {
  const channels: Channel[] = [];
  const requests: ChannelRequest[] = [];
  const up: unknown[] = [];
  const closes: string[] = [];
  const app = testServer((request) => {
    requests.push(request);
    if (own.isRefusing) return { status: 401 };
    if (own.isLate && request.url.includes("session=")) {
      own.isLate = false;
      return { status: 409 };
    }
    return openSession(
      request,
      {
        open: (channel) => void channels.push(channel),
        message: (message) => void up.push(message),
        close: ({ by, code }) => void closes.push(`${by} ${code}`),
      },
      session,
    );
  });
  const browser = new MemoryBrowser(app.platform);
  t.after(() => app.stop());
  const open = (clientOptions: ConnectOptions = {}, user = "ann"): Opened => {
    const tab = browser.newTab();
    const connection = tab.connect(`${app.url}/chat`, clientOptions, user);
    const opened: Opened = { tab, connection, got: [], openings: [], closings: [], errors: [] };
    connection.onMessage((message) => opened.got.push(message));
    connection.onOpen((opening) => opened.openings.push(opening));
    connection.onClose((close) => opened.closings.push(close));
    connection.onError((error) => opened.errors.push(error));
    t.after(() => connection.close());
    return opened;
  };
  const own: Kit = { app, browser, channels, requests, up, closes, isRefusing: false, isLate: false, open };
  return own;
}

async function openSome(kit: Kit, count: number, options: ConnectOptions = {}): Promise<Opened[]> {
  const all: Opened[] = [];
  for (let i = 0; i < count; i++) {
    all.push(kit.open(options));
    await kit.app.advance(50);
  }
  return all;
}

/** Tabs that are opened, send one message each, and are closed. */
async function comeAndGo(own: Kit, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { tab, connection } = own.open();
    await own.app.advance(20);
    connection.send("x");
    await own.app.advance(20);
    tab.close();
    await own.app.advance(10);
  }
}

const sessions = ({ openings }: Opened): string[] => openings.map(({ session }) => session);
const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, at) => `${first + at}`);

describe("Tabs that share a session", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`renew the identity of their session on a ${carrier}, and the next one goes on with that when the first is closed`, async (t) => {
      const own: Kit = kit(t, {
        get expiresAt() {
          return own.app.clock.now() + 20_000;
        },
      });
      const all = await openSome(own, 3, { carriers: [carrier] });
      const states: string[] = [];
      for (const { connection } of all.slice(1)) connection.onState((state) => states.push(state));
      for (let n = 1; n <= 60; n++) {
        own.channels[0]!.send(`${n}`);
        if (n === 30) all[0]!.connection.close();
        await own.app.advance(2000);
      }
      assert.equal(own.channels.length, 1);
      assert.equal(own.channels[0]!.isOpen, true);
      for (const { got } of all.slice(1)) assert.deepEqual(got, numbers(1, 60));
      assert.ok(own.requests.filter(({ method }) => method === "GET").length >= 6);
      assert.ok(!states.includes("closed"));
    });

    it(`are all told 4401 when the identity of their session on a ${carrier} has ended`, async (t) => {
      const own: Kit = kit(t, { expiresAt: Date.UTC(2024, 0, 1) + 20_000 });
      const all = await openSome(own, 3, { carriers: [carrier] });
      await own.app.advance(19_000);
      own.channels[0]!.send("last");
      await own.app.advance(3000);
      for (const { got, closings } of all) {
        assert.deepEqual(got, ["last"]);
        assert.deepEqual(
          closings.map(({ by, code }) => `${by} ${code}`),
          ["server 4401"],
        );
      }
      await own.app.advance(6000);
      assert.deepEqual(own.closes, ["server 4401"]);
    });
  }

  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`get every message, and send in order, on one ${carrier}`, async (t) => {
      const own = kit(t);
      const [a, b, c] = (await openSome(own, 3, { carriers: [carrier] })) as [Opened, Opened, Opened];
      assert.equal(own.channels.length, 1);
      assert.deepEqual(
        [a, b, c].map(({ tab }) => tab.status),
        ["leading", "following", "following"],
      );
      assert.deepEqual([a, b, c].map(sessions), [["new"], ["new"], ["new"]]);
      assert.deepEqual(
        [a, b, c].map(({ connection }) => [connection.state, connection.transport]),
        [
          ["open", carrier],
          ["open", carrier],
          ["open", carrier],
        ],
      );
      own.channels[0]!.send("text");
      own.channels[0]!.send(new Uint8Array([1, 2]));
      for (let number = 1; number <= 3; number++) for (const { connection } of [a, b, c]) connection.send(`${number}`);
      b.connection.send(new Uint8Array([3]));
      assert.equal(b.connection.bufferedAmount, 4 * 64);
      await own.app.advance(3000);
      for (const { got, connection } of [a, b, c]) {
        assert.deepEqual(got, ["text", new Uint8Array([1, 2])]);
        assert.equal(connection.bufferedAmount, 0);
        await connection.drained();
      }
      const texts = own.up.filter((message) => typeof message === "string");
      assert.deepEqual([...texts].sort(), ["1", "1", "1", "2", "2", "2", "3", "3", "3"]);
      assert.equal(own.up.length, 10);
    });
  }

  it("begin at their own first opening: earlier messages are not repeated for a tab that joins late", async (t) => {
    const own = kit(t);
    const first = own.open();
    await own.app.advance(50);
    own.channels[0]!.send("before");
    await own.app.advance(50);
    const second = own.open();
    await own.app.advance(50);
    own.channels[0]!.send("after");
    await own.app.advance(50);
    assert.deepEqual([first.got, second.got], [["before", "after"], ["after"]]);
    assert.deepEqual(sessions(second), ["new"]);
  });

  for (const [end, word] of [
    ["close", "closed"],
    ["crash", "crashed"],
    ["freeze", "frozen"],
  ] as const) {
    it(`go on when the tab that leads is ${word}`, async (t) => {
      const own = kit(t);
      const [a, b, c] = (await openSome(own, 3)) as [Opened, Opened, Opened];
      own.channels[0]!.send("1");
      await own.app.advance(20);
      a.tab[end]();
      own.channels[0]!.send("2");
      b.connection.send("from b");
      c.connection.send("from c");
      await own.app.advance(2000);
      own.channels[0]!.send("3");
      await own.app.advance(2000);
      assert.deepEqual([b.got, c.got], [numbers(1, 3), numbers(1, 3)]);
      assert.deepEqual([...own.up].sort(), ["from b", "from c"]);
      assert.deepEqual(sessions(b), ["new", "resumed"]);
      assert.deepEqual([b.tab.status, c.tab.status].sort(), ["following", "leading"]);
      assert.equal(own.channels.length, 1);
      if (end === "freeze") {
        a.tab.thaw();
        await own.app.advance(1000);
        assert.deepEqual([a.got, a.tab.status, a.connection.state], [numbers(1, 3), "following", "open"]);
      }
    });
  }

  it("take the lock from a tab that is frozen without notice, which then follows", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    a.connection.send("from a");
    a.tab.freeze({ isTold: false });
    await own.app.advance(10);
    b.connection.send("from b");
    await own.app.advance(10_000);
    assert.equal(b.tab.status, "leading");
    own.channels[0]!.send("1");
    await own.app.advance(100);
    a.tab.thaw({ isTold: false });
    a.connection.send("from a again");
    await own.app.advance(10_000);
    assert.deepEqual([a.got, b.got], [["1"], ["1"]]);
    assert.deepEqual([...own.up].sort(), ["from a", "from a again", "from b"]);
    assert.deepEqual([a.tab.status, b.tab.status, sessions(a).at(-1)], ["following", "leading", "resumed"]);
    assert.equal(own.channels.length, 1);
  });

  it("find the tab that leads when one that led long ago has welcomed them", async (t) => {
    const own = kit(t);
    const [old, next] = (await openSome(own, 2)) as [Opened, Opened];
    old.tab.freeze({ isTold: false });
    await own.app.advance(10);
    const late = own.open();
    // The late tab asks both of them, and is frozen before any has answered.
    await new Promise((resolve) => setImmediate(resolve));
    late.tab.freeze({ isTold: false });
    await own.app.advance(20_000);
    assert.equal(next.tab.status, "leading");
    old.tab.thaw({ isTold: false });
    late.tab.thaw({ isTold: false });
    await own.app.advance(10_000);
    own.channels[0]!.send("1");
    late.connection.send("of the late one");
    await own.app.advance(1000);
    assert.deepEqual([old.got, next.got, late.got], [["1"], ["1"], ["1"]]);
    assert.deepEqual(own.up, ["of the late one"]);
    assert.equal(own.channels.length, 1);
  });

  it("do not wait for a tab that is frozen without notice", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    b.tab.freeze({ isTold: false });
    await own.app.advance(10);
    a.connection.send("one");
    await own.app.advance(1000);
    assert.deepEqual(own.up, [], "the other tab may still confirm");
    await own.app.advance(3000);
    a.connection.send("two");
    await own.app.advance(100);
    assert.deepEqual(own.up, ["one", "two"]);
    b.tab.thaw({ isTold: false });
    b.connection.send("three");
    await own.app.advance(5000);
    assert.deepEqual(own.up, ["one", "two", "three"]);
  });

  it("get a message once that only the crashed leader had received", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    // The note is posted in the turn of the crash, and is lost with it.
    a.connection.onMessage(() => a.tab.crash());
    own.channels[0]!.send("1");
    await own.app.advance(5000);
    assert.deepEqual([a.got, b.got], [["1"], ["1"]]);
    assert.deepEqual(sessions(b), ["new", "resumed"]);
  });

  it("send a message once that the crashed leader had taken and not sent", async (t) => {
    const own = kit(t);
    const [a, b, c] = (await openSome(own, 3)) as [Opened, Opened, Opened];
    for (let number = 1; number <= 5; number++) {
      b.connection.send(`b${number}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    a.tab.crash();
    c.connection.send("c1");
    await own.app.advance(5000);
    assert.deepEqual(
      own.up.filter((message) => String(message)[0] === "b"),
      ["b1", "b2", "b3", "b4", "b5"],
    );
    assert.equal(own.up.length, 6);
    assert.equal(b.connection.bufferedAmount, 0);
  });

  it("go on sending, however many others have come and gone meanwhile", async (t) => {
    const own = kit(t);
    const [a, idle] = (await openSome(own, 2)) as [Opened, Opened];
    idle.connection.send("idle 1");
    await comeAndGo(own, MAX_TABS + 4);
    own.up.length = 0;
    idle.connection.send("idle 2");
    await own.app.advance(2000);
    assert.deepEqual([own.up, idle.connection.bufferedAmount], [["idle 2"], 0]);
    a.tab.close();
    await own.app.advance(3000);
    idle.connection.send("idle 3");
    await own.app.advance(2000);
    assert.deepEqual(
      [own.up, sessions(idle)],
      [
        ["idle 2", "idle 3"],
        ["new", "resumed"],
      ],
    );
  });

  it("are told that the session is lost if they were away, and so many others have sent that they were forgotten", async (t) => {
    const own = kit(t);
    const [a, away] = (await openSome(own, 2)) as [Opened, Opened];
    away.connection.send("before");
    // It is on its way when the page is frozen: whether the server has it cannot be known later.
    await own.app.advance(1);
    away.tab.freeze();
    await own.app.advance(100);
    away.connection.send("meanwhile");
    own.channels[0]!.send("1");
    await comeAndGo(own, MAX_TABS + 4);
    assert.equal(own.up.filter((message) => message === "before").length, 1);
    away.tab.thaw();
    await own.app.advance(5000);
    away.connection.send("after");
    own.channels[0]!.send("2");
    await own.app.advance(5000);
    assert.deepEqual(
      own.up.filter((message) => message !== "x"),
      ["before", "meanwhile", "after"],
    );
    assert.deepEqual([away.got, a.got], [numbers(1, 2), numbers(1, 2)]);
    assert.deepEqual([sessions(away), away.connection.bufferedAmount], [["new", "lost"], 0]);
  });

  for (const isTold of [true, false]) {
    it(`follow a leader that began without them, after many others had led (${isTold ? "" : "not "}told)`, async (t) => {
      const own = kit(t);
      let last = own.open();
      for (let term = 1; term <= 3; term++) {
        await own.app.advance(50);
        const next = own.open();
        await own.app.advance(50);
        last.tab.close();
        await own.app.advance(2000);
        last = next;
      }
      assert.equal(last.tab.status, "leading");
      last.tab.freeze({ isTold });
      await own.app.advance(100);
      const next = own.open();
      await own.app.advance(20_000);
      assert.equal(own.channels.length, 2);
      last.tab.thaw({ isTold });
      await own.app.advance(20_000);
      last.connection.send("from the old one");
      next.connection.send("from the new one");
      own.channels[1]!.send("1");
      await own.app.advance(2000);
      assert.deepEqual([last.got, next.got], [["1"], ["1"]]);
      assert.deepEqual([...own.up].sort(), ["from the new one", "from the old one"]);
      assert.deepEqual([sessions(last).at(-1), last.tab.status, next.tab.status], ["lost", "following", "leading"]);
      assert.equal(own.channels.length, 2);
    });
  }

  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`take the session up again on a ${carrier} after leaders of which they have not heard, who are gone`, async (t) => {
      const own = kit(t);
      const [first, second] = (await openSome(own, 2, { carriers: [carrier] })) as [Opened, Opened];
      first.tab.freeze();
      await own.app.advance(1000);
      const third = own.open({ carriers: [carrier] });
      await own.app.advance(1000);
      second.tab.close();
      await own.app.advance(1000);
      assert.equal(third.tab.status, "leading");
      third.tab.close();
      await own.app.advance(1000);
      first.tab.thaw();
      await own.app.advance(5000);
      own.channels[0]!.send("1");
      await own.app.advance(100);
      assert.deepEqual([first.got, sessions(first), first.closings], [["1"], ["new", "resumed"], []]);
      assert.equal(own.channels.length, 1);
    });
  }

  it("get no message twice from a leader that knows less of the session than they do", async (t) => {
    const own = kit(t);
    const [a, b, stale] = (await openSome(own, 3)) as [Opened, Opened, Opened];
    stale.tab.freeze();
    await own.app.advance(100);
    b.connection.send("acknowledged");
    await own.app.advance(2000);
    for (const number of numbers(1, 5)) own.channels[0]!.send(number);
    await own.app.advance(50);
    assert.deepEqual(b.got, numbers(1, 5));
    // The server keeps the five: they are not acknowledged yet.
    b.tab.freeze({ isTold: false });
    await own.app.advance(1);
    a.tab.crash();
    stale.tab.thaw();
    await own.app.advance(10_000);
    assert.deepEqual([stale.got, sessions(stale)], [numbers(1, 5), ["new", "lost"]]);
    b.tab.thaw({ isTold: false });
    await own.app.advance(10_000);
    own.channels[0]!.send("6");
    await own.app.advance(100);
    assert.deepEqual([b.got, sessions(b)], [numbers(1, 6), ["new", "lost"]]);
    assert.equal(own.channels.length, 1);
  });

  it("report a message that a leader may have taken of which the next one knows nothing, and do not send it again", async (t) => {
    const own = kit(t);
    const [a, away, stale] = (await openSome(own, 3)) as [Opened, Opened, Opened];
    stale.tab.freeze();
    await own.app.advance(100);
    away.connection.send("1");
    // The leader has the note, and this tab does not have the answer.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    away.tab.freeze();
    await own.app.advance(2000);
    assert.deepEqual(own.up, ["1"]);
    a.tab.crash();
    // The other tab joins while the next leader still believes what it knows.
    own.app.network.delayMs = 500;
    stale.tab.thaw();
    await own.app.advance(100);
    away.tab.thaw();
    await own.app.advance(10_000);
    away.connection.send("2");
    await own.app.advance(2000);
    assert.deepEqual(own.up, ["1", "2"]);
    assert.deepEqual([sessions(away).at(-1), away.openings.at(-1)?.unacknowledged], ["lost", ["1"]]);
  });

  it("begin another session where the server has seen a later leader, and are told that theirs is lost", async (t) => {
    const own = kit(t);
    const [first, second] = (await openSome(own, 2, { carriers: ["sse"] })) as [Opened, Opened];
    own.isLate = true;
    own.app.network.cut();
    await own.app.advance(5000);
    own.channels[1]!.send("1");
    first.connection.send("2");
    await own.app.advance(1000);
    assert.deepEqual([own.channels.length, own.up], [2, ["2"]]);
    for (const tab of [first, second]) {
      assert.deepEqual([tab.got, sessions(tab), tab.closings], [["1"], ["new", "lost"], []]);
    }
  });

  it("are as many sessions as there are users, URLs and params", async (t) => {
    const own = kit(t);
    own.open({}, "ann");
    own.open({}, "bob");
    own.open({}, 'ann"]/x');
    own.open({ params: { room: "1" } }, "ann");
    own.open({ params: { room: "2" } }, "ann");
    own.open({ params: { room: "2" } }, "ann");
    await own.app.advance(100);
    assert.equal(own.channels.length, 5);
    own.channels[0]!.send("for ann");
    await own.app.advance(100);
  });

  it("have a connection each, and say so, where a browser has no locks or no channels", async (t) => {
    const own = kit(t);
    const statuses: TabStatus[] = [];
    const refusing = { request: () => Promise.reject(new Error("no storage here")), query: async () => ({}) };
    for (const lack of [{ locks: undefined }, { openChannel: undefined }, { locks: refusing }]) {
      const tab = own.browser.newTab();
      const platform = { ...tab.platform, ...lack };
      const share = tabs({ user: "ann", platform, onStatus: (status) => statuses.push(status) });
      const connection = connect(`${own.app.url}/chat`, { ...tab.options, share });
      t.after(() => connection.close());
      await own.app.advance(100);
      connection.send("hello");
      await own.app.advance(100);
      assert.equal(connection.state, "open");
    }
    assert.deepEqual(statuses, ["joining", "alone", "joining", "alone", "joining", "alone"]);
    assert.equal(own.channels.length, 3);
    assert.deepEqual(own.up, ["hello", "hello", "hello"]);
  });

  it("are closed one by one; the last one closes the session, with its code", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    a.connection.send("last of a");
    assert.equal(a.connection.close(4000, "done"), true);
    assert.equal(a.connection.close(), false);
    await own.app.advance(1000);
    assert.deepEqual([a.connection.state, b.connection.state, a.tab.status], ["closed", "open", "left"]);
    assert.equal(a.connection.transport, undefined);
    assert.deepEqual([own.up, own.closes], [["last of a"], []]);
    own.channels[0]!.send("still here");
    b.connection.send("last of b");
    b.connection.close(4001);
    const drained = b.connection.drained();
    await own.app.advance(1000);
    await drained;
    assert.deepEqual(own.closes, ["client 4001"]);
    assert.deepEqual(own.up, ["last of a", "last of b"]);
    assert.deepEqual([a.closings[0]?.code, b.closings[0]?.code], [4000, 4001]);
  });

  it("are all closed by the server, and none of them begins another session", async (t) => {
    for (const carrier of ["websocket", "sse", "poll"] as const) {
      const own = kit(t);
      const all = await openSome(own, 3, { carriers: [carrier] });
      own.channels[0]!.send("last");
      own.channels[0]!.close(4444, "over");
      await own.app.advance(5000);
      for (const { closings, got, tab } of all) {
        assert.deepEqual(
          [closings.map(({ by, code, reason }) => [by, code, reason]), got],
          [[["server", 4444, "over"]], ["last"]],
        );
        assert.equal(tab.status, "left");
      }
      assert.equal(own.channels.length, 1);
      assert.deepEqual(own.closes, ["server 4444"], carrier);
    }
  });

  it("are all told that the session is lost, each with its own messages that may be lost", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    await own.app.advance(3000);
    own.app.network.stall();
    a.connection.send("a may be lost");
    b.connection.send("b may be lost");
    await own.app.advance(100);
    own.app.network.cut();
    own.app.network.resume();
    own.app.network.offline();
    b.connection.send("b was never sent");
    await own.app.restart();
    own.app.network.online();
    await own.app.advance(20_000);
    assert.deepEqual(
      [sessions(a), sessions(b)],
      [
        ["new", "lost"],
        ["new", "lost"],
      ],
    );
    assert.deepEqual(a.openings[1]!.unacknowledged, ["a may be lost"]);
    assert.deepEqual(b.openings[1]!.unacknowledged, ["b may be lost"]);
    assert.deepEqual(own.up, ["b was never sent"]);
    own.channels[1]!.send("again");
    await own.app.advance(100);
    assert.deepEqual([a.got, b.got], [["again"], ["again"]]);
  });

  it("are told that the session is lost if they were away for longer than what is kept reaches back", async (t) => {
    const own = kit(t, { maxBufferedBytes: 10_000_000 });
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    b.tab.freeze();
    await own.app.advance(10);
    const message = "x".repeat(50_000);
    for (let i = 0; i < 20; i++) own.channels[0]!.send(`${i} ${message}`);
    await own.app.advance(1000);
    b.tab.thaw();
    b.connection.send("of b");
    await own.app.advance(1000);
    assert.deepEqual(sessions(b), ["new", "lost"]);
    assert.equal(a.got.length, 20);
    assert.ok(b.got.length > 0 && b.got.length < 20, `${b.got.length}`);
    assert.equal(String(b.got.at(-1)).slice(0, 2), "19");
    assert.deepEqual(own.up, ["of b"]);
    own.channels[0]!.send("next");
    await own.app.advance(1000);
    assert.deepEqual([a.got.at(-1), b.got.at(-1)], ["next", "next"]);
  });

  it("all end with the code of a server that refuses them", async (t) => {
    const own = kit(t);
    const all = await openSome(own, 3, { carriers: ["sse"] });
    own.isRefusing = true;
    own.app.network.cut();
    await own.app.advance(60_000);
    for (const { closings } of all)
      assert.deepEqual(
        closings.map(({ code }) => code),
        [1008],
      );
  });

  it("hold back what one of their loops has not taken", async (t) => {
    const own = kit(t, { maxBufferedBytes: 10_000_000 });
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    const loop = b.connection[Symbol.asyncIterator]();
    for (let i = 0; i < 200; i++) own.channels[0]!.send(`${i}`);
    await own.app.advance(3000);
    assert.equal(a.got.length, 200);
    assert.ok(own.channels[0]!.bufferedAmount > 0, "nothing new is acknowledged");
    for (let i = 0; i < 200; i++) assert.equal((await loop.next()).value, `${i}`);
    await own.app.advance(3000);
    assert.equal(own.channels[0]!.bufferedAmount, 0);
    await loop.return?.();
  });

  it("send no more than the limit of the tab that leads, and keep the rest in their tab", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2, { maxBufferedBytes: 1000 })) as [Opened, Opened];
    own.app.network.stall();
    for (const { connection } of [a, b]) {
      let taken = 0;
      while (connection.send("x".repeat(100))) taken += 1;
      assert.equal(taken, 10);
      await own.app.advance(100);
    }
    own.app.network.resume();
    await own.app.advance(2000);
    assert.equal(own.up.length, 20);
    assert.deepEqual([a.connection.bufferedAmount, b.connection.bufferedAmount], [0, 0]);
  });

  it("see the failures of the tab that leads, and the network that is away", async (t) => {
    const own = kit(t);
    const [a, b] = (await openSome(own, 2)) as [Opened, Opened];
    own.app.network.block("websocket", "sse", "poll");
    own.app.network.cut();
    await own.app.advance(5000);
    assert.deepEqual([a.connection.state, b.connection.state], ["reconnecting", "reconnecting"]);
    assert.equal(b.connection.transport, undefined);
    assert.ok(b.errors.length > 0 && a.errors.length > 0);
    assert.equal((b.errors[0] as { code: string }).code, "CONNECT_FAILED");
    own.app.network.unblock();
    await own.app.advance(30_000);
    assert.deepEqual([sessions(a).at(-1), sessions(b).at(-1)], ["resumed", "resumed"]);
  });

  it("keep the tab's own codec, and its ResumableWebSocket", async (t) => {
    const own = kit(t);
    const chat = jsonMessages({ toServer: z.object({ say: z.string() }), toClient: z.object({ id: z.number() }) });
    const [one, two] = [own.browser.newTab(), own.browser.newTab()];
    const typed = connect(`${own.app.url}/chat`, {
      ...one.options,
      codec: chat.client,
      share: tabs({ user: "ann", platform: one.platform }),
    });
    const ids: number[] = [];
    typed.onMessage(({ id }) => ids.push(id));
    await own.app.advance(50);
    const socket = new ResumableWebSocket(`${own.app.url}/chat`, [], {
      ...two.options,
      share: tabs({ user: "ann", platform: two.platform }),
    });
    const texts: unknown[] = [];
    socket.onmessage = ({ data }) => texts.push(data);
    t.after(() => typed.close());
    t.after(() => socket.close());
    await own.app.advance(50);
    typed.send({ say: "hello" });
    own.channels[0]!.send('{"id":1}');
    await own.app.advance(100);
    assert.deepEqual([ids, texts, own.up], [[1], ['{"id":1}'], ['{"say":"hello"}']]);
    assert.equal(own.channels.length, 1);
  });

  it("post no notes while there is one tab", async (t) => {
    const own = kit(t);
    const a = own.open();
    await own.app.advance(50);
    for (let i = 0; i < 10; i++) own.channels[0]!.send(`${i}`);
    a.connection.send("hello");
    await own.app.advance(5000);
    assert.deepEqual([a.got.length, own.up.length, own.browser.notes], [10, 1, 0]);
  });

  it("report an onStatus that throws", async (t) => {
    const own = kit(t);
    const tab = own.browser.newTab();
    const onStatus = (): void => {
      throw new Error("mine");
    };
    const connection = connect(`${own.app.url}/chat`, {
      ...tab.options,
      share: tabs({ user: "", platform: tab.platform, onStatus }),
    });
    const errors: unknown[] = [];
    connection.onError((error) => errors.push(error));
    t.after(() => connection.close());
    await own.app.advance(100);
    assert.ok(errors.length > 0);
    assert.ok(errors.every((error) => (error as Error).message === "mine"));
    assert.equal(connection.state, "open");
  });
});

describe("tabs()", () => {
  const refused: readonly [what: string, options: unknown, text: RegExp][] = [
    ["nothing", undefined, /tabs needs \{ user \}/],
    ["no user", {}, /user is undefined; it must be a text/],
    ["a number as user", { user: 5 }, /user is 5/],
    ["an onStatus that is no function", { user: "", onStatus: 1 }, /onStatus is 1; it must be a function/],
    ["an unknown name", { user: "", statusChanged: () => {} }, /statusChanged/],
  ];
  for (const [what, options, text] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => tabs(options as never), { code: "BAD_OPTION", message: text });
    });
  }

  it("has no requests: both options together are BAD_OPTION", async () => {
    const options = { share: tabs({ user: "" }), requests: requests() };
    assert.throws(() => connect("http://127.0.0.1/", options), {
      code: "BAD_OPTION",
      message: /requests do not work with share$/,
    });
    // Nothing of the connection that was not made is left over.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("is the only value of the option share", () => {
    for (const share of ["tabs", {}, () => {}]) {
      assert.throws(() => connect("http://a.example/", { share: share as never }), { code: "BAD_OPTION" });
    }
  });
});
