// The times and numbers of the way of a request to its session, each from both sides.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { memorySessions, openSession, type SessionStore } from "../../../src/index.ts";
import { ExchangeServer } from "../../../src/server/exchange-server.ts";
import { ProcessDirectory } from "../../../src/server/relay/process-directory.ts";
import { unixAddress } from "../../../src/server/relay/relay-address.ts";
import { RelayedRequest, type RelayOutcome } from "../../../src/server/relay/relayed-request.ts";
import { SessionService } from "../../../src/server/relay/session-service.ts";
import { encodeSnapshot } from "../../../src/session/snapshot.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryExchange } from "../../support/memory-exchange.ts";
import { serving, socketPath } from "../../support/serving.ts";
import { poll } from "../../support/session-client.ts";

const PROCESS = "AAAAAAAAAAA";
const TOKEN = `${PROCESS}.AAAAAAAAAAAAAAAAAAAAAA`;

const SNAPSHOT: Uint8Array = encodeSnapshot({
  token: TOKEN,
  identity: undefined,
  path: "/s",
  maxMessageBytes: 1000,
  resumeMs: 60_000,
  parkMs: 25_000,
  heartbeatMs: 25_000,
  kind: "poll",
  attempt: undefined,
  expiresAt: undefined,
  acknowledged: 0,
  received: 0,
  kept: [],
  cursors: undefined,
  requests: undefined,
  takenAtClose: undefined,
  inbox: [],
  attachment: undefined,
  memberships: [],
  state: undefined,
});

interface Running {
  readonly server: ExchangeServer;
  readonly process: SessionService;
  /** The session store of another process. */
  readonly other: SessionStore;
  readonly clock: VirtualClock;
}

/** A process of a service in virtual time. `storeClock`: the clock of the session store. */
function service(clock = new VirtualClock(), storeClock = clock): Running {
  const sessions = memorySessions({ clock: storeClock });
  const server = new ExchangeServer((request) => openSession(request, {}), {}, { clock });
  const process = new SessionService(server, { store: sessions.share(), relay: undefined, memberships: undefined });
  server.service = process;
  return { server, process, other: sessions.share(), clock };
}

/** Lets everything happen that needs no time. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
}

describe("a session that was taken from the store, and that no request opens,", () => {
  it("stays for 10 seconds, and goes back to the store then", async () => {
    const { server, process, other, clock } = service();
    await other.put(TOKEN, PROCESS, SNAPSHOT, 120_000);
    // A request of another path: its handler cannot open the session.
    new MemoryExchange(server, `/other?mode=poll&session=${TOKEN}&after=0`);
    await settled();
    assert.equal(process.placeOf(TOKEN), "here");
    clock.advance(9999);
    await settled();
    assert.equal(process.placeOf(TOKEN), "here");
    assert.deepEqual(await other.take(TOKEN, "third", { ttlMs: 1000 }), {
      type: "owned",
      owner: process.process,
      isClaimed: false,
    });
    clock.advance(1);
    await settled();
    assert.equal(process.placeOf(TOKEN), "elsewhere");
    assert.equal((await other.take(TOKEN, "third", { ttlMs: 1000 })).type, "taken");
    assert.equal(clock.pending, 0);
  });

  it("leaves no timer behind when it is opened and claimed, or when its process stops", async () => {
    for (const end of ["claim", "stop"] as const) {
      const { process, other, clock } = service();
      await other.put(TOKEN, PROCESS, SNAPSHOT, 120_000);
      await other.take(TOKEN, process.process, { ttlMs: 120_000 });
      process.restore(TOKEN, SNAPSHOT);
      assert.equal(clock.pending, 1);
      if (end === "claim") assert.equal(await process.claim(TOKEN), true);
      else await process.stop();
      await settled();
      // The one that is left renews the claim.
      assert.equal(clock.pending, end === "claim" ? 1 : 0, end);
    }
  });
});

describe("the lease of a session that was taken", () => {
  for (const [ms, isOurs] of [
    [119_999, true],
    [120_000, false],
  ] as const) {
    it(`${isOurs ? "lets" : "does not let"} its process claim it after ${ms} ms`, async () => {
      // The time of the process stands still: it would put a session back that nobody opens.
      const storeClock = new VirtualClock();
      const { server, process, other } = service(new VirtualClock(), storeClock);
      await other.put(TOKEN, PROCESS, SNAPSHOT, 1000);
      new MemoryExchange(server, `/other?mode=poll&session=${TOKEN}&after=0`);
      await settled();
      assert.equal(process.placeOf(TOKEN), "here");
      storeClock.advance(ms);
      assert.equal(await process.claim(TOKEN), isOurs);
    });
  }
});

describe("a request whose session moves from process to process", () => {
  for (const [moves, status] of [
    [2, 200],
    [3, 503],
  ] as const) {
    it(`gets ${status} if the store names ${moves} others before it has the session: the process of the token and three owners are asked`, async (t) => {
      const sessions = memorySessions().share();
      const asked: string[] = [];
      let takes = 0;
      const store: SessionStore = Object.assign(sessions, {
        async locate(process: string): Promise<undefined> {
          asked.push(process);
        },
        async take() {
          takes += 1;
          if (takes > moves) return { type: "taken", snapshot: SNAPSHOT } as const;
          return { type: "owned", owner: `owner ${takes}`, isClaimed: true } as const;
        },
      });
      const site = await serving(t, (request) => openSession(request, {}), { sessions: store });
      const answer = await poll(t, { ...site.target, pathname: "/s" }, { session: TOKEN, after: 0, park: 0 });
      assert.equal(answer.status, status);
      const owners = Array.from({ length: moves }, (_, i) => `owner ${i + 1}`);
      assert.deepEqual(asked, [PROCESS, ...owners]);
    });
  }
});

describe("a process that is asked for a session", () => {
  it("has 2 seconds to begin its answer", async (t) => {
    const path = socketPath(t);
    const silent = createServer((socket) => void accepted.push(socket)).listen(path);
    const accepted: Socket[] = [];
    t.after(() => {
      for (const socket of accepted) socket.destroy();
      silent.close();
    });
    await once(silent, "listening");
    const store = memorySessions().share();
    await store.announce(PROCESS, unixAddress(path), 10_000);
    const { server, clock } = service();
    const directory = new ProcessDirectory({ store, clock, report: assert.ifError });
    const target = await directory.find(PROCESS);
    assert.ok(typeof target === "function");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const exchange = new MemoryExchange(server, "/s");
    const outcomes: RelayOutcome[] = [];
    void new RelayedRequest(exchange, () => {}).ask(target(exchange)).then((outcome) => outcomes.push(outcome));
    while (accepted.length === 0) await new Promise(setImmediate);
    t.mock.timers.tick(1999);
    await settled();
    assert.deepEqual(outcomes, []);
    t.mock.timers.tick(1);
    await settled();
    assert.deepEqual(outcomes, ["silent"]);
  });
});
