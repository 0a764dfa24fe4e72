// Handlers that are added, removed and replaced while a channel is in use.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type ChannelHandlers, json, type Message, openChannel, withChannel } from "../../src/index.ts";
import { testServer } from "../../src/testing/test-server.ts";
import { request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

/** A WebSocket client, its channel, and the texts that `heard` collects. */
async function connect(t: TestContext, handlers: ChannelHandlers = {}) {
  let channel: Channel | undefined;
  const app = testServer((request) => (channel = openChannel(request, handlers)));
  t.after(() => app.stop());
  const client = await app.websocket("/");
  await until(() => channel !== undefined, "the channel is open");
  const heard: string[] = [];
  const hear = (message: Message): void => void heard.push(String(message));
  return { channel: channel!, client, heard, hear };
}

describe("the handlers of a channel", () => {
  it("may be an object of a class, also when others are added later", async (t) => {
    const calls: string[] = [];
    class Handlers {
      message(message: Message): void {
        calls.push(`message ${message}`);
      }
      close(): void {
        calls.push("close");
      }
    }
    const { channel, client } = await connect(t, new Handlers());
    channel.onPing(() => {});
    channel.onClose(() => calls.push("second close"));
    client.send("a");
    await until(() => calls.length === 1, "the message came");
    channel.close();
    await until(() => calls.length === 3, "both close handlers ran");
    assert.deepEqual(calls, ["message a", "close", "second close"]);
  });

  it("are removed by their own function alone, however often it is called", async (t) => {
    const { channel, client, heard, hear } = await connect(t);
    const off = channel.onMessage(hear);
    off();
    channel.onMessage(hear);
    off();
    client.send("a");
    await until(() => heard.length === 1, "the second registration is still there");
  });

  it("are called in the order of their registration", async (t) => {
    const { channel } = await connect(t);
    const told: string[] = [];
    const tell = (name: string) => (): void => void told.push(name);
    const removeFirst = channel.onClose(tell("a"));
    channel.onClose(tell("b"));
    removeFirst();
    channel.onClose(tell("c"));
    channel.close();
    await until(() => told.length === 2, "both ran");
    assert.deepEqual(told, ["b", "c"]);
  });

  it("are functions: anything else is BAD_OPTION where it is given", async (t) => {
    const { channel } = await connect(t);
    const loose = channel as unknown as Record<string, (handler: unknown) => void>;
    for (const method of ["onMessage", "onReceive", "onClose", "onPing", "onPong", "onDrain"]) {
      for (const handler of [undefined, null, 5, "x", {}]) {
        assert.throws(() => loose[method]!(handler), { code: "BAD_OPTION", message: /must be a function/ }, method);
      }
    }
  });

  it("give way to a loop that begins while a removed handler is still busy", async (t) => {
    const { channel, client, heard } = await connect(t);
    const off = channel.onMessage(async (message) => {
      heard.push(`handler ${message}`);
      await new Promise(setImmediate);
      off();
      void loop();
    });
    const loop = async (): Promise<void> => {
      for await (const message of channel) heard.push(`loop ${message}`);
    };
    for (const text of ["a", "b", "c"]) client.send(text);
    await until(() => heard.length === 3, "all came");
    assert.deepEqual(heard, ["handler a", "loop b", "loop c"]);
  });
});

describe("an iterator of a channel", () => {
  it("an unused iterator takes no message from a handler, even if it is returned", async (t) => {
    const { channel, client, heard, hear } = await connect(t);
    const iterator = channel[Symbol.asyncIterator]();
    channel.onMessage(hear);
    await iterator.return?.();
    client.send("a");
    await until(() => heard.length === 1, "the handler has it");
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
  });
});

describe("a channel inside its own last send", () => {
  it("is closed for the handler of the next request on the connection", async (t) => {
    let first: Channel | undefined;
    const found: unknown[] = [];
    const site = await serving(t, (r) => {
      if (first === undefined) return withChannel(r, (channel) => void (first = channel));
      found.push(first.isOpen, first.send("again"));
      return "second";
    });
    const client = await site.connect();
    client.write(request("GET /first") + request("GET /next"));
    await until(() => first !== undefined, "the first request is there");
    first!.send("one", { close: true });
    assert.equal((await client.response()).text, "one");
    assert.equal((await client.response()).text, "second");
    assert.deepEqual(found, [false, false]);
  });
});

describe("errors of a send or a close", () => {
  it("name the value and say what is allowed", async (t) => {
    const { channel } = await connect(t);
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    assert.throws(() => json(1n), { code: "BAD_DATA", message: /BigInt/ });
    assert.throws(() => json(circle), { code: "BAD_DATA", message: /circular/ });
    assert.throws(() => channel.send({ status: "200" as never, body: "" }), { code: "BAD_STATUS", message: /"200"/ });
    assert.throws(() => channel.close("bye" as never), { code: "BAD_CLOSE", message: /"bye"; it must be 1000/ });
    assert.throws(() => channel.close(1000, 5 as never), { code: "BAD_CLOSE", message: /reason is 5/ });
    assert.equal(channel.isOpen, true);
  });
});

describe("ping", () => {
  it("refuses what is neither text nor bytes, and the WebSocket goes on", async (t) => {
    const { channel, client, hear } = await connect(t);
    channel.onMessage(hear);
    for (const data of [5, {}, true, null, new ArrayBuffer(4), [1], new Uint16Array(2)]) {
      assert.throws(() => channel.ping(data as never), { code: "BAD_DATA", message: /text or bytes/ });
    }
    channel.send("still here");
    assert.equal(await client.next(), "still here");
  });
});

describe("send", () => {
  it("refuses a second argument that is no object of options", async (t) => {
    const { channel } = await connect(t);
    for (const options of [[], new Date(), new Map(), "x", 0, null]) {
      assert.throws(() => channel.send("a", options as never), { code: "BAD_OPTION", message: /\{ close: true \}/ });
    }
  });
});
