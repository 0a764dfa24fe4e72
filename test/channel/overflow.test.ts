// `maxBufferedBytes` and `maxTotalBufferedBytes` to the byte, on a transport that says how much is unsent.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelError } from "../../src/base/errors.ts";
import type { ChannelContext, OverflowPolicy } from "../../src/channel/context.ts";
import { prepare } from "../../src/channel/send-data.ts";
import type { TransportChannel } from "../../src/channel/transport-channel.ts";
import { makeChannel } from "../../src/channel/typed-channel.ts";
import { SlowChannels } from "../../src/server/slow-channels.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";
import type { Transport } from "../../src/transport/transport.ts";

const MAX = 1000;
const TOTAL = 10_000;

class Wire implements Transport {
  readonly kind = "websocket";
  readonly messageForm = "message";
  /** Bytes that the system has not taken, and bytes that wait for the end of the turn. */
  stuck = 0;
  queued = 0;
  readonly calls: string[] = [];

  get bufferedAmount(): number {
    return this.stuck + this.queued;
  }
  flush(): void {
    this.calls.push("flush");
    this.queued = 0;
  }
  send(): void {
    this.calls.push("send");
  }
  sendLast(): void {
    this.calls.push("sendLast");
  }
  fail(code: number): void {
    this.calls.push(`fail ${code}`);
  }
  listen(): void {}
  open(): void {}
  part(): void {}
  goodbye(): void {}
  close(): void {}
  terminate(): void {}
  tick(): void {}
}

interface Bench {
  readonly wire: Wire;
  readonly channel: TransportChannel;
  readonly reports: unknown[];
}

function bench(onOverflow: OverflowPolicy, buffered = new BufferBudget(TOTAL)): Bench {
  const wire = new Wire();
  const reports: unknown[] = [];
  const context = {
    clock: new VirtualClock(),
    report: (error: unknown) => reports.push(error),
    buffered,
    messages: { received: 0, sent: 0 },
    channelOverflowed: () => {},
    rateExceeded: () => {},
    channelExpired: () => {},
    channelOpened: () => {},
    channelEnded: () => {},
  } as unknown as ChannelContext;
  const heartbeat = { pingIntervalMs: 0, pongTimeoutMs: 0 };
  const channel = makeChannel(context, {
    transport: wire,
    handlers: {},
    settings: { maxBufferedBytes: MAX, onOverflow, heartbeat },
  });
  channel.begin(undefined);
  assert.equal(channel.publicChannel.send("first"), true);
  wire.calls.length = 0;
  return { wire, channel, reports };
}

function assertTooSlow({ wire, channel, reports }: Bench, pattern: RegExp): void {
  assert.equal(channel.isOpen, false);
  assert.equal(wire.calls.at(-1), "fail 1013");
  assert.equal(reports.length, 1);
  const [error] = reports;
  assert.ok(error instanceof ChannelError && error.code === "BUFFER_OVERFLOW");
  assert.match(error.message, pattern);
}

describe("maxBufferedBytes", () => {
  it("takes one more message, of any size, while a byte is missing to it", () => {
    for (const policy of ["close", "drop"] as const) {
      const { wire, channel } = bench(policy);
      wire.stuck = MAX - 1;
      assert.equal(channel.publicChannel.send("x".repeat(10 * MAX)), true);
      assert.deepEqual(wire.calls, ["send"]);
    }
  });

  it("closes, or drops, as soon as so much is unsent", () => {
    const closing = bench("close");
    closing.wire.stuck = MAX;
    assert.equal(closing.channel.publicChannel.send("x"), false);
    assertTooSlow(closing, /^unsent data exceeds maxBufferedBytes$/);
    const dropping = bench("drop");
    dropping.wire.stuck = MAX;
    assert.equal(dropping.channel.publicChannel.send("x"), false);
    assert.equal(dropping.channel.isOpen, true);
    dropping.wire.stuck = MAX - 1;
    assert.equal(dropping.channel.publicChannel.send("x"), true);
    assert.deepEqual(dropping.wire.calls, ["send"]);
  });
});

