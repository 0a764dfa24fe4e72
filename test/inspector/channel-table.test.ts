// The tables of an inspector have limits: whatever clients do, its memory is bounded.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BaseServer, Channel, ChannelRequest } from "../../src/index.ts";
import { MAX_EVENTS } from "../../src/inspector/channel-record.ts";
import { ChannelTable, MAX_ENDED, MAX_TIMELINES } from "../../src/inspector/channel-table.ts";
import { CpuBudget, MAX_WAIT_MS } from "../../src/inspector/cpu-budget.ts";
import { Ring } from "../../src/inspector/ring.ts";
import { closeStatus } from "../../src/transport/close-status.ts";
import { collector } from "../support/collector.ts";
import { MemoryChannel } from "../support/memory-channel.ts";

interface TestTable {
  readonly table: ChannelTable;
  open(): Channel;
  end(channel: Channel): void;
}

const SERVER = {} as BaseServer;

function newTable(): TestTable {
  let now = 0;
  const table = new ChannelTable(
    () => (now += 1),
    () => {},
  );
  const request = { path: "/x", remoteAddress: "192.0.2.1" } as ChannelRequest;
  return {
    table,
    open() {
      const { channel } = new MemoryChannel();
      table.channelOpened({ server: SERVER, channel, request });
      return channel;
    },
    end: (channel) =>
      table.channelClosed({ server: SERVER, channel, status: closeStatus("client", 1000), durationMs: 1 }),
  };
}

describe("the table of channels", () => {
  it("keeps as many events of a channel as it may, and says how many are gone", () => {
    const { table, open } = newTable();
    const channel = open();
    for (let i = 0; i < MAX_EVENTS; i++) table.tell(channel, "error", `${i}`);
    const { events } = table.find(channel.id)!;
    assert.deepEqual([events!.latest().length, events!.left], [MAX_EVENTS, 0]);
    table.tell(channel, "error", "one more");
    assert.deepEqual([events!.latest().length, events!.left], [MAX_EVENTS, 1]);
    for (let i = 0; i < 3 * MAX_EVENTS; i++) table.tell(channel, "error", `${i}`);
    assert.deepEqual([events!.latest().length, events!.left], [MAX_EVENTS, 3 * MAX_EVENTS + 1]);
    assert.equal(events!.latest().at(-1)!.text, `${3 * MAX_EVENTS - 1}`);
  });

  it("keeps the beginning of a long error, not all of it", () => {
    const { table, open } = newTable();
    const channel = open();
    const collect = collector();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 50; i++) {
      const error = new Error(`${i} ${Buffer.alloc(1_000_000, "x").toString("latin1")}`);
      table.failed({ server: SERVER, error, source: "message", channel });
    }
    collect();
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < 10_000_000, `${grown} bytes`);
  });

  it("keeps as many timelines as it may: that whose last event is oldest goes first", () => {
    const { table, open } = newTable();
    const channels = Array.from({ length: MAX_TIMELINES + 1 }, open);
    for (const channel of channels.slice(0, -1)) table.tell(channel, "error", "x");
    table.tell(channels[0]!, "error", "again");
    const has = (index: number): boolean => table.find(channels[index]!.id)!.events !== undefined;
    assert.deepEqual([has(0), has(1)], [true, true]);
    table.tell(channels.at(-1)!, "error", "x");
    assert.deepEqual([has(0), has(1), has(2), has(MAX_TIMELINES)], [true, false, true, true]);
  });

  it("keeps as many ended channels as it may, and no channel object of them", () => {
    const { table, open, end } = newTable();
    const channels = Array.from({ length: MAX_ENDED + 1 }, open);
    for (const channel of channels.slice(0, -1)) end(channel);
    assert.equal([...table.ended()].length, MAX_ENDED);
    assert.equal(table.find(channels[0]!.id)!.channel, undefined);
    end(channels.at(-1)!);
    assert.equal([...table.ended()].length, MAX_ENDED);
    assert.equal(table.find(channels[0]!.id), undefined);
    assert.notEqual(table.find(channels[1]!.id), undefined);
    assert.equal(table.size, 0);
  });
});

describe("the budget of CPU time", () => {
  /** Takes that much CPU time. */
  const spin = (ms: number): void => {
    const before = process.cpuUsage();
    for (;;) {
      const { user, system } = process.cpuUsage(before);
      if (user + system >= ms * 1000) return;
    }
  };

  it("has some for work at once, and then makes work wait until it is 2 % of the time", () => {
    let now = 0;
    const budget = new CpuBudget(() => now);
    assert.equal(budget.waitMs, 0);
    budget.run(() => spin(110));
    const { waitMs } = budget;
    assert.ok(waitMs >= 500 && waitMs < MAX_WAIT_MS, `${waitMs}`);
    now += waitMs + 1;
    assert.equal(budget.waitMs, 0);
  });

  it("counts work that throws, and never makes the next wait longer than it may", () => {
    const budget = new CpuBudget(() => 0);
    const fail = (): void =>
      budget.run(() => {
        spin(350);
        throw new Error("x");
      });
    assert.throws(fail, /x/);
    assert.equal(Math.round(budget.waitMs), MAX_WAIT_MS);
  });
});

describe("a ring", () => {
  it("has the latest items, and counts the others", () => {
    const ring = new Ring<number>(3);
    for (let i = 1; i <= 10; i++) {
      ring.push(i);
      assert.deepEqual(
        ring.latest(),
        [i - 2, i - 1, i].filter((one) => one > 0),
      );
      assert.equal(ring.left, Math.max(0, i - 3));
    }
  });
});
