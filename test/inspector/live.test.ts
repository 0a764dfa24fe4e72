// The live data of an inspector: what an open page is told, and when.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WatchedGroups } from "../../src/group/watched-groups.ts";
import { event } from "../../src/index.ts";
import { MAX_VIEWERS } from "../../src/inspector/inspector.ts";
import type { Update } from "../../src/inspector/page/wire.ts";
import { inspected, openPage, VIEW } from "./inspected.ts";

describe("an open page of an inspector", () => {
  it("is told once a second while it looks, and nothing while it is hidden", async (t) => {
    const { app } = inspected(t);
    const { look, updates, hello } = await openPage(app);
    assert.deepEqual({ close: hello.canClose, publish: hello.canPublish }, { close: false, publish: false });
    await app.advance(5000);
    assert.equal(updates.length, 0, "it has not said what it shows");
    await look({});
    await app.advance(5000);
    assert.equal(updates.length, 6);
    const [first, second] = updates;
    assert.equal(first!.sample, null, "a rate needs two samples");
    assert.equal(second!.sample!.status, "running");
    await look({ isPaused: true });
    const before = updates.length;
    await app.advance(10_000);
    assert.equal(updates.length, before);
  });

  it("counts channels by transport, messages and bytes per second, without its own", async (t) => {
    const { app, channels, rooms } = inspected(t);
    const { look, updates } = await openPage(app);
    await look({});
    const socket = await app.websocket("/quotes");
    const session = app.connect("/chat");
    await session.opened;
    const events = app.events("/quotes");
    await app.settle();
    await app.advance(1000);
    const opened = updates.at(-1)!.sample!;
    assert.deepEqual(opened.channels, { websocket: 2, sse: 1, stream: 0, poll: 0 });
    assert.deepEqual({ ...opened, at: 0 }.opened, 3);
    assert.equal(opened.sessions, 1);
    await rooms.publish("lobby", "hello");
    socket.send("one");
    socket.send("two");
    await app.advance(1000);
    const { sent, received, bytesSent } = updates.at(-1)!.sample!;
    assert.deepEqual({ sent, received }, { sent: 3, received: 2 });
    assert.ok(bytesSent > 0);
    for (const channel of channels) channel.close();
    await app.advance(1000);
    assert.deepEqual(updates.at(-1)!.sample!.closed, 3);
    events.close();
  });

  it("shows a page of the channels that fit the filter, in the order that is asked for", async (t) => {
    const { app, channels } = inspected(t);
    for (let i = 0; i < 60; i++) await app.websocket(i < 55 ? "/quotes" : "/board/7");
    const session = app.connect("/chat");
    await session.opened;
    const { look } = await openPage(app);
    const list = async (filter: Partial<typeof VIEW.channels>): Promise<NonNullable<Update["channels"]>> =>
      (await look({ tab: "channels", channels: { ...VIEW.channels, ...filter } })).channels!;
    const all = await list({});
    assert.deepEqual([all.total, all.rows.length, all.page, all.pages], [61, 50, 0, 2]);
    assert.equal(all.rows[0]!.id, channels[60]!.id, "newest first, without the inspector's own");
    assert.equal((await list({ sort: "oldest" })).rows[0]!.id, channels[0]!.id);
    assert.equal((await list({ page: 1 })).rows.length, 11);
    assert.equal((await list({ page: 99 })).page, 1, "the last page");
    assert.equal((await list({ text: "BOARD" })).total, 5);
    assert.equal((await list({ text: channels[3]!.id })).rows[0]!.path, "/quotes");
    const [row] = (await list({ transport: "session" })).rows;
    assert.deepEqual([row!.transport, row!.isSession, row!.path], ["websocket", true, "/chat"]);
    assert.equal((await list({ transport: "poll" })).total, 0);
    assert.equal((await list({ state: "closed" })).total, 0);
    channels[0]!.close(4001, "enough");
    await app.settle();
    const [ended] = (await list({ state: "closed" })).rows;
    const { at: _, ...closed } = ended!.closed!;
    assert.deepEqual(closed, { by: "server", code: 4001, name: "application", reason: "enough" });
    assert.equal((await list({})).total, 60);
  });

  it("shows the timeline of a session that loses its connection, comes back and is closed", async (t) => {
    const { app, channels } = inspected(t);
    const session = app.connect("/chat");
    await session.opened;
    const { look, connection } = await openPage(app);
    const id = channels[0]!.id;
    const texts = async (): Promise<string[]> =>
      (await look({ tab: "channels", channel: id })).channel!.events.map(({ text }) => text);
    assert.deepEqual(await texts(), ["opened by /chat"]);
    app.network.cut();
    channels[0]!.send("missed");
    await app.advance(2000);
    assert.equal(connection.state, "open", "the inspector's own session is back, too");
    assert.deepEqual(await texts(), [
      "opened by /chat",
      "websocket ended by the network: 1006 abnormal; the session waits",
      "resumed on websocket, 1 sent again",
    ]);
    channels[0]!.close(1000, "goodbye");
    await app.settle();
    const last = (await texts()).at(-1);
    assert.equal(last, "closed by the server: 1000 server-close, “goodbye”");
    assert.equal((await look({ channel: "unknown" })).channel, null);
  });

  it("tells of back-pressure while a client takes nothing, and of its end", async (t) => {
    const { app, channels } = inspected(t);
    const session = app.connect("/chat");
    await session.opened;
    const { look } = await openPage(app);
    const [channel] = channels;
    await look({ channel: channel!.id });
    app.network.stall();
    channel!.send("x".repeat(50_000));
    await app.advance(3000);
    app.network.resume();
    await app.advance(3000);
    const { events } = (await look({ channel: channel!.id })).channel!;
    const kinds = events.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["open", "behind", "drained"]);
    assert.match(events[1]!.text, /^back-pressure: 5\d{4} bytes are not taken$/);
  });

  it("lists overflows, errors, lost sessions and unusual ends as they happen, with their channels", async (t) => {
    const { app, channels } = inspected(t, {}, { maxBufferedBytes: 300_000 });
    const socket = await app.websocket("/quotes");
    await app.websocket("/quotes");
    const { look, updates } = await openPage(app);
    await look({});
    const [failing, slow] = channels;
    failing!.onMessage(() => {
      throw new TypeError("a mistake");
    });
    socket.send("x");
    await app.settle();
    app.network.stall();
    for (let i = 0; i < 3; i++) slow!.send("x".repeat(200_000));
    app.network.resume();
    await app.fetch("/chat?mode=poll&park=0&session=unknown");
    await app.advance(3000);
    const happened = updates.flatMap((update) => update.happened);
    const found = (kind: string): (string | undefined)[] => {
      const { text, channel } = happened.find((event) => event.kind === kind) ?? {};
      return [text, channel];
    };
    assert.deepEqual(found("error"), ["error in message: TypeError: a mistake", failing!.id]);
    assert.deepEqual(found("overflow"), ["too slow: the channel is closed", slow!.id]);
    assert.deepEqual(found("lost"), ["a client came back to a session that does not exist: /chat", undefined]);
    assert.match(String(found("close")[0]), /^closed by the server: 10\d\d/);
    app.takeErrors();
  });

  it("tells of a client that sends faster than it may, once a second", async (t) => {
    const { app, channels } = inspected(t, {}, { maxMessagesPerSecond: 5, onRateExceeded: "drop" });
    const socket = await app.websocket("/quotes");
    const { look } = await openPage(app);
    for (let i = 0; i < 100; i++) socket.send("x");
    await app.settle();
    const { events } = (await look({ channel: channels[0]!.id })).channel!;
    assert.deepEqual(
      events.map(({ text }) => text),
      ["opened by /quotes", "sends faster than maxMessagesPerSecond: messages are dropped"],
    );
  });

  it("shows groups with members, rates and messages, with text of clients as it came", async (t) => {
    const { app, rooms, channels } = inspected(t);
    await app.websocket("/quotes");
    rooms.addToGroup("<b>board</b>", channels[0]!);
    await rooms.publish("lobby", "before anybody looks");
    const { look, updates } = await openPage(app);
    const group = { store: "rooms", group: "lobby" };
    await look({ tab: "groups", group });
    for (let i = 0; i < 10; i++) {
      for (let n = 0; n < 4; n++) await rooms.publish("lobby", { i, html: "<script>" });
      await app.advance(1000);
    }
    const last = updates.at(-1)!;
    assert.deepEqual(
      last.groups!.rows.map((row) => [row.group, row.size]),
      [
        ["<b>board</b>", 1],
        ["lobby", 1],
      ],
    );
    const { rate, size, members, messages } = last.group!;
    assert.ok(rate > 3 && rate <= 4, `${rate} per second`);
    assert.equal(size, 1);
    assert.equal(members[0]!.id, channels[0]!.id);
    assert.equal(messages.length, 30, "the latest");
    assert.deepEqual(messages[0]!.text, '{"i":9,"html":"<script>"}');
    const detail = (await look({ channel: channels[0]!.id })).channel!;
    assert.deepEqual(detail.groups.map((one) => `${one.store}: ${one.group}`).sort(), [
      "rooms: <b>board</b>",
      "rooms: lobby",
    ]);
  });

  it("reads the messages of a group that were published before from its history", async (t) => {
    const { app, rooms } = inspected(t);
    await rooms.publish("lobby", "text");
    await rooms.publish("lobby", new Uint8Array([1, 255]));
    await rooms.publish("lobby", "x".repeat(1000));
    const { look } = await openPage(app);
    const group = { store: "rooms", group: "lobby" };
    await look({ tab: "groups", group });
    const { messages } = (await look({ tab: "groups", group })).group!;
    assert.deepEqual(
      messages.map(({ text, bytes }) => [text, bytes]),
      [
        [`${"x".repeat(300)}…`, 1000],
        ["0x01ff", 2],
        ["text", 4],
      ],
    );
    assert.equal((await look({ group: { store: "other", group: "lobby" } })).group, null);
  });

  it("ignores messages that are no views, and takes the defaults for wrong parts", async (t) => {
    const { app } = inspected(t);
    const { connection, look, updates } = await openPage(app);
    for (const message of ["", "[", "7", "null", '"x"']) connection.send(message);
    await app.settle();
    assert.equal(updates.length, 0);
    const answer = await look({
      tab: "channels",
      channels: { text: 7, page: -3, sort: "x" } as never,
      group: 7 as never,
    });
    assert.deepEqual([answer.channels!.page, answer.group], [0, undefined]);
    assert.deepEqual(app.takeErrors(), []);
  });

  it(`is refused while ${MAX_VIEWERS} others are open`, async (t) => {
    const { app } = inspected(t);
    const pages = [];
    for (let i = 0; i < MAX_VIEWERS; i++) pages.push(await openPage(app));
    assert.equal((await app.fetch("/inspect/live?mode=poll")).status, 503);
    // The page of a process that was restarted asks for a session that is lost.
    const returning = await app.fetch("/inspect/live?mode=poll&park=0&session=lost");
    assert.match(await returning.text(), /1013.*20 pages of this inspector are open/);
    pages[0]!.connection.close();
    await app.settle();
    await openPage(app);
  });

  it("is not ended by the limits that the server has for its own clients", async (t) => {
    const { app } = inspected(t, {}, { maxBufferedBytes: 2000, maxMessagesPerSecond: 1, maxBytesPerSecond: 100 });
    for (let i = 0; i < 50; i++) await app.websocket("/quotes");
    const { connection, look, updates } = await openPage(app);
    for (let i = 0; i < 10; i++) await look({ tab: "channels" });
    await app.advance(20_000);
    assert.equal(connection.state, "open");
    assert.ok(updates.length > 20);
  });

  it("that takes nothing is not answered, and shows the latest when it does", async (t) => {
    const { app } = inspected(t);
    for (let i = 0; i < 50; i++) await app.websocket("/quotes");
    const { connection, updates } = await openPage(app);
    app.network.stall();
    for (let i = 0; i < 500; i++) connection.send(JSON.stringify({ ...VIEW, tab: "channels" }));
    await app.advance(15_000);
    assert.ok(app.server.stats().bufferedBytes < 400_000);
    app.network.resume();
    await app.advance(3000);
    assert.equal(connection.state, "open");
    assert.notEqual(updates.at(-1)!.channels, null);
  });

  it("is not told of lost sessions of other pages of the inspector", async (t) => {
    const { app } = inspected(t);
    const { look, updates } = await openPage(app);
    await look({});
    await app.fetch("/inspect/live?mode=poll&park=0&session=unknown");
    await app.advance(1000);
    assert.deepEqual(updates.at(-1)!.happened, []);
  });

  it("keeps the messages of a group at which it looks, while another page looks at many", async (t) => {
    const { app, rooms } = inspected(t);
    await app.websocket("/quotes");
    const [one, other] = [await openPage(app), await openPage(app)];
    const lobby = { store: "rooms", group: "lobby" };
    await one.look({ tab: "groups", group: lobby });
    await rooms.publish("lobby", event({ event: "e".repeat(1000), data: "hello" }));
    for (let i = 0; i < 30; i++) {
      await other.look({ tab: "groups", group: { store: "rooms", group: `${i}` } });
      const { messages } = (await one.look({ tab: "groups", group: lobby })).group!;
      assert.deepEqual([messages[0]?.text, messages[0]?.event.length], ["hello", 301], `after ${i} others`);
      assert.notEqual(messages[0]!.at, undefined, "it was not read from the history again");
    }
  });

  it("costs a store nothing while nobody looks", async (t) => {
    const { app, rooms } = inspected(t);
    const { watched: groups } = rooms as unknown as { readonly watched: WatchedGroups };
    const watched = (): boolean => groups.isWatched;
    assert.equal(watched(), false);
    const { look, connection } = await openPage(app);
    assert.equal(watched(), false);
    await look({});
    assert.equal(watched(), true);
    await look({ isPaused: true });
    assert.equal(watched(), false);
    await look({});
    connection.close();
    await app.settle();
    assert.equal(watched(), false);
  });

  it("ends with the inspector, which then answers 503 and listens to nothing", async (t) => {
    const { app, inspect } = inspected(t);
    const { connection } = await openPage(app);
    inspect.close();
    const { code } = await connection.closed;
    assert.equal(code, 1001);
    assert.equal((await app.fetch("/inspect/")).status, 503);
    await app.websocket("/quotes");
  });

  it("is not told of channels of another server of the process", async (t) => {
    const [one, other] = [inspected(t), inspected(t)];
    await other.app.websocket("/quotes");
    const { look } = await openPage(one.app);
    assert.equal((await look({ tab: "channels" })).channels!.total, 0);
  });
});
