// Rows on typed messages: with a codec the application has values, the client the messages that stand for them, and what
// the codec refuses goes neither way.

import assert from "node:assert/strict";
import * as v from "valibot";
import { z } from "zod";
import { ChannelError, jsonMessages } from "../../src/index.ts";
import { deferred, until } from "../support/wait.ts";
import type { Contract } from "./channel.ts";

const { server: codec } = jsonMessages({
  toServer: z.object({ say: z.string().max(5), loud: z.boolean().default(false) }),
  toClient: v.object({ id: v.number(), say: v.string() }),
});

const REFUSED = "message is not what its schema allows: say: Too big: expected string to have <=5 characters";
const isRefused = (error: unknown): boolean => error instanceof ChannelError && error.code === "BAD_MESSAGE";

export function typedRows({ open, can, row }: Contract): void {
  row("sends values, and nothing that its codec refuses", async (t) => {
    const { channel, send, client } = await open(t, {}, { codec });
    assert.throws(() => send({ id: "one", say: "hi" } as never), isRefused);
    assert.throws(() => channel.send("text" as never), isRefused);
    assert.equal(channel.isOpen, true);
    assert.equal(send({ id: 1, say: "hi" }), true);
    assert.equal(await client.read(19), '{"id":1,"say":"hi"}');
    if (!can.closesAfterSend) assert.equal(channel.isOpen, true);
    assert.equal(channel.send({ id: 2, say: "bye" }, true), can.sendsMany);
    assert.equal((await client.rest()).text, can.sendsMany ? '{"id":2,"say":"bye"}' : "");
    assert.equal(channel.send({ id: 3, say: "late" }), false);
  });

  row("receives values, and goes on after a message that its codec refuses", ["clientSends"], async (t) => {
    const got: unknown[] = [];
    const { channel, client, site } = await open(t, { message: (value) => void got.push(value) }, { codec });
    for (const text of ['{"say":"one"}', '{"say":"too long"}', "no JSON", '{"say":"two","loud":true}'])
      client.send(text);
    client.send(Uint8Array.of(123, 125));
    await until(() => got.length === 2, "both have come");
    assert.deepEqual(got, [
      { say: "one", loud: false },
      { say: "two", loud: true },
    ]);
    const reports: string[] = [];
    await until(() => reports.push(...site.takeMessages()) >= 0 && reports.length === 3, "the others are reported");
    const [tooLong, ...others] = reports;
    assert.equal(tooLong, `message: ${REFUSED}`);
    assert.deepEqual(others, [
      "message: message is not what its schema allows: not JSON",
      "message: message is not what its schema allows: binary, where JSON is expected",
    ]);
    assert.equal(channel.isOpen, true);
  });

  row("tells its own error handler of what its codec refuses", ["clientSends"], async (t) => {
    const told = deferred<unknown[]>();
    const got: unknown[] = [];
    const { channel, client } = await open(
      t,
      { message: (value) => got.push(value), error: (error, same) => told.resolve([error, same]) },
      { codec },
    );
    client.send('{"say":"too long"}');
    const [error, same] = await told.promise;
    assert.equal((error as Error).message, REFUSED);
    assert.equal(same, channel);
    assert.deepEqual(got, []);
  });

  row("gives values to `for await`, which goes on after one that is refused", ["clientSends"], async (t) => {
    const { client, site } = await open(
      t,
      {
        async open(channel) {
          for await (const { say } of channel) channel.send({ id: say.length, say });
        },
      },
      { codec },
    );
    client.send('{"say":"one"}');
    assert.equal(await client.read(20), '{"id":3,"say":"one"}');
    client.send('{"say":"too long"}');
    client.send('{"say":"four"}');
    assert.equal(await client.read(21), '{"id":4,"say":"four"}');
    assert.deepEqual(site.takeMessages(), [`message: ${REFUSED}`]);
  });
}
