// A beat that comes late, since the process was busy or suspended: what clients sent meanwhile is read first.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { openChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

interface Stall {
  /** Beats as if nothing had been read for `ms`. */
  beatAfter(ms: number): void;
  /** Beats now. */
  beat(): void;
}

/** Of the server that is made next: the process seems to stand still, while the system takes what clients send. */
function stalling(t: TestContext): Stall {
  const { now, setTimer } = systemClock;
  let passed = 0;
  let beat: (() => void) | undefined;
  t.mock.method(systemClock, "now", () => now() + passed);
  t.mock.method(systemClock, "setTimer", (fn: () => void, delayMs: number) => {
    // The first timer that a server sets is its beat, and no other one comes as often.
    if (delayMs === 500) beat = fn;
    return setTimer(fn, delayMs);
  });
  return {
    beat: () => beat!(),
    beatAfter(ms) {
      passed += ms;
      beat!();
    },
  };
}

describe("a beat that is late", () => {
  it("reads a request that came in time before its connection is ended for its silence", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, () => "ok", { keepAliveTimeoutMs: 10_000 });
    const client = await site.connect();
    await until(() => site.server.stats().connections === 1, "it is accepted");
    stall.beat();
    // From a timer, as the server's own: the system is asked for what came before what was put off runs.
    await turn();
    client.write(request("GET /"));
    stall.beatAfter(30_000);
    assert.equal((await client.response()).text, "ok");
  });

  it("ends a connection whose client was silent all the time", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, () => "ok", { keepAliveTimeoutMs: 10_000 });
    const client = await site.connect();
    await until(() => site.server.stats().connections === 1, "it is accepted");
    stall.beat();
    stall.beatAfter(30_000);
    await client.ended();
  });

  it("hears a WebSocket's answer to a ping before the connection is taken for lost", async (t) => {
    const stall = stalling(t);
    const site = await serving(t, (r) => openChannel(r, { receive: (message, channel) => void channel.send(message) }));
    const socket = await WsClient.open(t, site.target);
    socket.send("first");
    assert.equal(await socket.message(), "first");
    stall.beat();
    stall.beatAfter(30_000);
    // It was silent for longer than pingIntervalMs.
    await until(() => socket.raw.peek().length > 0, "the ping came");
    await turn();
    socket.send("second");
    stall.beatAfter(60_000);
    assert.equal(await socket.message(), "second");
    assert.equal(site.server.stats().channels.websocket, 1);
  });
});
