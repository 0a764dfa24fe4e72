// Rows on callbacks that throw and streams that fail: design §1.2. It is reported and reaches nobody else.

import assert from "node:assert/strict";
import type { ChannelHandlers, CloseStatus } from "../../src/index.ts";
import { deferred, turn, until } from "../support/wait.ts";
import type { Contract } from "./channel.ts";

const BOOM = "boom: a secret";

/** A callback that throws, in both of its ways. */
const WAYS: readonly (readonly [way: string, fail: () => unknown])[] = [
  ["throws", () => boom()],
  ["rejects", () => Promise.reject(new Error(BOOM))],
];

export function throwingRows({ open, can, row }: Contract): void {
  for (const [way, fail] of WAYS) {
    row(`is closed when its open handler ${way}, which is reported`, async (t) => {
      const status = deferred<CloseStatus>();
      const { channel, client, site } = await open(t, { open: fail, close: status.resolve });
      await until(() => !channel.isOpen, "the channel is closed");
      assert.equal(channel.send("late"), false);
      const rest = await client.rest();
      assert.ok(!rest.text.includes("secret"), "nothing of the error reaches the client");
      if (can.closeCodes) assert.equal(rest.code, 1011);
      const { by, code } = await status.promise;
      assert.deepEqual({ by, code }, { by: "server", code: can.closeCodes ? 1011 : 1000 });
      assert.deepEqual(site.takeMessages(), [`open: ${BOOM}`]);
    });

    row(`stays open when its receiver ${way}, which is reported`, ["clientSends"], async (t) => {
      const { channel, client, site } = await open(t, {
        message(message, c) {
          if (message === "bad") return fail();
          return void c.send(`good ${message}`);
        },
      });
      client.send("bad");
      client.send("one");
      assert.equal(await client.read(8), "good one");
      assert.equal(channel.isOpen, true);
      assert.deepEqual(site.takeMessages(), [`message: ${BOOM}`]);
    });

    row(`hides from the sender that a close handler ${way}, and runs the others`, async (t) => {
      const log: string[] = [];
      const { channel, client, site } = await open(t, { close: fail });
      channel.onClose(fail);
      channel.onClose(() => log.push("the last one"));
      assert.equal(channel.send("bye", true), true);
      assert.equal((await client.rest()).text, "bye");
      await until(() => log.length > 0, "the last one has run");
      await turn();
      assert.deepEqual(site.takeMessages(), [`close: ${BOOM}`, `close: ${BOOM}`]);
      channel.onClose(fail);
      await turn();
      assert.deepEqual(site.takeMessages(), [`close: ${BOOM}`]);
    });

    row(`tells its error handler, not the server's, when a callback ${way}`, async (t) => {
      const told: unknown[] = [];
      const handlers: ChannelHandlers = { close: fail, error: (error, c) => told.push((error as Error).message, c) };
      const { channel, client } = await open(t, handlers);
      channel.close();
      await client.rest();
      await until(() => told.length > 0, "it is told");
      assert.deepEqual(told, [BOOM, channel]);
    });
  }

  row("reports an error handler that throws to the server's", async (t) => {
    const { channel, client, site } = await open(t, { close: boom, error: () => boom() });
    channel.close();
    await client.rest();
    await turn();
    assert.ok(site.takeMessages().includes(`close: ${BOOM}`));
  });

  row("lets the client see that a stream failed, and reports it", async (t) => {
    const status = deferred<CloseStatus>();
    const { channel, client, send, site } = await open(t, { close: status.resolve });
    async function* failing(): AsyncGenerator<string> {
      yield "half of";
      await turn();
      boom();
    }
    assert.equal(send(failing()), true);
    const rest = await client.rest();
    if (can.closeCodes) assert.equal(rest.code, 1011);
    else if (can.marksEnd) assert.equal(rest.ending, "cut");
    const { by, code } = await status.promise;
    assert.deepEqual({ by, code }, { by: "server", code: 1011 });
    assert.equal(channel.isOpen, false);
    assert.deepEqual(site.takeMessages(), [`send: ${BOOM}`]);
  });

  row("reports a stream's part that cannot be sent", async (t) => {
    const status = deferred<CloseStatus>();
    const { client, send, site } = await open(t, { close: status.resolve });
    assert.equal(send(["good", 7] as unknown as string[]), true);
    const rest = await client.rest();
    if (can.marksEnd && !can.closeCodes) assert.equal(rest.ending, "cut");
    assert.equal((await status.promise).code, 1011);
    assert.equal(site.takeReports()[0]?.source, "send");
  });

  row("gives up a stream whose client has left, and reports nothing", ["fragments"], async (t) => {
    const closed = deferred();
    let isReturned = false;
    const { client, send } = await open(t, { close: () => closed.resolve() });
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) {
          yield "tick";
          await turn();
        }
      } finally {
        isReturned = true;
      }
    }
    send(endless());
    await client.read(4);
    client.raw.destroy();
    await closed.promise;
    await until(() => isReturned, "the stream is given up");
  });
}

function boom(): never {
  throw new Error(BOOM);
}
