// A tick that comes late, because the process was busy or suspended: it reads first what clients sent meanwhile.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { openChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

interface Stall {
  /** Ticks as if nothing had been read for `ms`. */
  tickAfter(ms: number): void;
  /** Ticks now. */
  tick(): void;
}

/** For the server that is started next: the process seems to stand still, while the system takes what clients send. */
function stalling(t: TestContext): Stall {
  const { now, setTimer } = systemClock;
  let passed = 0;
  let tick: (() => void) | undefined;
  t.mock.method(systemClock, "now", () => now() + passed);
  t.mock.method(systemClock, "setTimer", (fn: () => void, delayMs: number) => {
    // The first timer that a server sets is its tick, and no other one comes as often.
    if (delayMs === 500) tick = fn;
    return setTimer(fn, delayMs);
  });
  return {
    tick: () => tick!(),
    tickAfter(ms) {
      passed += ms;
      tick!();
    },
  };
}

describe("a tick that is late", () => {
  it("reads a request that came in time before its connection is ended for its silence", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, () => "ok", { keepAliveTimeoutMs: 10_000 });
    const client = await site.connect();
    await until(() => site.server.stats().connections === 1, "it is accepted");
    stall.tick();
    // From a timer, as the server's own: the system is asked for what came before what was put off runs.
    await turn();
    client.write(request("GET /"));
    stall.tickAfter(30_000);
    assert.equal((await client.response()).text, "ok");
  });

  it("ends a connection whose client has sent nothing", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, () => "ok", { keepAliveTimeoutMs: 10_000 });
    const client = await site.connect();
    await until(() => site.server.stats().connections === 1, "it is accepted");
    stall.tick();
    stall.tickAfter(30_000);
    await client.ended();
  });

  it("accepts a WebSocket's answer to a ping before it considers the connection lost", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, (r) => openChannel(r, { message: (message, channel) => void channel.send(message) }));
    const socket = await WsClient.open(t, site.target);
    socket.send("first");
    assert.equal(await socket.message(), "first");
    stall.tick();
    stall.tickAfter(30_000);
    // It was silent for longer than pingIntervalMs.
    await until(() => socket.raw.peek().length > 0, "the ping came");
    await turn();
    socket.send("second");
    stall.tickAfter(60_000);
    assert.equal(await socket.message(), "second");
    assert.equal(site.server.stats().channels.websocket, 1);
  });
});
