// The names of http-kit's page are the same functions as ours: docs/reference/names.md.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Channel,
  type ChannelHandlers,
  createChannelStore,
  MemoryChannelStore,
  openChannel,
  runServer,
  serve,
  withChannel,
} from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

describe("the names of http-kit's page", () => {
  it("are those of a channel: onReceive and the positional send", async () => {
    const app = testServer((request) =>
      withChannel(request, (channel) => {
        channel.onReceive((message) => channel.send(`echo ${message}`, true));
        assert.throws(() => channel.onMessage(() => {}), { code: "HANDLER_EXISTS" });
      }),
    );
    const client = await app.websocket("/");
    client.send("hi");
    assert.equal(await client.next(), "echo hi");
    await client.closed;
    await app.stop();
  });

  it("include no way back: onReceive returns the function that removes the handler, as onMessage does", async () => {
    let channel: Channel | undefined;
    const app = testServer((request) => (channel = withChannel(request, () => {})));
    await app.websocket("/");
    channel!.onReceive(() => assert.fail("removed"))();
    channel!.onMessage(() => {});
    await app.stop();
  });

  it("are those of the server and the store", () => {
    assert.equal(runServer, serve);
    assert.deepEqual(new MemoryChannelStore().groups(), createChannelStore().groups());
  });
});

describe("the handler `receive`", () => {
  it("is the handler `message`, and one of the two alone", async () => {
    const handlers: ChannelHandlers = { receive: (message, channel) => channel.send(`echo ${message}`) };
    const app = testServer((request) => openChannel(request, handlers));
    const client = await app.websocket("/");
    client.send("hi");
    assert.equal(await client.next(), "echo hi");
    const both = testServer((request) => {
      const noop = (): void => {};
      assert.throws(() => openChannel(request, { message: noop, receive: noop }), {
        code: "BAD_OPTION",
        message: /message and receive/,
      });
      return "refused";
    });
    assert.equal(await (await both.fetch("/")).text(), "refused");
    await app.stop();
    await both.stop();
  });
});
