// Rows on what a channel is and what it sends: design §1.2, `send` and `data`.

import assert from "node:assert/strict";
import { ChannelError, event, json, prepare, type SendData, type SendOptions } from "../../src/index.ts";
import { deferred, until } from "../support/wait.ts";
import type { Contract } from "./channel.ts";

const UTF8 = new TextEncoder();

/** Every form of data, each with the text that it stands for. */
const FORMS: readonly (readonly [name: string, make: () => SendData, text: string])[] = [
  ["a string", () => "grüße €🎈", "grüße €🎈"],
  ["a Uint8Array", () => UTF8.encode("bytes €"), "bytes €"],
  ["a part of a larger buffer", () => UTF8.encode("..part..").subarray(2, 6), "part"],
  ["an ArrayBuffer", () => UTF8.encode("buffer").buffer as ArrayBuffer, "buffer"],
  ["a Blob", () => new Blob(["blob €", " of two"]), "blob € of two"],
  ["a ReadableStream", () => readable(["one ", UTF8.encode("two "), UTF8.encode("three").buffer]), "one two three"],
  ["an async iterable", () => slowly(["slow ", UTF8.encode("and "), "steady"]), "slow and steady"],
  ["an iterable", () => ["part ", UTF8.encode("by "), "part"], "part by part"],
  ["{ body }", () => ({ body: "just a body" }), "just a body"],
  ["{ status, headers, body }", () => ({ status: 200, headers: { "X-A": "1" }, body: "whole" }), "whole"],
  ["{ body: a stream }", () => ({ body: readable(["in ", "a map"]) }), "in a map"],
  ["json(value)", () => json({ n: 1 }), '{"n":1}'],
  ["event({ data })", () => event({ data: "tick" }), "tick"],
  ["prepare(a string)", () => prepare("grüße €🎈"), "grüße €🎈"],
  ["prepare(bytes)", () => prepare(UTF8.encode("bytes €")), "bytes €"],
  ["prepare(a long string)", () => prepare("long ".repeat(4000)), "long ".repeat(4000)],
  ["prepare(json(value))", () => prepare(json({ n: 1 })), '{"n":1}'],
];

const BAD: readonly (readonly [name: string, data: unknown])[] = [
  ["undefined", undefined],
  ["a number", 7],
  ["true", true],
  ["a bigint", 7n],
  ["a symbol", Symbol("s")],
  ["a function", () => "text"],
  ["an object with other keys", { text: "hello" }],
  ["a map with an unknown key beside its body", { body: "x", stauts: 200 }],
  ["a body that is a number", { body: 7 }],
];

