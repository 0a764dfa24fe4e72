// Event streams on the wire: WHATWG HTML §9.2.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type ChannelOptions, event, json, withChannel } from "../../src/index.ts";
import { request, type Site, serving } from "../support/serving.ts";

const ASK = "GET / HTTP/1.1\r\nAccept: text/event-stream";

/** A site whose every request opens a channel with `setup`. */
function channels(t: TestContext, setup: (channel: Channel) => unknown, options?: ChannelOptions): Promise<Site> {
  return serving(t, (r) => withChannel(r, setup, options));
}

describe("an event stream", () => {
  for (const accept of [
    "text/event-stream",
    "Text/Event-Stream",
    "text/html, text/event-stream;q=0.9",
    "a/b,text/event-stream , c/d",
  ]) {
    it(`is the answer to a client that accepts ${accept}`, async (t) => {
      const site = await channels(t, (channel) => channel.send("hello", true));
      const response = await site.request(`GET / HTTP/1.1\r\nAccept: ${accept}`);
      assert.deepEqual([response.status, response.text], [200, "data: hello\n\n"]);
      assert.deepEqual(response.headers.get("content-type"), ["text/event-stream"]);
      assert.deepEqual(response.headers.get("cache-control"), ["no-cache"]);
    });
  }

  for (const accept of ["*/*", "text/*", "text/event-stream-x", "x-text/event-stream"]) {
    it(`is not the answer to a client that accepts ${accept}`, async (t) => {
      const site = await channels(t, (channel) => channel.send("hello", true));
      assert.equal((await site.request(`GET / HTTP/1.1\r\nAccept: ${accept}`)).text, "hello");
    });
  }

  it("is turned off by `sse: false`", async (t) => {
    const kinds: string[] = [];
    const site = await channels(t, (channel) => kinds.push(channel.transport) && channel.send("hello"), { sse: false });
    assert.equal((await site.request(ASK)).text, "hello");
    assert.deepEqual(kinds, ["stream"]);
  });

  for (const [what, text, wire] of [
    ["one line", "hello", "data: hello\n\n"],
    ["three lines", "a\nb\nc", "data: a\ndata: b\ndata: c\n\n"],
    ["every kind of line break", "a\rb\nc\r\nd", "data: a\ndata: b\ndata: c\ndata: d\n\n"],
    ["a line break at its end", "a\n", "data: a\ndata: \n\n"],
    ["a leading blank", " a", "data:  a\n\n"],
    ["a colon", ":a: b", "data: :a: b\n\n"],
    ["what looks like fields", "a\nevent: evil\nid: 1", "data: a\ndata: event: evil\ndata: id: 1\n\n"],
    ["an empty line", "a\n\nb", "data: a\ndata: \ndata: b\n\n"],
  ] as const) {
    it(`sends a message with ${what}`, async (t) => {
      const site = await channels(t, (channel) => channel.send(text, true));
      assert.equal((await site.request(ASK)).text.replaceAll(/^data:(?! )/gm, "data: "), wire);
    });
  }

  it("refuses a field that an event does not have, and suggests the one that was meant", () => {
    const mistyped = { dat: "a" } as unknown as { data: string };
    assert.throws(() => event(mistyped), { code: "BAD_DATA", message: /no field "dat"; did you mean "data"/ });
  });

  it("sends the other fields of an event", async (t) => {
    const site = await channels(t, (channel) => {
      channel.send(event({ data: "a", event: "tick", id: "7", retry: 1500 }));
      channel.send(event({ id: "8" }));
      channel.send({ body: "b", event: { id: "" } });
      channel.close();
    });
    const blocks = (await site.request(ASK)).text.split("\n\n").map((block) => block.split("\n").sort());
    assert.deepEqual(blocks[0], ["data: a", "event: tick", "id: 7", "retry: 1500"]);
    assert.deepEqual(blocks[1], ["id: 8"]);
    assert.deepEqual(blocks[2]!.map((line) => line.trimEnd()).sort(), ["data: b", "id:"]);
  });

  for (const [what, meta] of [
    ["a line break in its name", { event: "a\nb" }],
    ["a line break in its id", { id: "a\rb" }],
    ["NUL in its id", { id: "a\0b" }],
  ] as const) {
    it(`throws BAD_DATA for an event with ${what}, and goes on`, async (t) => {
      const site = await channels(t, (channel) => {
        assert.throws(() => channel.send(event({ data: "x", ...meta })), { code: "BAD_DATA" });
        channel.send("good", true);
      });
      assert.equal((await site.request(ASK)).text, "data: good\n\n");
    });
  }

  it("sends json as an event, and keeps the content type of the stream", async (t) => {
    const site = await channels(t, (channel) => channel.send(json({ n: 1 }), true));
    const response = await site.request(ASK);
    assert.equal(response.text, 'data: {"n":1}\n\n');
    assert.deepEqual(response.headers.get("content-type"), ["text/event-stream"]);
  });

  it("answers with another status where the first send has one: 204 ends a source's reconnecting (§9.2.3)", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => channel.send({ status: Number(r.path.slice(1)), body: "not you" }, true)),
    );
    const denied = await site.request("GET /403 HTTP/1.1\r\nAccept: text/event-stream");
    assert.deepEqual([denied.status, denied.text], [403, "not you"]);
    assert.equal((await site.request("GET /204 HTTP/1.1\r\nAccept: text/event-stream")).status, 204);
  });

  it("sends bytes as text, also with a character cut between two parts of a stream", async (t) => {
    const bytes = new TextEncoder().encode("€uro");
    const site = await channels(t, (channel) => {
      channel.send(bytes);
      channel.send(new Blob([bytes.subarray(0, 2), bytes.subarray(2)]));
      channel.send([bytes.subarray(0, 2), bytes.subarray(2)]);
      channel.close();
    });
    const data = (await site.request(ASK)).text.match(/(?<=^data: ?).*$/gm)!;
    assert.equal(data.join("").replaceAll(" ", ""), "€uro€uro€uro");
    assert.ok(!data.join("").includes("\ufffd"));
  });

  it("gives the last event's id to the handler when the client comes back", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send(`after ${r.lastEventId}`, true)));
    const response = await site.request(`${ASK}\r\nLast-Event-ID: 41`);
    assert.equal(response.text, "data: after 41\n\n");
  });

  it("stays open between events", async (t) => {
    let channel: Channel | undefined;
    const site = await channels(t, (c) => {
      channel = c;
      c.send("one");
    });
    const client = await site.connect();
    client.write(request(ASK));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "data: one\n\n");
    assert.equal(channel!.send("two"), true);
    assert.equal((await client.chunk())?.toString(), "data: two\n\n");
    channel!.close();
    assert.equal(await client.chunk(), undefined);
  });
});
