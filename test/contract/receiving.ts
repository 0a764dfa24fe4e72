// Rows on messages from the client and on the order of callbacks: design §1.2, open → receive* → close.

import assert from "node:assert/strict";
import { type Channel, ChannelError, type Message } from "../../src/index.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { frame } from "../support/ws-client.ts";
import type { Contract } from "./channel.ts";

/** Length of a message that fills the buffers of a connection. */
const MESSAGE_BYTES = 256 * 1024;

export function receivingRows({ open, can, row }: Contract): void {
  row("lets a receiver be set, one only", async (t) => {
    const { channel } = await open(t, {});
    channel.onMessage(() => {});
    assert.throws(
      () => channel.onMessage(() => {}),
      (error) => error instanceof ChannelError && error.code === "HANDLER_EXISTS",
    );
  });

  row("lets a message handler be removed, and another be set in its place", async (t) => {
    const ended = deferred<unknown>();
    const { channel, client } = await open(t, { close: ended.resolve });
    const told: unknown[] = [];
    const remove = channel.onMessage((message) => told.push("removed", message));
    remove();
    channel.onMessage((message) => told.push(message));
    remove();
    assert.throws(() => channel.onMessage(() => {}), { code: "HANDLER_EXISTS" });
    if (can.clientSends) client.send("one");
    client.leave();
    await ended.promise;
    assert.deepEqual(told, can.clientSends ? ["one"] : []);
  });

  row("takes a message handler with the others, one only", async (t) => {
    const told: unknown[] = [];
    const ended = deferred<unknown>();
    const { client, channel } = await open(t, {
      message: (message) => void told.push(message),
      close: ended.resolve,
    });
    assert.throws(() => channel.onMessage(() => {}), { code: "HANDLER_EXISTS" });
    if (can.clientSends) client.send("one");
    client.leave();
    await ended.promise;
    assert.deepEqual(told, can.clientSends ? ["one"] : []);
  });

  row("never calls open, receive and close together, and close last", async (t) => {
    const log: string[] = [];
    const step = (name: string) => async () => {
      log.push(`${name} starts`);
      await turn();
      await turn();
      log.push(`${name} ends`);
    };
    const { client } = await open(t, { open: step("open"), message: step("receive"), close: step("close") });
    if (can.clientSends) for (const message of ["one", "two", "three"]) client.send(message);
    client.leave();
    await until(() => log.at(-1) === "close ends", "close has ended");
    const names = ["open", ...(can.clientSends ? ["receive", "receive", "receive"] : []), "close"];
    assert.deepEqual(
      log,
      names.flatMap((name) => [`${name} starts`, `${name} ends`]),
    );
  });

  row("ends `for await` with the channel", async (t) => {
    const over = deferred<Message[]>();
    const { client } = await open(t, {
      open: (channel) => {
        void collect(channel).then(over.resolve, over.reject);
      },
    });
    if (can.clientSends) for (const message of ["one", "two", "three"]) client.send(message);
    client.leave();
    assert.deepEqual(await over.promise, can.clientSends ? ["one", "two", "three"] : []);
  });

  row("gives messages to a `for await` that is the setup itself", ["clientSends"], async (t) => {
    const { client } = await open(t, {
      async open(channel) {
        for await (const message of channel) channel.send(`echo ${message}`);
      },
    });
    client.send("one");
    assert.equal(await client.read(8), "echo one");
    client.send("two");
    assert.equal(await client.read(8), "echo two");
  });

  row("stops reading when a `for await` is left, and closes nothing by that", ["clientSends"], async (t) => {
    const first = deferred<Message>();
    const { channel, client } = await open(t, {
      open: async (c) => {
        for await (const message of c) {
          first.resolve(message);
          break;
        }
      },
    });
    client.send("one");
    assert.equal(await first.promise, "one");
    await turn();
    assert.equal(channel.isOpen, true);
    channel.send("still here");
    assert.equal(await client.read(10), "still here");
  });

  row("holds the first messages until an async setup has settled (http-kit #318)", ["clientSends"], async (t) => {
    const gate = deferred();
    const got: Message[] = [];
    const { client } = await open(t, {
      async open(channel) {
        await gate.promise;
        channel.onMessage((message) => got.push(message));
      },
    });
    for (let i = 0; i < 20; i++) client.send(`${i}`);
    await settled(() => got.length);
    assert.deepEqual(got, []);
    gate.resolve();
    await until(() => got.length === 20, "all have come");
    assert.deepEqual(
      got,
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  });

  row("calls an async receiver for one message at a time, in order", ["clientSends"], async (t) => {
    const log: string[] = [];
    const { client } = await open(t, {
      async message(message) {
        log.push(`${message}(`);
        await turn();
        log.push(`)${message}`);
      },
    });
    for (let i = 0; i < 10; i++) client.send(`${i}`);
    await until(() => log.length === 20, "all have been received");
    assert.deepEqual(log, Array.from({ length: 10 }, (_, i) => [`${i}(`, `)${i}`]).flat());
  });

  row("keeps the order of 1,000 numbered messages from the client", ["clientSends"], async (t) => {
    const got: Message[] = [];
    const { client } = await open(t, { message: (message) => void got.push(message) });
    const numbers = Array.from({ length: 1000 }, (_, i) => `${i}`);
    for (const number of numbers) client.send(number);
    await until(() => got.length === 1000, "all have come");
    assert.deepEqual(got, numbers);
  });

  row("gives text as a string and binary as bytes", ["clientSends"], async (t) => {
    const got: Message[] = [];
    const { client } = await open(t, { message: (message) => void got.push(message) });
    client.send("€");
    client.send(Uint8Array.of(0, 255, 128));
    client.send("");
    client.send(new Uint8Array(0));
    await until(() => got.length === 4, "all have come");
    assert.equal(got[0], "€");
    assert.deepEqual([...(got[1] as Uint8Array)], [0, 255, 128]);
    assert.equal(got[2], "");
    assert.ok(got[3] instanceof Uint8Array && got[3].length === 0);
  });

  row("gives bytes that stay as they are when more arrive", ["clientSends"], async (t) => {
    const got: Uint8Array[] = [];
    const { client } = await open(t, { message: (message) => void got.push(message as Uint8Array) });
    for (let i = 0; i < 50; i++) client.send(new Uint8Array(100).fill(i));
    await until(() => got.length === 50, "all have come");
    for (const [i, bytes] of got.entries())
      assert.ok(
        bytes.every((byte) => byte === i),
        `message ${i}`,
      );
  });

  row(
    "stops reading while its receiver is slow, and then loses nothing",
    ["clientSends", "holdsBack", "fillsSoon"],
    async (t) => {
      const gate = deferred();
      const got: number[] = [];
      const { client } = await open(t, {
        async message(message) {
          await gate.promise;
          got.push((message as Uint8Array)[0]!);
        },
      });
      const total = await client.raw.clog((i) => client.send(new Uint8Array(MESSAGE_BYTES).fill(i)));
      assert.deepEqual(got, []);
      gate.resolve();
      await until(() => got.length === total, "all have come");
      assert.deepEqual(
        got,
        Array.from({ length: total }, (_, i) => i & 0xff),
      );
    },
  );

  row("delivers what had come before the client's close, however slow the receiver", ["clientSends"], async (t) => {
    const gate = deferred();
    const log: string[] = [];
    const { channel, client } = await open(t, {
      async message(message) {
        log.push(`${message}`);
        await gate.promise;
      },
      close: () => log.push("close"),
    });
    for (const message of ["one", "two", "three"]) client.send(message);
    client.leave();
    await until(() => log.length > 0, "the first has come");
    await turn();
    gate.resolve();
    await until(() => log.includes("close"), "close has run");
    assert.deepEqual(log, ["one", "two", "three", "close"]);
    assert.equal(channel.isOpen, false);
  });

  row("pings the client and hears its pong, where there are pings", async (t) => {
    const pongs: string[] = [];
    const { channel, client } = await open(t, { pong: (data) => pongs.push(Buffer.from(data).toString()) });
    assert.equal(channel.ping("are you there?"), can.pings);
    if (!can.pings) return;
    assert.deepEqual([...(await client.raw.take(16))], [0x89, 14, ...Buffer.from("are you there?")]);
    client.raw.write(frame(10, "are you there?"));
    await until(() => pongs.length > 0, "the pong has come");
    assert.deepEqual(pongs, ["are you there?"]);
    assert.equal(channel.ping(Uint8Array.of(1, 2)), true);
    assert.deepEqual([...(await client.raw.take(4))], [0x89, 2, 1, 2]);
    assert.equal(channel.ping(), true);
    assert.deepEqual([...(await client.raw.take(2))], [0x89, 0]);
  });

  row("keeps a silent conversation alive, and changes no message with it", ["heartbeats"], async (t) => {
    const { client, send } = await open(t, {}, { pingIntervalMs: 1 });
    send("before");
    assert.equal(await client.read(6), "before");
    await client.raw.until(() => client.raw.peek().length > 0, "a heartbeat");
    send("after");
    assert.equal(await client.read(5), "after");
  });

  row("answers a ping by itself and tells of it", ["pings"], async (t) => {
    const pings: string[] = [];
    const { channel, client } = await open(t, {});
    channel.onPing((data, same) => pings.push(Buffer.from(data).toString(), String(same === channel)));
    client.raw.write(frame(9, "TEST"));
    assert.deepEqual([...(await client.raw.take(6))], [0x8a, 4, ...Buffer.from("TEST")]);
    await until(() => pings.length > 0, "the ping has been told");
    assert.deepEqual(pings, ["TEST", "true"]);
  });
}

async function collect(channel: Channel): Promise<Message[]> {
  const all: Message[] = [];
  for await (const message of channel) all.push(message);
  return all;
}
