// The two actions of an inspector: they are off unless they are allowed, and each is a request of its own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_ACTION_BYTES } from "../../src/inspector/actions.ts";
import type { TestServer } from "../../src/testing/index.ts";
import { inspected, openPage } from "./inspected.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function post(
  app: TestServer,
  action: string,
  body: unknown,
  headers: Record<string, string> = JSON_TYPE,
): Promise<{ readonly status: number; readonly text: string }> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await app.fetch(`/inspect/${action}`, { method: "POST", body: text, headers });
  return { status: answer.status, text: (await answer.text()).trim() };
}

describe("an inspector", () => {
  it("is read-only unless actions are allowed, each by itself", async (t) => {
    const bodies = { close: { channel: "x" }, publish: { store: "rooms", group: "lobby", data: "x", form: "text" } };
    for (const allow of [undefined, {}, { close: false }, { close: true }, { publish: true }]) {
      const { app, rooms } = inspected(t, { allow });
      for (const [action, body] of Object.entries(bodies)) {
        const { status } = await post(app, action, body);
        const isAllowed = (allow as Record<string, boolean> | undefined)?.[action] === true;
        assert.equal(status === 403, !isAllowed, `${action} with ${JSON.stringify(allow)}`);
      }
      const { messages } = await rooms.history("lobby");
      assert.equal(messages.length, allow !== undefined && "publish" in allow ? 1 : 0);
    }
  });

  it("asks the application again for each action", async (t) => {
    const { app, channels } = inspected(t, {
      authorize: (_, action) => action !== "close",
      allow: { close: true, publish: true },
    });
    await app.websocket("/quotes");
    assert.equal((await post(app, "close", { channel: channels[0]!.id })).status, 403);
    assert.equal(channels[0]!.isOpen, true);
    const body = { store: "rooms", group: "lobby", data: "x", form: "text" };
    assert.equal((await post(app, "publish", body)).status, 204);
  });

  it("closes a channel with a code and a reason, and has that in its timeline", async (t) => {
    const { app, channels } = inspected(t, { allow: { close: true } });
    const socket = await app.websocket("/quotes");
    const { look } = await openPage(app);
    const { id } = channels[0]!;
    assert.equal((await post(app, "close", { channel: id, code: 4000, reason: "moved" })).status, 204);
    const { code, reason } = await socket.closed;
    assert.deepEqual({ code, reason }, { code: 4000, reason: "moved" });
    await app.settle();
    const { events } = (await look({ channel: id })).channel!;
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["open", "operator", "close"],
    );
    const again = await post(app, "close", { channel: id });
    assert.deepEqual(again, { status: 409, text: "the channel is closed already" });
  });

  it("says what is wrong with an action", async (t) => {
    const { app, channels } = inspected(t, { allow: { close: true, publish: true } });
    await app.websocket("/quotes");
    const { id } = channels[0]!;
    const lobby = { store: "rooms", group: "lobby", form: "text", data: "x" };
    const wrong: readonly [status: number, action: string, body: unknown][] = [
      [400, "close", "{"],
      [400, "close", "7"],
      [404, "close", {}],
      [404, "close", { channel: "unknown" }],
      [400, "close", { channel: id, code: 7 }],
      [400, "close", { channel: id, code: 1000, reason: "x".repeat(124) }],
      [400, "close", { channel: id, code: 1000, reason: 7 }],
      [404, "publish", {}],
      [404, "publish", { ...lobby, store: "other" }],
      [400, "publish", { ...lobby, data: 7 }],
      [400, "publish", { ...lobby, form: "json", data: "{" }],
      [400, "publish", { ...lobby, group: "x".repeat(1025) }],
    ];
    for (const [status, action, body] of wrong) {
      // A name that is too long is refused as one that cannot be.
      const allowed = status === 400 && JSON.stringify(body).length > 1000 ? [400, 404] : [status];
      const answer = await post(app, action, body);
      assert.ok(allowed.includes(answer.status), `${action} ${JSON.stringify(body)}: ${answer.status}`);
      assert.notEqual(answer.text, "");
    }
    assert.equal((await post(app, "close", { channel: id }, {})).status, 415, "a form of another page is not JSON");
    assert.equal(channels[0]!.isOpen, true);
    assert.equal((await app.fetch("/inspect/close")).status, 308, "a GET does nothing");
    assert.deepEqual(app.takeErrors(), []);
  });

  it("publishes text and JSON, to groups that exist or not", async (t) => {
    const { app, rooms } = inspected(t, { allow: { publish: true } });
    const socket = await app.websocket("/quotes");
    const lobby = { store: "rooms", group: "lobby" };
    assert.equal((await post(app, "publish", { ...lobby, form: "text", data: '{"a":1}' })).status, 204);
    assert.equal((await post(app, "publish", { ...lobby, form: "json", data: '{ "a": 1 }' })).status, 204);
    assert.equal((await post(app, "publish", { store: "rooms", group: "new", form: "text", data: "x" })).status, 204);
    assert.deepEqual([await socket.next(), await socket.next()], ['{"a":1}', '{"a":1}']);
    const { messages } = await rooms.history("lobby");
    assert.deepEqual(
      messages.map(({ data }) => data),
      ['{"a":1}', { a: 1 }],
    );
  });

  it(`takes an action of ${MAX_ACTION_BYTES} bytes, and no longer one`, async (t) => {
    const { app } = inspected(t, { allow: { publish: true } });
    const body = { store: "rooms", group: "lobby", form: "text", data: "" };
    const rest = MAX_ACTION_BYTES - JSON.stringify(body).length;
    assert.equal((await post(app, "publish", { ...body, data: "x".repeat(rest) })).status, 204);
    assert.equal((await post(app, "publish", { ...body, data: "x".repeat(rest + 1) })).status, 413);
  });
});
