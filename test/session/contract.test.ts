// Typed events and requests of one contract: types at compile time, checks at run time, both ends over a session.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { requests } from "../../src/client/index.ts";
import { defineContract, openSession } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { holds, type Same } from "../support/types.ts";

const Line = z.object({ room: z.string(), text: z.string().min(1) });

const chat = defineContract({
  toServer: {
    events: { typing: z.object({ room: z.string() }) },
    requests: {
      history: { input: z.object({ room: z.string(), last: z.number().default(2) }), output: z.array(Line) },
      rename: { input: z.string(), output: z.boolean() },
    },
  },
  toClient: {
    events: { line: Line, left: z.string() },
    requests: { confirm: { input: z.string(), output: z.boolean() } },
  },
});

const LINES = ["a", "b", "c"].map((text) => ({ room: "x", text }));

describe("a contract", () => {
  it("gives both ends typed events and requests, and schemas with a default their output", async () => {
    const typing: string[] = [];
    const lines: string[] = [];
    let sure: boolean | undefined;
    await using app = testServer((request) =>
      openSession(
        request,
        {
          open(channel) {
            chat.server.send(channel, "line", { room: "x", text: "welcome" });
          },
          message: chat.server.onEvents({ typing: ({ room }) => typing.push(room) }),
          request: chat.server.onRequests({
            history: ({ room, last }, channel, { signal }) => {
              holds<Same<typeof last, number>>();
              holds<Same<typeof signal, AbortSignal>>();
              assert.equal(channel.isOpen, true);
              return LINES.filter((line) => line.room === room).slice(-last);
            },
            async rename(name, channel) {
              holds<Same<typeof name, string>>();
              sure = await chat.server.request(channel, "confirm", `rename to ${name}?`);
              return sure;
            },
          }),
        },
        { codec: chat.server.codec },
      ),
    );
    const connection = app.connect("/", { codec: chat.client.codec, requests: requests() });
    connection.onMessage(
      chat.client.onEvents({
        line(line) {
          holds<Same<typeof line, { room: string; text: string }>>();
          lines.push(line.text);
        },
      }),
    );
    connection.onRequest(
      chat.client.onRequests({
        confirm(text, { signal }) {
          holds<Same<typeof text, string>>();
          holds<Same<typeof signal, AbortSignal>>();
          return text.includes("rename");
        },
      }),
    );
    chat.client.send(connection, "typing", { room: "x" });
    const history = chat.client.request(connection, "history", { room: "x" });
    const renamed = chat.client.request(connection, "rename", "Ada", { timeoutMs: 1000 });
    holds<Same<typeof history, Promise<{ room: string; text: string }[]>>>();
    await app.settle();
    assert.deepEqual(await history, LINES.slice(1));
    assert.equal(await renamed, true);
    assert.equal(sure, true);
    assert.deepEqual(typing, ["x"]);
    assert.deepEqual(lines, ["welcome"]);
  });

  it("refuses at compile time and at run time what it does not have", async () => {
    const codes: unknown[] = [];
    await using app = testServer(
      (request) =>
        openSession(
          request,
          {
            request: chat.server.onRequests({
              history: () => [{ room: "x", text: "" }],
              rename: async () => true,
            }),
          },
          { codec: chat.server.codec },
        ),
      { onError: (error) => codes.push((error as { code?: unknown }).code) },
    );
    const connection = app.connect("/", { codec: chat.client.codec, requests: requests() });
    const rejects = [
      // @ts-expect-error: no such request
      assert.rejects(chat.client.request(connection, "toString", "x"), { code: "BAD_MESSAGE" }),
      // @ts-expect-error: another input
      assert.rejects(chat.client.request(connection, "rename", 42), { code: "BAD_MESSAGE" }),
      // The reply has an empty text, which its schema refuses.
      assert.rejects(chat.client.request(connection, "history", { room: "x" }), { code: "REQUEST_FAILED" }),
    ];
    // @ts-expect-error: an event of the other end
    assert.throws(() => chat.client.send(connection, "line", { room: "x", text: "a" }), { code: "BAD_MESSAGE" });
    // @ts-expect-error: no handler for `rename`
    assert.throws(() => chat.server.onRequests({ history: () => [] }), { code: "BAD_OPTION", message: /"rename"/ });
    // @ts-expect-error: no function
    assert.throws(() => chat.server.onEvents({ typing: 1 }), { code: "BAD_OPTION", message: /typing/ });
    assert.throws(() => chat.client.onEvents(undefined as never), { code: "BAD_OPTION" });
    await app.settle();
    await Promise.all(rejects);
    assert.deepEqual(codes, ["BAD_MESSAGE"]);
    for (const wrong of [
      { toServer: { events: { a: {} } }, toClient: {} },
      { toServer: { request: {} }, toClient: {} },
      { toServer: { requests: null }, toClient: {} },
      { toServer: null, toClient: {} },
      { toserver: {} },
      undefined,
    ]) {
      assert.throws(() => defineContract(wrong as never), { code: "BAD_OPTION" });
    }
  });

  it("needs a connection with requests for a request, and any connection of its codec for an event", async () => {
    const typing: string[] = [];
    const left: string[] = [];
    await using app = testServer((request) =>
      openSession(
        request,
        {
          open: (channel) => chat.server.send(channel, "left", "x"),
          message: chat.server.onEvents({ typing: ({ room }) => typing.push(room) }),
        },
        { codec: chat.server.codec },
      ),
    );
    const connection = app.connect("/", { codec: chat.client.codec });
    connection.onMessage(chat.client.onEvents({ left: (room) => left.push(room) }));
    assert.equal(chat.client.send(connection, "typing", { room: "x" }), true);
    // @ts-expect-error: MadeWithRequests
    await assert.rejects(chat.client.request(connection, "rename", "Ada"), TypeError);
    // @ts-expect-error: there may be no connection
    await assert.rejects(chat.client.request(undefined as typeof connection | undefined, "rename", "Ada"), TypeError);
    const other = app.connect("/", { requests: requests() });
    // @ts-expect-error: without the codec
    assert.throws(() => chat.client.send(other, "typing", { room: "x" }), { code: "BAD_DATA" });
    // @ts-expect-error: without the codec
    await assert.rejects(chat.client.request(other, "rename", "Ada"), { code: "BAD_DATA" });
    const asking = app.connect("/", { codec: chat.client.codec, requests: requests() });
    chat.client.send(asking, "typing", { room: "y" });
    // @ts-expect-error: an option that `request` of a connection does not have
    void chat.client.request(asking, "rename", "Ada", { timeout: 5 }).catch(() => {});
    await app.settle();
    assert.deepEqual({ typing, left }, { typing: ["x", "y"], left: ["x"] });
  });

  it("takes the methods of an object of a class as handlers, and calls them on it", async () => {
    class Room {
      readonly lines = LINES;
      readonly typing_: string[] = [];
      history({ last }: { last: number }): typeof LINES {
        return this.lines.slice(-last);
      }
      rename(name: string): boolean {
        return name === this.lines[0]!.room;
      }
      typing({ room }: { room: string }): void {
        this.typing_.push(room);
      }
    }
    const room = new Room();
    await using app = testServer((request) =>
      openSession(
        request,
        { message: chat.server.onEvents(room), request: chat.server.onRequests(room) },
        { codec: chat.server.codec },
      ),
    );
    const connection = app.connect("/", { codec: chat.client.codec, requests: requests() });
    chat.client.send(connection, "typing", { room: "x" });
    const replies = [
      chat.client.request(connection, "history", { room: "x", last: 1 }),
      chat.client.request(connection, "rename", "x"),
    ];
    await app.settle();
    assert.deepEqual(await Promise.all(replies), [LINES.slice(-1), true]);
    assert.deepEqual(room.typing_, ["x"]);
  });

  it("answers a request that its schema refuses on arrival with BAD_MESSAGE, and calls no handler", async () => {
    let calls = 0;
    const reported: unknown[] = [];
    await using app = testServer(
      (request) =>
        openSession(
          request,
          { request: chat.server.onRequests({ history: () => [], rename: () => (calls += 1) > 0 }) },
          { codec: chat.server.codec },
        ),
      { onError: (error) => reported.push((error as { code?: unknown }).code) },
    );
    // A client that checks nothing.
    const connection = app.connect("/", { requests: requests() });
    const texts = [
      '{"request":"rename","data":42}',
      '{"request":"__proto__","data":1}',
      '{"request":"x","event":"typing"}',
      "no",
    ];
    const rejects = texts.map((text) => assert.rejects(connection.request(text), { code: "BAD_MESSAGE" }));
    await app.settle();
    await Promise.all(rejects);
    assert.equal(calls, 0);
    assert.deepEqual(reported, Array(4).fill("BAD_MESSAGE"));
  });
});