describe("maxTotalBufferedBytes", () => {
  /** Twenty others hold so much together. */
  function othersHold(total: number): BufferBudget {
    const buffered = new BufferBudget(TOTAL);
    for (let i = 0; i < 20; i++) buffered.change(0, total / 20);
    return buffered;
  }

  it("ends no channel while no more than that is unsent", () => {
    const { wire, channel } = bench("close", othersHold(TOTAL));
    wire.stuck = MAX - 1;
    assert.equal(channel.publicChannel.send("x"), true);
    assert.deepEqual(wire.calls, ["send"]);
  });

  it("beyond it, closes or drops for channels that hold an equal part, and for none below", () => {
    const buffered = othersHold(TOTAL + 20);
    const closing = bench("close", buffered);
    closing.wire.stuck = TOTAL / 20 - 1;
    assert.equal(closing.channel.publicChannel.send("x"), true);
    closing.wire.stuck = TOTAL / 20;
    assert.equal(closing.channel.publicChannel.send("x"), false);
    assertTooSlow(closing, /maxTotalBufferedBytes/);
    const dropping = bench("drop", buffered);
    dropping.wire.stuck = TOTAL / 20;
    assert.equal(dropping.channel.publicChannel.send("x"), false);
    assert.equal(dropping.channel.isOpen, true);
  });

  it("beyond it, counts a message of more than 16 KiB before it is sent, unless it goes to many", () => {
    const buffered = othersHold(TOTAL + 20);
    const keepsUp = bench("close", buffered);
    assert.equal(keepsUp.channel.publicChannel.send("x".repeat(16_384)), true);
    assert.equal(keepsUp.channel.publicChannel.send(prepare("x".repeat(16_385))), true);
    assert.equal(keepsUp.channel.publicChannel.send("x".repeat(16_385)), false);
    assertTooSlow(keepsUp, /maxTotalBufferedBytes/);
    const within = bench("close", othersHold(TOTAL));
    assert.equal(within.channel.publicChannel.send("x".repeat(100_000)), true);
  });

  it("ends a channel that holds its part for 5 s and is sent nothing more; not one that takes it meanwhile", () => {
    const buffered = othersHold(TOTAL + 20);
    const slowChannels = new SlowChannels(buffered);
    const [stuck, slow, below, dropping] = [
      bench("close", buffered),
      bench("close", buffered),
      bench("close", buffered),
      bench("drop", buffered),
    ];
    const all = [stuck, slow, below, dropping].map(({ channel }) => channel);
    stuck.wire.stuck = slow.wire.stuck = dropping.wire.stuck = TOTAL / 20;
    below.wire.stuck = TOTAL / 20 - 1;
    slowChannels.tick(all, 1000);
    slow.wire.stuck = 0;
    slowChannels.tick(all, 3000);
    slow.wire.stuck = TOTAL / 20;
    slowChannels.tick(all, 5999);
    assert.ok(all.every(({ isOpen }) => isOpen));
    slowChannels.tick(all, 6000);
    assertTooSlow(stuck, /maxTotalBufferedBytes/);
    assert.ok([slow, below, dropping].every(({ channel }) => channel.isOpen));
    buffered.change(TOTAL / 20 + 1, 0);
    slowChannels.tick(all, 20_000);
    assert.ok(
      [slow, below, dropping].every(({ channel }) => channel.isOpen),
      "the sum is within its limit",
    );
  });

  it("does not count against a client what only waits for the end of the turn", () => {
    const { wire, channel } = bench("close", othersHold(TOTAL + 20));
    wire.queued = MAX - 1;
    assert.equal(channel.publicChannel.send("x"), true);
    assert.deepEqual(wire.calls, ["flush", "send"]);
  });

  it("counts the messages that wait behind a stream, until they are dropped", async () => {
    const buffered = new BufferBudget(TOTAL);
    const { channel } = bench("close", buffered);
    channel.publicChannel.send(new ReadableStream({}));
    assert.equal(buffered.bytes, 0);
    channel.publicChannel.send("x".repeat(100));
    channel.publicChannel.send("x".repeat(100));
    assert.equal(buffered.bytes, 200);
    channel.transportClosed({ by: "network", code: 1006, reason: "", name: "abnormal" });
    assert.equal(buffered.bytes, 0);
  });
});