export function sendingRows({ open, can, row }: Contract): void {
  row("says that it is open and what carries it, from its first callback on", async (t) => {
    const seen: unknown[] = [];
    const { channel } = await open(t, { open: (c) => seen.push(c.isOpen, c.isWebSocket, c.transport, c.attachment) });
    assert.deepEqual(seen, [true, can.kind === "websocket", can.kind, undefined]);
    assert.equal(channel.isOpen, true);
    assert.equal(channel.transport, can.kind);
  });

  row("is counted by the server while it is open", async (t) => {
    const closed = deferred();
    const { channel, site } = await open(t, { close: () => closed.resolve() });
    assert.equal(site.server.stats().channels[can.kind], 1);
    channel.terminate();
    await closed.promise;
    assert.equal(site.server.stats().channels[can.kind], 0);
  });

  row("answers true to a send, and false once it is closed", async (t) => {
    const { channel, client, send } = await open(t, {});
    assert.equal(send("hello"), true);
    channel.close();
    assert.equal(send("late"), false);
    assert.equal(channel.send("late", true), false);
    assert.equal(channel.send(readable(["late"])), false);
    assert.equal((await client.rest()).text, "hello");
  });

  row(`closes after a send by default: ${can.closesAfterSend}`, async (t) => {
    const { channel, client } = await open(t, {});
    assert.equal(channel.send("first"), true);
    assert.equal(channel.isOpen, !can.closesAfterSend);
    assert.equal(channel.send("second", true), !can.closesAfterSend);
    assert.equal((await client.rest()).text, can.closesAfterSend ? "first" : "firstsecond");
  });

  row("sends and closes in one call", async (t) => {
    const { channel, client } = await open(t, {});
    assert.equal(channel.send("last words", true), true);
    assert.equal(channel.isOpen, false);
    assert.equal(channel.close(), false);
    const { text, ending } = await client.rest();
    assert.deepEqual([text, ending], ["last words", "whole"]);
  });

  row("takes whether it closes as an option, too", async (t) => {
    const { channel, client } = await open(t, {});
    if (can.sendsMany) {
      assert.equal(channel.send("first ", { close: false }), true);
      assert.equal(channel.isOpen, true);
    }
    assert.equal(channel.send("last", { close: true }), true);
    assert.equal(channel.isOpen, false);
    assert.equal((await client.rest()).text, can.sendsMany ? "first last" : "last");
  });

  row("treats an option that is undefined as one that is not given", async (t) => {
    const { channel } = await open(t, {});
    assert.equal(channel.send("first", { close: undefined }), true);
    assert.equal(channel.isOpen, !can.closesAfterSend);
  });

  row("refuses unknown options of send, stays open and cancels the stream that it was given", async (t) => {
    const { channel, client, send } = await open(t, {});
    for (const options of [{ closed: true }, { close: "yes" }, "close", 1, null]) {
      let isCancelled = false;
      const stream = new ReadableStream<string>({ cancel: () => void (isCancelled = true) });
      assert.throws(
        () => channel.send(stream, options as SendOptions),
        (error) => error instanceof ChannelError && error.code === "BAD_OPTION",
      );
      await until(() => isCancelled, "the stream is cancelled");
    }
    assert.equal(channel.isOpen, true);
    send("hello");
    channel.close();
    assert.equal((await client.rest()).text, "hello");
  });

  for (const [name, make, text] of FORMS) {
    row(`sends ${name}`, async (t) => {
      const { channel, client, send } = await open(t, {});
      assert.equal(send(make()), true);
      assert.equal(await client.read(text.length), text);
      channel.close();
      assert.deepEqual(await client.rest().then(({ text, ending }) => [text, ending]), ["", "whole"]);
    });
  }

  row("takes null for a message without content", async (t) => {
    const { channel, client, send } = await open(t, {});
    assert.equal(send(null), true);
    if (can.sendsMany) assert.equal(send("then text"), true);
    channel.close();
    assert.equal((await client.rest()).text, can.sendsMany ? "then text" : "");
  });

  row("takes an empty string and empty bytes, and is not ended by them", ["sendsMany"], async (t) => {
    const { channel, client, send } = await open(t, {});
    for (const empty of ["", new Uint8Array(0), { body: "" }, new Blob([]), [], readable([])]) {
      assert.equal(send(empty), true);
    }
    assert.equal(send("text"), true);
    assert.equal(channel.isOpen, true);
    assert.equal(await client.read(4), "text");
    channel.close();
    assert.equal((await client.rest()).ending, "whole");
  });

  row("throws BAD_DATA for what cannot be sent, and stays usable", async (t) => {
    const { channel, client, send } = await open(t, {});
    for (const [name, data] of BAD) {
      assert.throws(() => channel.send(data as SendData), isBadData, name);
      assert.throws(() => channel.send(data as SendData, true), isBadData, name);
      assert.equal(channel.isOpen, true);
    }
    assert.equal(send("good"), true);
    assert.equal(await client.read(4), "good");
  });

  row("keeps the order of whole and streamed sends", ["sendsMany"], async (t) => {
    const { channel, client, send } = await open(t, {});
    const sent = [
      "a",
      slowly(["b", "c"]),
      "d",
      new Blob(["e"]),
      "f",
      readable(["g", "h"]),
      UTF8.encode("i"),
      ["j", "k"],
      "l",
    ];
    for (const data of sent) assert.equal(send(data), true);
    assert.equal(channel.close(), true);
    const { text, ending } = await client.rest();
    assert.deepEqual([text, ending], ["abcdefghijkl", "whole"]);
  });

  for (const [name, make] of [
    ["a Blob", () => new Blob(["first"])],
    ["a stream with a Content-Length", () => ({ headers: { "Content-Length": "5" }, body: ["fi", "rst"] })],
    ["a text with a Content-Length", () => ({ headers: { "Content-Length": "5" }, body: "first" })],
  ] as const) {
    row(`goes on after ${name} that was its first send`, ["sendsMany"], async (t) => {
      const { channel, client, send } = await open(t, {});
      assert.equal(send(make()), true);
      assert.equal(send("second"), true);
      assert.equal(await client.read(11), "firstsecond");
      assert.equal(send("third"), true);
      channel.close();
      const { text, ending } = await client.rest();
      assert.deepEqual([text, ending], ["third", "whole"]);
    });
  }

  row("keeps the order of 1,000 numbered messages", ["sendsMany"], async (t) => {
    const { client, send } = await open(t, {});
    const numbers = Array.from({ length: 1000 }, (_, i) => `${i};`);
    for (const [i, number] of numbers.entries()) {
      assert.equal(send(number), true);
      if (i % 100 === 99) await new Promise(setImmediate);
    }
    const expected = numbers.join("");
    assert.equal(await client.read(expected.length), expected);
  });

  row("throws BAD_DATA for a stream that somebody else reads, and stays usable", async (t) => {
    const { channel, client, send } = await open(t, {});
    const stream = readable(["locked"]);
    stream.getReader();
    assert.throws(() => channel.send(stream), isBadData);
    assert.equal(channel.isOpen, true);
    assert.equal(send("good"), true);
    assert.equal(await client.read(4), "good");
  });

  row("lets a stream's source use the channel: sends wait for its end, a close too", ["sendsMany"], async (t) => {
    const { channel, client, send } = await open(t, {});
    async function* source(): AsyncGenerator<string> {
      yield "one ";
      send("three ");
      await new Promise(setImmediate);
      channel.close();
      assert.equal(send("never"), false);
      yield "two ";
    }
    assert.equal(send(source()), true);
    const { text, ending } = await client.rest();
    assert.deepEqual([text, ending], ["one two three ", "whole"]);
  });

  row("keeps bytes that are no text", ["binary"], async (t) => {
    const { client, channel } = await open(t, {});
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    channel.send(bytes, true);
    await client.raw.until(() => client.raw.peek().includes(Buffer.from(bytes)), "the bytes as they were");
  });

  row("sends a MiB whole", async (t) => {
    const { client, channel } = await open(t, {});
    const text = "0123456789abcdef".repeat(1 << 16);
    assert.equal(channel.send(text, true), true);
    const rest = await client.rest();
    assert.equal(rest.ending, "whole");
    assert.ok(rest.text === text, "the same text");
  });

  row("carries an attachment for the application", async (t) => {
    const mine = { user: 7 };
    const seen = deferred<unknown>();
    const handlers = { open: (c: { attachment: unknown }) => void (c.attachment = mine) };
    const { channel } = await open(t, { ...handlers, close: (_, c) => seen.resolve(c.attachment) });
    assert.equal(channel.attachment, mine);
    channel.terminate();
    assert.equal(await seen.promise, mine);
  });
}

function isBadData(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "BAD_DATA";
}

function readable(
  parts: readonly (string | Uint8Array | ArrayBufferLike)[],
): ReadableStream<string | Uint8Array | ArrayBuffer> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part as string | Uint8Array | ArrayBuffer);
      controller.close();
    },
  });
}

/** Parts with a turn of the event loop before each. */
async function* slowly(parts: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const part of parts) {
    await new Promise(setImmediate);
    yield part;
  }
}
