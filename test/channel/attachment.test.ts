// The type of a channel's attachment: from its options, its handlers, or the `upgrade` check of its server.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import {
  type Channel,
  type ChannelHandlers,
  type ChannelRequest,
  createChannelStore,
  type Handler,
  type JoinOptions,
  jsonMessages,
  type Message,
  openChannel,
  openSession,
  type SendData,
  serve,
  withChannel,
} from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { holds, type Same } from "../support/types.ts";

interface User {
  name: string;
}

type WithUser = Channel<Message, SendData, User>;

const ANN: User = { name: "ann" };
const { server: codec } = jsonMessages({ toServer: z.string(), toClient: z.string() });

describe("the type of an attachment", () => {
  it("is unknown without a type anywhere", () => {
    const handler: Handler = (request) =>
      withChannel(request, (channel) => {
        holds<Same<typeof channel, Channel>>();
        // @ts-expect-error: it may be anything
        assert.throws(() => channel.attachment.name);
      });
    assert.ok(handler);
  });

  it("is that of the option `attachment`", async () => {
    const app = testServer((request) => {
      if (request.path === "/open") {
        return openChannel(
          request,
          {
            open(channel) {
              holds<Same<typeof channel, WithUser>>();
              channel.send(channel.attachment.name);
            },
          },
          { attachment: ANN },
        );
      }
      if (request.path === "/codec") {
        return openChannel(
          request,
          {
            open(channel) {
              holds<Same<typeof channel, Channel<string, string, User>>>();
              channel.send(channel.attachment.name);
            },
          },
          { attachment: ANN, codec },
        );
      }
      return withChannel(request, (channel) => channel.send(channel.attachment.name), { attachment: ANN });
    });
    try {
      assert.equal(await (await app.fetch("/with")).text(), "ann");
      assert.equal(await (await app.fetch("/open")).text(), "ann");
      assert.equal(await (await app.fetch("/codec")).text(), '"ann"');
    } finally {
      await app.stop();
    }
  });

  it("is that of the option in a session", () => {
    const handler: Handler = (request) =>
      openSession(
        request,
        {
          message(_, channel) {
            holds<Same<typeof channel, WithUser>>();
          },
          resumed: (channel) => channel.send(channel.attachment.name),
        },
        { attachment: ANN },
      );
    assert.ok(handler);
  });

  it("is that of the handlers if they declare it", () => {
    const handlers: ChannelHandlers<Message, SendData, User | undefined> = {
      open(channel) {
        channel.attachment = ANN;
      },
      close: (_, channel) => channel.attachment?.name,
    };
    const handler: Handler = (request) => {
      const channel = openChannel(request, handlers);
      holds<Same<typeof channel, Channel<Message, SendData, User | undefined>>>();
      return channel;
    };
    assert.ok(handler);
  });

  it("is what the upgrade check returned, in the request and in the channel", async () => {
    const upgrade = (request: ChannelRequest) => {
      const name = request.query.get("user");
      return name === null ? { status: 401 } : { attachment: { name } };
    };
    const handler: Handler<User> = (request) =>
      withChannel(request, (channel) => {
        holds<Same<typeof request.attachment, User | undefined>>();
        holds<Same<typeof channel, Channel<Message, SendData, User | undefined>>>();
        channel.send(`${request.attachment?.name} ${channel.attachment?.name}`);
      });
    const app = testServer(handler, { upgrade });
    const client = await app.websocket("/?user=ann");
    assert.equal(await client.next(), "ann ann");
    assert.equal(await (await app.fetch("/?user=ann")).text(), "undefined undefined");
    await app.stop();
  });

  it("is inferred by `serve` from the upgrade check", async () => {
    const upgrade = async (request: ChannelRequest) => ({ attachment: { name: request.path } });
    const server = await serve(
      (request) => {
        holds<Same<typeof request.attachment, User | undefined>>();
        return withChannel(request, (channel) => channel.send(channel.attachment?.name ?? "nobody"));
      },
      { port: 0, host: "127.0.0.1", upgrade },
    );
    try {
      assert.equal(await (await fetch(server.url)).text(), "nobody");
    } finally {
      await server.stop();
    }
    const wrong: Handler<{ id: number }> = () => undefined;
    // @ts-expect-error: the check returns another attachment than the handler expects
    const serveWrong = () => serve(wrong, { upgrade });
    assert.ok(serveWrong);
  });

  it("a member's attachment has the type of its store", () => {
    const store = createChannelStore<User>({
      onJoin: (_group, _channel, attachment) => holds<Same<typeof attachment, User | undefined>>(),
      onLeave: (_group, _channel, attachment) => holds<Same<typeof attachment, User | undefined>>(),
    });
    const join = (channel: Channel, options?: JoinOptions): void => {
      store.addToGroup("g", channel, ANN, options);
      // @ts-expect-error: it is no user
      store.addToGroup("g", channel, "ann");
    };
    for (const [, attachment] of store.members("g")) holds<Same<typeof attachment, User | undefined>>();
    store.broadcast("g", (_, attachment) => attachment?.name);
    assert.ok(join);
  });
});
