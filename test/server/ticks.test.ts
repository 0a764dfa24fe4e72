// The server's tick, by a clock that the test moves: how late a timeout comes, and that a tick that throws, or ends very many
// connections, does not harm the others.

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { implementationOf } from "../../src/channel/public-channel.ts";
import { type Handler, type ServeOptions, withChannel } from "../../src/index.ts";
import { MemoryEngine } from "../../src/testing/memory-engine.ts";
import { MemoryNetwork } from "../../src/testing/network.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { request } from "../support/serving.ts";
import { until } from "../support/wait.ts";

interface Site {
  readonly server: MemoryEngine;
  readonly clock: VirtualClock;
  readonly reports: unknown[];
  connect(): Client;
}

interface Client {
  readonly socket: Duplex;
  readonly text: () => string;
  readonly isClosed: () => boolean;
}

function ticking(t: TestContext, handler: Handler, options: ServeOptions): Site {
  const clock = new VirtualClock();
  const reports: unknown[] = [];
  const onError = (error: unknown): void => void reports.push(error);
  const server = new MemoryEngine(handler, { onError, ...options }, { clock, url: "http://ticks.example" });
  const network = new MemoryNetwork(
    clock,
    (socket) => server.accept(socket),
    () => true,
  );
  const awake = setInterval(() => {}, 60_000);
  t.after(async () => {
    const stopped = server.stop({ graceMs: 0 });
    // The end of the grace is a timer, too.
    while (server.status !== "stopped") {
      await new Promise(setImmediate);
      clock.advance(100);
    }
    await stopped;
    clearInterval(awake);
  });
  const connect = (): Client => {
    const socket = network.connect(undefined) as unknown as Duplex;
    let text = "";
    let isClosed = false;
    socket.on("data", (bytes) => (text += String(bytes)));
    socket.on("end", () => (isClosed = true));
    socket.on("close", () => (isClosed = true));
    socket.on("error", () => {});
    return { socket, text: () => text, isClosed: () => isClosed };
  };
  return { server, clock, reports, connect };
}

/** Lets time pass in steps; the event loop has its turns between them. Returns after how long `isTrue` was true. */
async function after(clock: VirtualClock, isTrue: () => boolean, most: number): Promise<number> {
  for (let ms = 0; ; ms += 100) {
    for (let turns = 0; turns < 8; turns++) await new Promise(setImmediate);
    if (isTrue() || ms >= most) return ms;
    clock.advance(100);
  }
}

describe("a timeout", () => {
  for (const ms of [100, 700, 1000, 1500, 2300, 2999]) {
    it(`a timeout of ${ms} ms fires at most a second late and never early: between requests, in a head, in a body`, async (t) => {
      const limits = { keepAliveTimeoutMs: ms, headerTimeoutMs: ms, requestTimeoutMs: ms };
      const site = ticking(t, async (r) => String((await r.bytes()).length), limits);
      for (const [first, isOver] of [
        [request("GET /"), (client: Client) => client.isClosed()],
        ["GET / HT", (client: Client) => client.text().startsWith("HTTP/1.1 408")],
        [request("POST /\r\nContent-Length: 9", "a"), (client: Client) => client.text().startsWith("HTTP/1.1 408")],
      ] as const) {
        const client = site.connect();
        client.socket.write(first);
        await until(() => site.server.stats().connections > 0, "it is connected");
        const late = await after(site.clock, () => isOver(client), ms + 5000);
        assert.ok(late >= ms && late <= ms + 1000, `${late} ms`);
        client.socket.destroy();
      }
    });
  }

  it("grants a body a second more for each KiB that has come", async (t) => {
    const site = ticking(t, async (r) => String((await r.bytes()).length), { requestTimeoutMs: 5000 });
    const client = site.connect();
    client.socket.write(request("POST /\r\nContent-Length: 100000", "x".repeat(20 * 1024)));
    await until(() => site.server.stats().requests === 1, "it is read");
    const late = await after(site.clock, () => client.text() !== "", 60_000);
    assert.match(client.text(), /^HTTP\/1\.1 408 /);
    assert.ok(late >= 25_000 && late <= 26_000, `${late} ms`);
  });

  it("grants a body that trickles no more time", async (t) => {
    const site = ticking(t, async (r) => String((await r.bytes()).length), { requestTimeoutMs: 5000 });
    const client = site.connect();
    client.socket.write(request("POST /\r\nContent-Length: 100000", "x"));
    await until(() => site.server.stats().requests === 1, "it is read");
    let late = 0;
    while (client.text() === "" && late < 60_000) {
      client.socket.write("x");
      late += await after(site.clock, () => client.text() !== "", 500);
    }
    assert.ok(late >= 5000 && late <= 6000, `${late} ms`);
  });
});

describe("a tick", () => {
  it("reports an exception of one connection, and all timeouts go on", async (t) => {
    const channels: object[] = [];
    const handler: Handler = (r) => withChannel(r, (channel) => void channels.push(channel));
    const site = ticking(t, handler, { keepAliveTimeoutMs: 2000, headerTimeoutMs: 2000 });
    site.connect().socket.write(request("GET /"));
    await until(() => channels.length === 1, "its channel is open");
    Object.assign(implementationOf(channels[0])!, {
      tick() {
        throw new Error("of a tick");
      },
    });
    const other = site.connect();
    other.socket.write("GET / HT");
    await after(site.clock, () => other.text() !== "", 10_000);
    assert.match(other.text(), /^HTTP\/1\.1 408 /);
    assert.ok(site.reports.length > 0 && site.reports.every((error) => /of a tick/.test(String(error))));
    const third = site.connect();
    third.socket.write("GET / HT");
    await after(site.clock, () => third.text() !== "", 10_000);
    assert.match(third.text(), /^HTTP\/1\.1 408 /);
  });

  it("lets the event loop turn while it ends many connections", async (t) => {
    const count = 1000;
    const site = ticking(t, () => "x", { keepAliveTimeoutMs: 2000 });
    const clients = Array.from({ length: count }, () => site.connect());
    for (const { socket } of clients) socket.write(request("GET /"));
    await until(() => site.server.stats().requests === count, "all were answered");
    // How many have ended at each turn of the event loop.
    const steps: number[] = [];
    let isWatching = true;
    const watch = (): void => {
      steps.push(clients.filter(({ isClosed }) => isClosed()).length);
      if (isWatching) setImmediate(watch);
    };
    setImmediate(watch);
    await after(site.clock, () => clients.every(({ isClosed }) => isClosed()), 10_000);
    isWatching = false;
    const most = Math.max(...steps.map((ended, i) => ended - (steps[i - 1] ?? 0)));
    assert.ok(most <= count / 4, `${most} of ${count} ended in one turn`);
    assert.ok(clients.every(({ isClosed }) => isClosed()));
  });
});
