// The two actions of an inspector: they are off unless they are allowed, and the application is asked again before each.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_MESSAGE_BYTES } from "../../src/inspector/view.ts";
import { inspected, openPage } from "./inspected.ts";

const LOBBY = { type: "publish", store: "rooms", group: "lobby", form: "text", data: "x" };

describe("an inspector", () => {
  it("is read-only unless actions are allowed, each by itself", async (t) => {
    for (const allow of [undefined, {}, { close: false }, { close: true }, { publish: true }]) {
      const { app, rooms, channels } = inspected(t, { allow });
      await app.websocket("/quotes");
      const { act, hello } = await openPage(app);
      const given = (allow ?? {}) as { readonly close?: boolean; readonly publish?: boolean };
      const [canClose, canPublish] = [given.close === true, given.publish === true];
      assert.deepEqual([hello.canClose, hello.canPublish], [canClose, canPublish]);
      const published = await act(LOBBY);
      const closed = await act({ type: "close", channel: channels[0]!.id });
      assert.equal(published, canPublish ? null : "this inspector does not allow to publish");
      assert.equal(closed, canClose ? null : "this inspector does not allow to close");
      assert.equal((await rooms.history("lobby")).messages.length, canPublish ? 1 : 0);
      assert.equal(channels[0]!.isOpen, !canClose);
    }
  });

  it("asks the application again for each action", async (t) => {
    const asked: string[] = [];
    const { app, channels } = inspected(t, {
      authorize: (r, action) => {
        asked.push(`${action} ${r.path}`);
        return action !== "close";
      },
      allow: { close: true, publish: true },
    });
    await app.websocket("/quotes");
    const { act } = await openPage(app);
    asked.length = 0;
    assert.equal(await act({ type: "close", channel: channels[0]!.id }), "you may not close here");
    assert.equal(channels[0]!.isOpen, true);
    assert.equal(await act(LOBBY), null);
    assert.deepEqual(asked, ["close /inspect/live", "publish /inspect/live"]);
  });

  it("answers an action although authorize throws, and reports that", async (t) => {
    const { app } = inspected(t, {
      authorize: (_, action) => {
        if (action === "view") return true;
        throw new Error("no database");
      },
      allow: { publish: true },
    });
    const { act } = await openPage(app);
    assert.equal(await act(LOBBY), "the server could not do it");
    assert.deepEqual(app.takeErrors().map(String), ["Error: no database"]);
  });

  it("closes a channel with a code and a reason, and has that in its timeline", async (t) => {
    const { app, channels } = inspected(t, { allow: { close: true } });
    const socket = await app.websocket("/quotes");
    const { look, act } = await openPage(app);
    const { id } = channels[0]!;
    assert.equal(await act({ type: "close", channel: id, code: 4000, reason: "moved" }), null);
    const { code, reason } = await socket.closed;
    assert.deepEqual({ code, reason }, { code: 4000, reason: "moved" });
    await app.settle();
    const { events } = (await look({ channel: id })).channel!;
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["open", "operator", "close"],
    );
    assert.equal(await act({ type: "close", channel: id }), "the channel is closed already");
  });

  it("says what is wrong with an action, and does nothing", async (t) => {
    const { app, channels, rooms } = inspected(t, { allow: { close: true, publish: true } });
    await app.websocket("/quotes");
    const { act } = await openPage(app);
    const close = { type: "close", channel: channels[0]!.id };
    const wrong: readonly [RegExp, Readonly<Record<string, unknown>>][] = [
      [/no such channel/, { type: "close" }],
      [/no such channel/, { type: "close", channel: "unknown" }],
      [/not allowed/, { ...close, code: 7 }],
      [/not allowed/, { ...close, code: "x" }],
      [/not allowed/, { ...close, reason: "x".repeat(124) }],
      [/not allowed.*not a string/, { ...close, reason: 7 }],
      [/no such store/, { type: "publish" }],
      [/no such store/, { ...LOBBY, store: "other" }],
      [/data is a text/, { ...LOBBY, data: 7 }],
      [/not JSON/, { ...LOBBY, form: "json", data: "{" }],
      [/no such store/, { ...LOBBY, group: "x".repeat(1025) }],
      [/1024 bytes/, { ...LOBBY, group: "€".repeat(1000) }],
    ];
    for (const [mistake, action] of wrong) assert.match((await act(action)) ?? "done", mistake);
    assert.equal(channels[0]!.isOpen, true);
    assert.deepEqual((await rooms.history("lobby")).messages, []);
    assert.deepEqual(app.takeErrors(), []);
  });

  it("publishes text and JSON, to groups that exist or not", async (t) => {
    const { app, rooms } = inspected(t, { allow: { publish: true } });
    const socket = await app.websocket("/quotes");
    const { act } = await openPage(app);
    assert.equal(await act({ ...LOBBY, data: '{"a":1}' }), null);
    assert.equal(await act({ ...LOBBY, form: "json", data: '{ "a": 1 }' }), null);
    assert.equal(await act({ ...LOBBY, group: "new" }), null);
    assert.deepEqual([await socket.next(), await socket.next()], ['{"a":1}', '{"a":1}']);
    const { messages } = await rooms.history("lobby");
    assert.deepEqual(
      messages.map(({ data }) => data),
      ['{"a":1}', { a: 1 }],
    );
  });

  it(`takes messages of ${MAX_MESSAGE_BYTES} bytes, and ends the page that sends a longer one`, async (t) => {
    const { app, rooms } = inspected(t, { allow: { publish: true } });
    const { connection, act } = await openPage(app);
    const rest = MAX_MESSAGE_BYTES - JSON.stringify({ n: 1, ...LOBBY }).length + 1;
    assert.equal(await act({ ...LOBBY, data: "x".repeat(rest) }), null);
    connection.send(JSON.stringify({ n: 2, ...LOBBY, data: "x".repeat(rest + 1) }));
    await app.settle();
    assert.equal((await connection.closed).code, 1009);
    assert.equal((await rooms.history("lobby")).messages.length, 1);
  });
});
