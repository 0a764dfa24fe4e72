// Rows on clients that do not read: design §1.2, `bufferedAmount`, `drained`, `onDrain`, and §5, `maxBufferedBytes`.

import assert from "node:assert/strict";
import type { Channel, CloseStatus } from "../../src/index.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import type { Contract } from "./channel.ts";

const KIB = 1024;

/** One message per letter, told apart by it. */
const BLOCK = 256 * KIB;

export function pressureRows({ open, row }: Contract): void {
  row(
    "counts the bytes that its client does not take, and tells when they are gone",
    ["sendsMany", "fillsSoon"],
    async (t) => {
      let drains = 0;
      const { channel, client, send } = await open(t, { drain: () => (drains += 1) }, { maxBufferedBytes: 1 << 30 });
      assert.equal(channel.bufferedAmount, 0);
      await channel.drained();
      client.raw.pause();
      let sent = 0;
      for (; channel.bufferedAmount < 4 * BLOCK && sent < 256; sent++) {
        assert.equal(send("x".repeat(BLOCK)), true);
        await turn();
      }
      await settled(() => channel.bufferedAmount);
      assert.ok(channel.bufferedAmount > 0, "the client takes no more");
      // The system still takes some of the next blocks: less than a third of its buffer may be free (Linux), and the buffers of
      // a client that does not read are packed closer after its window was probed.
      let grownBy = 0;
      for (const last = sent + 16; grownBy < BLOCK && sent < last; sent++) {
        const stuck = channel.bufferedAmount;
        send("x".repeat(BLOCK));
        await settled(() => channel.bufferedAmount);
        grownBy = channel.bufferedAmount - stuck;
      }
      assert.ok(grownBy >= BLOCK, "it grows by what is sent");
      const before = drains;
      let isDrained = false;
      const drained = channel.drained().then(() => (isDrained = true));
      await turn();
      assert.equal(isDrained, false);
      client.raw.resume();
      await client.read(sent * BLOCK);
      await drained;
      assert.equal(channel.bufferedAmount, 0);
      await until(() => drains > before, "onDrain has been called");
    },
  );

  row("closes with 1013 when its client does not read, by default", ["sendsMany", "drops", "fillsSoon"], async (t) => {
    const status = deferred<CloseStatus>();
    const handlers = { close: status.resolve };
    const options = { maxBufferedBytes: 128 * KIB, server: { closeTimeoutMs: 50 } };
    const { channel, client, send, site } = await open(t, handlers, options);
    client.raw.pause();
    const { most } = await fill(channel, send);
    assert.equal(channel.isOpen, false);
    assert.ok(most <= 128 * KIB + BLOCK + 100, `bounded: ${most}`);
    const { by, code, name } = await status.promise;
    assert.deepEqual({ by, code, name }, { by: "server", code: 1013, name: "try-again-later" });
    assert.match(site.takeMessages().join(), /^send: unsent data exceeds maxBufferedBytes$/);
    client.raw.resume();
    await client.raw.until(() => client.raw.isEnded, "the end of the connection");
  });

  row(
    'drops what is sent to a full channel with onOverflow "drop", and goes on',
    ["sendsMany", "fillsSoon"],
    async (t) => {
      const { channel, client, send } = await open(t, {}, { maxBufferedBytes: 128 * KIB, onOverflow: "drop" });
      client.raw.pause();
      const { taken } = await fill(channel, send);
      assert.equal(channel.isOpen, true);
      assert.equal(send("dropped"), false);
      client.raw.resume();
      assert.equal(await client.read(taken.length * BLOCK), taken.join(""));
      await channel.drained();
      assert.equal(send("and on"), true);
      assert.equal(await client.read(6), "and on");
    },
  );

  row("takes one message that is larger than its buffer may be", ["sendsMany", "fillsSoon"], async (t) => {
    const { channel, client, send } = await open(t, {}, { maxBufferedBytes: KIB });
    const large = "y".repeat(100 * KIB);
    assert.equal(send(large), true);
    assert.equal(await client.read(large.length), large);
    assert.equal(channel.isOpen, true);
  });

  row("pulls a stream no faster than its client reads", ["fragments", "fillsSoon"], async (t) => {
    let pulled = 0;
    let isReturned = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) {
          pulled += 1;
          yield "z".repeat(BLOCK);
        }
      } finally {
        isReturned = true;
      }
    }
    const { client, send } = await open(t, {});
    client.raw.pause();
    assert.equal(send(endless()), true);
    await settled(() => pulled);
    const before = pulled;
    assert.ok(before < 400, `it stopped: ${before}`);
    client.raw.resume();
    await until(() => pulled > before + 10, "it goes on");
    client.raw.destroy();
    await until(() => isReturned, "the stream is given up with its client");
  });
}

/** Sends blocks, a turn after each, until one is not taken; answers those that were, and the largest bufferedAmount. */
async function fill(channel: Channel, send: (data: string) => boolean): Promise<{ taken: string[]; most: number }> {
  const taken: string[] = [];
  let most = 0;
  for (let i = 0; i < 400; i++) {
    const block = String.fromCharCode(97 + (i % 26)).repeat(BLOCK);
    if (!send(block)) return { taken, most };
    taken.push(block);
    most = Math.max(most, channel.bufferedAmount);
    await turn();
  }
  throw new Error("the channel never filled");
}
