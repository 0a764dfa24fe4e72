// Channels with a codec: what the types say, and what an answer over plain HTTP says of a value. What holds on every
// transport is in test/contract/typed.ts.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import * as v from "valibot";
import { z } from "zod";
import {
  type AnyChannel,
  type Channel,
  type ChannelError,
  type ChannelOptions,
  type Handler,
  jsonMessages,
  type Message,
  type MessageCodec,
  openChannel,
  openSession,
  prepare,
  type Received,
  type SendData,
  type Sent,
  type WithCodec,
  withChannel,
} from "../../src/index.ts";
import { type TestServer, type TestServerOptions, testServer } from "../../src/testing/index.ts";
import { holds, type Same } from "../support/types.ts";

interface Said {
  say: string;
  /** The schema's default fills it in. */
  loud: boolean;
}

interface Told {
  id: number;
  say: string;
}

const chat = jsonMessages({
  toServer: z.object({ say: z.string(), loud: z.boolean().default(false) }),
  toClient: v.object({ id: v.number(), say: v.string() }),
});
const codec = chat.server;

describe("the types of a channel", () => {
  it("are those of its codec", () => {
    const handlers: readonly Handler[] = [
      (request) =>
        withChannel(
          request,
          (channel) => {
            holds<Same<typeof channel, Channel<Said, Told>>>();
            channel.onMessage((message, same) => {
              holds<Same<typeof message, Said>>();
              holds<Same<typeof same, Channel<Said, Told>>>();
              same.send({ id: 1, say: message.say });
            });
            // @ts-expect-error: a field is missing
            assert.throws(() => channel.send({ say: "hi" }));
            // @ts-expect-error: text is no value of this channel
            assert.throws(() => channel.send("hi"));
          },
          { codec },
        ),
      (request) => {
        const channel = openChannel(
          request,
          {
            open: (c) => holds<Same<typeof c, Channel<Said, Told>>>(),
            message: (message) => holds<Same<typeof message, Said>>(),
          },
          { codec, compress: true },
        );
        holds<Same<typeof channel, Channel<Said, Told>>>();
        return channel;
      },
      (request) =>
        openSession(
          request,
          {
            message(message, channel) {
              holds<Same<typeof message, Said>>();
              channel.send({ id: 1, say: "hi" });
            },
            resumed: (channel) => holds<Same<typeof channel, Channel<Said, Told>>>(),
          },
          { codec, resumeMs: 1000 },
        ),
      (request) =>
        withChannel(
          request,
          async (channel) => {
            for await (const message of channel) holds<Same<typeof message, Said>>();
          },
          { codec },
        ),
    ];
    assert.equal(handlers.length, 4);
  });

  it("are text and bytes without one", () => {
    const handlers: readonly Handler[] = [
      (request) =>
        withChannel(request, (channel) => {
          holds<Same<typeof channel, Channel>>();
          holds<Same<typeof channel, Channel<Message, SendData>>>();
          channel.onMessage((message) => holds<Same<typeof message, Message>>());
          // @ts-expect-error: use json(value)
          assert.throws(() => channel.send({ id: 1, say: "hi" }));
        }),
      (request) => openChannel(request, { message: (message) => holds<Same<typeof message, Message>>() }, {}),
      (request) => openSession(request, { message: (message) => holds<Same<typeof message, Message>>() }),
      // @ts-expect-error: a message may be bytes
      (request) => openChannel(request, { message: (message: string) => message }),
    ];
    const options: ChannelOptions = { compress: true };
    assert.deepEqual([handlers.length, options], [4, { compress: true }]);
  });

  it("are those of options that were written before, where their type has the codec", () => {
    const options: ChannelOptions<Said, Told> & WithCodec<Said, Told> = { codec, compress: true };
    const inferred = { codec, compress: true } as const;
    const maybe: ChannelOptions<Said, Told> = options;
    const handlers: readonly Handler[] = [
      (r) => withChannel(r, (channel) => holds<Same<typeof channel, Channel<Said, Told>>>(), options),
      (r) => openChannel(r, { open: (channel) => holds<Same<typeof channel, Channel<Said, Told>>>() }, options),
      (r) => openSession(r, { open: (channel) => holds<Same<typeof channel, Channel<Said, Told>>>() }, { codec }),
      (r) => withChannel(r, (channel) => holds<Same<typeof channel, Channel<Said, Told>>>(), inferred),
      // @ts-expect-error: this type may or may not have a codec
      (r) => withChannel(r, () => {}, maybe),
    ];
    assert.equal(handlers.length, 5);
  });

  it("are exported by the names of what a codec's end receives and sends", () => {
    holds<Same<Received<typeof chat.server>, Said>>();
    holds<Same<Sent<typeof chat.server>, Told>>();
    holds<Same<Received<typeof chat.client>, Told>>();
    holds<Same<Sent<typeof chat.client>, { say: string; loud?: boolean | undefined }>>();
    holds<Same<Received<string>, never>>();
  });

  it("keep channels apart, and let each be any", () => {
    const untyped = undefined as unknown as Channel;
    const typed = undefined as unknown as Channel<Said, Told>;
    const any: AnyChannel[] = [untyped, typed];
    // @ts-expect-error: it sends values, no text
    const noText: Channel = typed;
    // @ts-expect-error: it sends text, no values
    const noValues: Channel<Said, Told> = untyped;
    // @ts-expect-error: it does not send everything
    const noAnything: Channel<unknown, unknown> = typed;
    assert.deepEqual([...any, noText, noValues, noAnything], Array.from({ length: 5 }));
  });
});

describe("a channel with a codec", () => {
  function start(t: TestContext, handler: Handler, options: TestServerOptions = {}): TestServer {
    const app = testServer(handler, options);
    t.after(() => app.stop());
    return app;
  }

  it("answers over plain HTTP with the codec's content type", async (t) => {
    const app = start(t, (r) => openChannel(r, { open: (c) => c.send({ id: 1, say: "hi" }) }, { codec }));
    const response = await app.fetch("/");
    assert.equal(await response.text(), '{"id":1,"say":"hi"}');
    assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(response.headers.get("content-length"), "19");
  });

  it("keeps a content type that the application sets", async (t) => {
    const headers = { "content-type": "application/x-chat" };
    const app = start(t, (r) => withChannel(r, (c) => c.send({ id: 1, say: "hi" }), { codec, headers }));
    assert.equal((await app.fetch("/")).headers.get("content-type"), "application/x-chat");
  });

  it("answers like any text if its codec sets no content type", async (t) => {
    const numbers: MessageCodec<number, number> = { encode: String, decode: Number };
    const app = start(t, (r) => withChannel(r, (c) => c.send(42), { codec: numbers }));
    const response = await app.fetch("/");
    assert.equal(await response.text(), "42");
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  });

  it("sends a prepared message unchanged", async (t) => {
    const message = prepare(codec.encode({ id: 1, say: "hi" }));
    const app = start(t, (r) => openChannel(r, { open: (c) => c.send(message) }, { codec }));
    assert.equal(await (await app.websocket("/")).next(), '{"id":1,"say":"hi"}');
  });

  it("is the one that its request has, and one receiver is all it takes", async (t) => {
    const app = start(t, (request) => {
      const channel = openChannel(request, { message: () => {} }, { codec });
      assert.throws(() => channel.onMessage(() => {}), { code: "HANDLER_EXISTS" });
      assert.throws(() => channel[Symbol.asyncIterator](), { code: "HANDLER_EXISTS" });
      return channel;
    });
    await app.websocket("/");
    assert.deepEqual(app.takeErrors(), []);
  });

  it("tells the server's onError which channel it was", async (t) => {
    let opened: AnyChannel | undefined;
    const told: unknown[] = [];
    const app = start(
      t,
      (request) => {
        opened = openChannel(request, { message: () => {} }, { codec });
        return opened;
      },
      { onError: (error, { source, channel }) => told.push((error as ChannelError).code, source, channel === opened) },
    );
    (await app.websocket("/")).send("{}");
    await app.settle();
    assert.deepEqual(told, ["BAD_MESSAGE", "message", true]);
  });

  it("reads nothing without a receiver", async (t) => {
    let count = 0;
    const counting: MessageCodec<unknown, string> = { encode: (text) => text, decode: () => (count += 1) };
    const app = start(t, (r) => withChannel(r, (c) => c.send("hello"), { codec: counting }));
    const socket = await app.websocket("/");
    socket.send("anything");
    assert.equal(await socket.next(), "hello");
    await app.settle();
    assert.deepEqual([count, app.server.stats().messagesReceived], [0, 1]);
  });

  it("may be that of a codec of one's own, in bytes", async (t) => {
    const bytes: MessageCodec<number, number> = {
      contentType: "application/octet-stream",
      encode: (value) => Uint8Array.of(value),
      decode: (message) => (message as Uint8Array)[0]!,
    };
    const app = start(t, (r) => openChannel(r, { message: (n, c) => c.send(n + 1) }, { codec: bytes }));
    const socket = await app.websocket("/");
    socket.send(Uint8Array.of(41));
    assert.deepEqual(await socket.next(), Uint8Array.of(42));
  });

  it("takes the codec's values, and sends none, where its request was refused", async (t) => {
    const results: unknown[] = [];
    const send = (channel: Channel<Said, Told>): void =>
      void results.push(channel.isOpen, channel.send({ id: 1, say: "hi" }), channel.attachment);
    const app = start(t, (request) => {
      if (request.path === "/session") send(openSession(request, {}, { codec, attachment: "mine" }));
      else send(withChannel(request, () => {}, { codec, attachment: "mine" }));
    });
    const foreign = { Origin: "http://elsewhere.example" };
    assert.equal((await app.fetch("/session", { headers: foreign })).status, 403);
    await assert.rejects(app.websocket("/", { headers: foreign }));
    assert.deepEqual(results, [false, false, "mine", false, false, "mine"]);
    assert.deepEqual(app.takeErrors(), []);
  });
});
