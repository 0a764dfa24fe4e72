// Long because it is one suite, published as one file: `unichannel/session-store-suite`.
// The promises of the interface SessionStore, sentence by sentence, for every implementation: ours, and yours. The suite needs a
// running broker (or none, for a store without one) and knows nothing of it but what the harness says.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { SessionStore, TakeResult } from "../../src/backplane/session-store.ts";

/** How the suite opens session stores and disturbs their broker. */
export interface SessionStoreHarness {
  /** One more process of the same service, connected. The suite closes its store. */
  open(): Promise<SessionStore>;
  /** Ends clients and processes that the harness has started. Called when all opened stores are closed. */
  close(): Promise<void>;
  /** Lets time pass at the broker. Left out: the suite waits. */
  pass?(ms: number): Promise<void>;
}

/** A harness whose broker can be away for a while: disconnected, frozen, or killed and started again. */
export interface AwayHarness extends SessionStoreHarness {
  /** Begins the absence. Resolves when nobody can reach the broker any more. */
  begin(): Promise<void>;
  /** Ends the absence. */
  end(): Promise<void>;
  /** True if the broker comes back without its records. @default false */
  readonly losesRecords?: boolean;
}

/** The options of `sessionStoreContract`. */
export interface SessionStoreContractOptions {
  /** The reason why the suite is skipped, for node:test. @default false */
  readonly skip?: string | false;
  /** Ways in which the broker can be away, by name. Each function gives a service of its own, as `start` does. @default none */
  readonly away?: Readonly<Record<string, () => Promise<AwayHarness>>>;
}

const TTL_MS = 600_000;
/** Far above what a condition needs on a busy machine. */
const PATIENCE_MS = 60_000;
/** Long enough to take a session before it expires, on a busy machine. */
const SHORT_MS = 3000;

/** Texts that could be a token or a process id. */
const NAMES: readonly string[] = [
  ...["", " ", ".", "..", "*", ">", "a.b", "a.*", "a.>", "{}", "{a}", "}{", "a b", "a\tb", "a\r\nb", "\0", "\x7f"],
  ...["$JS", "+", "A", "a", "ä", "a\u0308", "群", "🙂", "\ud83d", "\ude42", "\ufffd", "\ud800a", "a\udfff", "*0061"],
  ...[":a", "w", "-1", "0", "__proto__", "constructor", "%00", "%2e", "YQ", "YQ==", "a/b", "a:b", "a,b", 'a"b', "a\\b"],
  ...["x".repeat(1024), `${"x".repeat(1023)}y`, "群".repeat(1024), "x".repeat(255), "x".repeat(256)],
];

/**
 * Registers the suite with node:test. `start` is called for each test and gives a service of its own, which has no records. The
 * services may share one broker: give each a prefix of its own.
 */
export function sessionStoreContract(
  name: string,
  start: () => Promise<SessionStoreHarness>,
  { skip = false, away = {} }: SessionStoreContractOptions = {},
): void {
  /** A harness and some processes, closed at the end of the test. */
  async function service<H extends SessionStoreHarness = SessionStoreHarness>(
    t: TestContext,
    processes = 1,
    begin: () => Promise<SessionStoreHarness> = start,
  ): Promise<[H, ...SessionStore[]]> {
    const harness = (await begin()) as H;
    const opened: SessionStore[] = [];
    // The stores first: they may hold connections of a client that the harness ends.
    t.after(async () => {
      await Promise.all(opened.map((store) => store.close())).finally(() => harness.close());
    });
    for (let i = 0; i < processes; i++) opened.unshift(await harness.open());
    return [harness, ...opened];
  }

  const pass = (harness: SessionStoreHarness, ms: number): Promise<void> =>
    harness.pass === undefined ? delay(ms) : harness.pass(ms);

  describe(`the session store ${name}`, { skip }, () => {
    it("gives a stored session to the process that takes it, with the same bytes", async (t) => {
      const [, a, b] = await service(t, 2);
      const snapshot = Uint8Array.from({ length: 256 }, (_, i) => i);
      assert.equal(await a!.put("t", "A", snapshot, TTL_MS), true);
      assert.deepEqual(show(await b!.take("t", "B", { ttlMs: TTL_MS })), { type: "taken", snapshot: hex(snapshot) });
    });

    it("knows nothing of a session that was never stored", async (t) => {
      const [, a] = await service(t);
      assert.deepEqual(await a!.take("t", "A", { ttlMs: TTL_MS }), { type: "unknown" });
      assert.deepEqual(await a!.take("t", "A", { ttlMs: TTL_MS, from: "B" }), { type: "unknown" });
      assert.equal(await a!.claim("t", "A", TTL_MS), false);
      await a!.forget("t", "A");
      assert.deepEqual(await a!.take("t", "A", { ttlMs: TTL_MS }), { type: "unknown" });
    });

    it("answers a repeated move as it answered the first", async (t) => {
      const [, a, b] = await service(t, 2);
      const taken = { type: "taken", snapshot: hex(bytes("2")) };
      assert.equal(await a!.put("t", "A", bytes("1"), TTL_MS), true);
      assert.equal(await a!.put("t", "A", bytes("2"), TTL_MS), true);
      assert.deepEqual(show(await b!.take("t", "B", { ttlMs: TTL_MS })), taken);
      assert.deepEqual(show(await b!.take("t", "B", { ttlMs: TTL_MS })), taken);
      assert.equal(await b!.claim("t", "B", TTL_MS), true);
      assert.equal(await b!.claim("t", "B", TTL_MS), true);
      await b!.forget("t", "B");
      await b!.forget("t", "B");
      await a!.withdraw("A");
      await a!.withdraw("A");
    });

    it("tells a second process who has taken the session, and whether it has claimed it", async (t) => {
      const [, a, b, c] = await service(t, 3);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      await b!.take("t", "B", { ttlMs: TTL_MS });
      const owned = { type: "owned", owner: "B", isClaimed: false };
      assert.deepEqual(await c!.take("t", "C", { ttlMs: TTL_MS }), owned);
      assert.deepEqual(await c!.take("t", "C", { ttlMs: TTL_MS, from: "A" }), owned);
      assert.equal(await c!.claim("t", "C", TTL_MS), false);
      assert.equal(await b!.claim("t", "B", TTL_MS), true);
      const claimed = { type: "owned", owner: "B", isClaimed: true };
      assert.deepEqual(await c!.take("t", "C", { ttlMs: TTL_MS }), claimed);
      assert.deepEqual(await c!.take("t", "C", { ttlMs: TTL_MS, from: "B" }), claimed);
      assert.deepEqual(await b!.take("t", "B", { ttlMs: TTL_MS }), claimed);
      assert.deepEqual(await b!.take("t", "B", { ttlMs: TTL_MS, from: "B" }), claimed);
    });

    it("takes an unclaimed session from a process that is believed dead, which can then not claim it", async (t) => {
      const [, a, b, c] = await service(t, 3);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      await b!.take("t", "B", { ttlMs: TTL_MS });
      const taken = { type: "taken", snapshot: hex(bytes("1")) };
      assert.deepEqual(show(await c!.take("t", "C", { ttlMs: TTL_MS, from: "B" })), taken);
      assert.equal(await b!.claim("t", "B", TTL_MS), false);
      assert.equal(await b!.put("t", "B", bytes("late"), TTL_MS), false);
      await b!.forget("t", "B");
      assert.deepEqual(await b!.renew(["t"], "B", TTL_MS), ["t"]);
      assert.deepEqual(show(await c!.take("t", "C", { ttlMs: TTL_MS })), taken);
      assert.equal(await c!.claim("t", "C", TTL_MS), true);
      assert.equal(await b!.claim("t", "B", TTL_MS), false);
    });

    it("lets nobody claim a session that is stored and not taken", async (t) => {
      const [, a, b] = await service(t, 2);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      assert.equal(await a!.claim("t", "A", TTL_MS), false);
      assert.equal(await b!.claim("t", "B", TTL_MS), false);
      assert.equal((await b!.take("t", "B", { ttlMs: TTL_MS })).type, "taken");
    });

    it("stores a session again that its owner has taken or claimed, and refuses it from any other process", async (t) => {
      const [, a, b] = await service(t, 2);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      assert.equal(await b!.put("t", "B", bytes("foreign"), TTL_MS), false);
      await b!.take("t", "B", { ttlMs: TTL_MS });
      assert.equal(await a!.put("t", "A", bytes("foreign"), TTL_MS), false);
      assert.equal(await b!.put("t", "B", bytes("2"), TTL_MS), true);
      assert.deepEqual(textOf(await a!.take("t", "A2", { ttlMs: TTL_MS })), "2");
      assert.equal(await a!.claim("t", "A2", TTL_MS), true);
      assert.equal(await b!.put("t", "B", bytes("foreign"), TTL_MS), false);
      assert.equal(await a!.put("t", "A2", bytes("3"), TTL_MS), true);
      assert.deepEqual(textOf(await b!.take("t", "B2", { ttlMs: TTL_MS })), "3");
    });

    it("moves a session through a hundred processes", async (t) => {
      const [, a, b] = await service(t, 2);
      assert.equal(await a!.put("t", "0", bytes("0"), TTL_MS), true);
      for (let n = 1; n <= 100; n++) {
        const store = n % 2 === 0 ? a! : b!;
        assert.equal(textOf(await store.take("t", String(n), { ttlMs: TTL_MS })), String(n - 1));
        assert.equal(await store.claim("t", String(n), TTL_MS), true);
        assert.equal(await store.put("t", String(n), bytes(String(n)), TTL_MS), true);
      }
    });

    it("gives the session to one of two processes that ask at once, in each of 100 rounds", async (t) => {
      const [, a, b, c] = await service(t, 3);
      for (let round = 0; round < 100; round++) {
        const token = `round ${round}`;
        await a!.put(token, "A", bytes(token), TTL_MS);
        const options = { ttlMs: TTL_MS };
        const answers = await Promise.all([b!.take(token, "B", options), c!.take(token, "C", options)]);
        const [mine, other] = answers[0].type === "taken" ? answers : [answers[1], answers[0]];
        assert.equal(textOf(mine), token);
        const owner = mine === answers[0] ? "B" : "C";
        assert.deepEqual(other, { type: "owned", owner, isClaimed: false });
        const claims = await Promise.all([b!.claim(token, "B", TTL_MS), c!.claim(token, "C", TTL_MS)]);
        assert.deepEqual(claims, [owner === "B", owner === "C"]);
      }
    });

    it("lets either the claim or the taking from the claimer succeed, in each of 100 rounds", async (t) => {
      const [, a, b, c] = await service(t, 3);
      for (let round = 0; round < 100; round++) {
        const token = `round ${round}`;
        await a!.put(token, "A", bytes(token), TTL_MS);
        await b!.take(token, "B", { ttlMs: TTL_MS });
        const [isClaimed, answer] = await Promise.all([
          b!.claim(token, "B", TTL_MS),
          c!.take(token, "C", { ttlMs: TTL_MS, from: "B" }),
        ]);
        if (isClaimed) assert.deepEqual(answer, { type: "owned", owner: "B", isClaimed: true });
        else assert.equal(textOf(answer), token);
      }
    });

    it("stores the session of one of two processes that claim to have it, in each of 100 rounds", async (t) => {
      const [, a, b] = await service(t, 2);
      for (let round = 0; round < 100; round++) {
        const token = `round ${round}`;
        const stored = await Promise.all([
          a!.put(token, "A", bytes("A"), TTL_MS),
          b!.put(token, "B", bytes("B"), TTL_MS),
        ]);
        assert.equal(stored.filter(Boolean).length, 1, `${stored}`);
        assert.equal(textOf(await a!.take(token, "C", { ttlMs: TTL_MS })), stored[0] ? "A" : "B");
      }
    });

    it("forgets a session only for its owner", async (t) => {
      const [, a, b] = await service(t, 2);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      await b!.forget("t", "B");
      assert.equal((await b!.take("t", "B", { ttlMs: TTL_MS })).type, "taken");
      await a!.forget("t", "A");
      assert.equal(await b!.claim("t", "B", TTL_MS), true);
      await a!.forget("t", "A");
      assert.equal((await a!.take("t", "A", { ttlMs: TTL_MS })).type, "owned");
      await b!.forget("t", "B");
      assert.deepEqual(await a!.take("t", "A", { ttlMs: TTL_MS }), { type: "unknown" });
      assert.equal(await a!.put("t", "A", bytes("again"), TTL_MS), true);
    });

    it("forgets a stored, a taken and a claimed session when its time to live has passed, and not before", async (t) => {
      const [harness, a, b] = await service(t, 2);
      for (const token of ["stored", "taken", "claimed", "late"]) await a!.put(token, "A", bytes(token), TTL_MS);
      await a!.put("stored", "A", bytes("stored"), SHORT_MS);
      await b!.take("taken", "B", { ttlMs: SHORT_MS });
      await b!.take("late", "B", { ttlMs: SHORT_MS });
      await b!.take("claimed", "B", { ttlMs: TTL_MS });
      await b!.claim("claimed", "B", SHORT_MS);
      assert.equal((await a!.take("claimed", "A", { ttlMs: TTL_MS })).type, "owned");
      await pass(harness, SHORT_MS + 1000);
      for (const token of ["stored", "taken", "claimed"]) {
        assert.deepEqual(await a!.take(token, "C", { ttlMs: TTL_MS }), { type: "unknown" }, token);
      }
      assert.equal(await b!.claim("late", "B", TTL_MS), false);
      assert.equal(await a!.put("late", "A", bytes("new"), TTL_MS), true);
    });

    it("counts the time to live from the last move", async (t) => {
      const [harness, a, b] = await service(t, 2);
      await a!.put("t", "A", bytes("1"), SHORT_MS);
      await b!.take("t", "B", { ttlMs: TTL_MS });
      await a!.put("u", "A", bytes("1"), TTL_MS);
      await b!.take("u", "B", { ttlMs: SHORT_MS });
      await b!.claim("u", "B", TTL_MS);
      await a!.put("v", "A", bytes("1"), SHORT_MS);
      await a!.put("v", "A", bytes("2"), TTL_MS);
      await pass(harness, SHORT_MS + 1000);
      assert.equal((await b!.take("t", "B", { ttlMs: TTL_MS })).type, "taken");
      assert.equal((await a!.take("u", "A", { ttlMs: TTL_MS })).type, "owned");
      assert.equal(textOf(await a!.take("v", "C", { ttlMs: TTL_MS })), "2");
    });

    it("keeps claimed records alive that are renewed, and no others", async (t) => {
      const [harness, a, b] = await service(t, 2);
      const tokens = Array.from({ length: 300 }, (_, i) => `t${i}`);
      await Promise.all(
        tokens.map(async (token) => {
          await a!.put(token, "A", bytes("1"), TTL_MS);
          await b!.take(token, "B", { ttlMs: TTL_MS });
          await b!.claim(token, "B", TTL_MS);
        }),
      );
      await b!.claim(tokens[0]!, "B", SHORT_MS);
      await b!.claim(tokens[1]!, "B", SHORT_MS);
      assert.deepEqual(await b!.renew(tokens.slice(1), "B", TTL_MS), []);
      await pass(harness, SHORT_MS + 1000);
      assert.deepEqual(await a!.take(tokens[0]!, "A", { ttlMs: TTL_MS }), { type: "unknown" });
      for (const token of [tokens[1]!, tokens.at(-1)!]) {
        const owned = { type: "owned", owner: "B", isClaimed: true };
        assert.deepEqual(await a!.take(token, "A", { ttlMs: TTL_MS }), owned);
      }
    });

    it("writes the record of a claimed session again that was lost, and names the sessions of others", async (t) => {
      const [, a, b] = await service(t, 2);
      await a!.put("stored by me", "B", bytes("1"), TTL_MS);
      await a!.put("stored by another", "A", bytes("1"), TTL_MS);
      await a!.put("taken by another", "A", bytes("1"), TTL_MS);
      await a!.take("taken by another", "C", { ttlMs: TTL_MS });
      const tokens = ["lost", "stored by me", "stored by another", "taken by another"];
      const foreign = await b!.renew(tokens, "B", TTL_MS);
      assert.deepEqual([...foreign].sort(), ["stored by another", "taken by another"]);
      assert.deepEqual(await a!.take("lost", "A", { ttlMs: TTL_MS }), { type: "owned", owner: "B", isClaimed: true });
      assert.equal(textOf(await a!.take("stored by me", "A", { ttlMs: TTL_MS })), "1");
      assert.deepEqual(await b!.renew([], "B", TTL_MS), []);
    });

    it("knows the address of an announced process until it is withdrawn or its time has passed", async (t) => {
      const [harness, a, b] = await service(t, 2);
      assert.equal(await a!.locate("A"), undefined);
      await a!.announce("A", "unix:/tmp/a.sock", TTL_MS);
      await b!.announce("B", "host:1", SHORT_MS);
      await b!.announce("C", "host:2", SHORT_MS);
      assert.equal(await b!.locate("A"), "unix:/tmp/a.sock");
      assert.equal(await a!.locate("B"), "host:1");
      await b!.announce("B", "host:3", TTL_MS);
      assert.equal(await a!.locate("B"), "host:3");
      await pass(harness, SHORT_MS + 1000);
      assert.equal(await a!.locate("B"), "host:3");
      assert.equal(await a!.locate("C"), undefined);
      await b!.withdraw("B");
      assert.equal(await a!.locate("B"), undefined);
      await b!.withdraw("nobody");
      assert.equal(await b!.locate("A"), "unix:/tmp/a.sock");
    });

    it("gives all processes one secret, also if they ask at once", async (t) => {
      const [harness, a, b, c] = await service(t, 3);
      const secrets = await Promise.all([a!, b!, c!, a!].map((store) => store.secret()));
      const late = await harness.open();
      const fourth = await late.secret().finally(() => late.close());
      assert.equal(new Set([...secrets, fourth]).size, 1);
      assert.match(secrets[0]!, /^[\w-]{43}$/);
      const [, other] = await service(t);
      assert.notEqual(await other!.secret(), secrets[0]);
    });

    it("takes any text for a token, a process and an address, and keeps all of them apart", async (t) => {
      const [, a, b] = await service(t, 2);
      const what = (text: string): string => JSON.stringify(text).slice(0, 40);
      for (const text of NAMES) {
        assert.equal(await a!.put(text, text, bytes(what(text)), TTL_MS), true, what(text));
        await a!.announce(text, `at ${text}`, TTL_MS);
      }
      for (const text of NAMES) {
        assert.equal(textOf(await b!.take(text, text, { ttlMs: TTL_MS })), what(text));
        assert.equal(await b!.locate(text), `at ${text}`, what(text));
      }
      for (const text of NAMES) {
        const owned = { type: "owned", owner: text, isClaimed: false };
        assert.deepEqual(await a!.take(text, "other", { ttlMs: TTL_MS }), owned, what(text));
        assert.equal(await b!.claim(text, text, TTL_MS), true, what(text));
        assert.deepEqual(await b!.renew([text], text, TTL_MS), [], what(text));
      }
    });

    it("stores snapshots of any bytes: none, a megabyte, and 16 MiB", async (t) => {
      const [, a, b] = await service(t, 2);
      for (const length of [0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 16 * 1024 * 1024]) {
        const snapshot = patterned(length);
        const token = `${length} bytes`;
        assert.equal(await a!.put(token, "A", snapshot, TTL_MS), true, token);
        for (const taker of ["B", "C"]) {
          const answer = await b!.take(token, taker, { ttlMs: TTL_MS, from: "B" });
          assert.ok(answer.type === "taken" && Buffer.from(snapshot).equals(answer.snapshot), token);
        }
        assert.equal(await b!.claim(token, "C", TTL_MS), true, token);
        assert.equal(await b!.put(token, "C", snapshot.subarray(1), TTL_MS), true, token);
        const answer = await a!.take(token, "D", { ttlMs: TTL_MS });
        assert.ok(answer.type === "taken" && Buffer.from(snapshot.subarray(1)).equals(answer.snapshot), token);
        await a!.forget(token, "D");
      }
    });

    it("refuses a snapshot of more than 16 MiB", async (t) => {
      const [, a] = await service(t);
      const tooBig = new Uint8Array(16 * 1024 * 1024 + 1);
      await assert.rejects(a!.put("t", "A", tooBig, TTL_MS), { code: "MESSAGE_TOO_BIG" });
      assert.deepEqual(await a!.take("t", "A", { ttlMs: TTL_MS }), { type: "unknown" });
    });

    it("gives bytes of its own, which the taker may change", async (t) => {
      const [, a, b] = await service(t, 2);
      const snapshot = bytes("original");
      await a!.put("t", "A", snapshot, TTL_MS);
      snapshot.fill(0);
      for (let i = 0; i < 2; i++) {
        const answer = await b!.take("t", "B", { ttlMs: TTL_MS });
        assert.equal(textOf(answer), "original");
        if (answer.type === "taken") answer.snapshot.fill(0);
      }
    });

    it("stores 2,000 sessions that are given at once, and gives them all back", async (t) => {
      const [, a, b] = await service(t, 2);
      const tokens = Array.from({ length: 2000 }, (_, i) => `session ${i}`);
      const shared = patterned(1024);
      const stored = await Promise.all(tokens.map((token) => a!.put(token, "A", shared, TTL_MS)));
      assert.ok(stored.every(Boolean));
      const answers = await Promise.all(tokens.map((token) => b!.take(token, "B", { ttlMs: TTL_MS })));
      for (const answer of answers) assert.ok(answer.type === "taken" && Buffer.from(shared).equals(answer.snapshot));
    });

    it("refuses a time to live that is not above 0", async (t) => {
      const [, a] = await service(t);
      for (const ttlMs of [0, -1, Number.NaN, "1" as never]) {
        const bad = { code: "BAD_OPTION" };
        await assert.rejects(a!.put("t", "A", bytes("1"), ttlMs), bad);
        await assert.rejects(a!.take("t", "A", { ttlMs }), bad);
        await assert.rejects(a!.claim("t", "A", ttlMs), bad);
        await assert.rejects(a!.renew(["t"], "A", ttlMs), bad);
        await assert.rejects(a!.announce("A", "here", ttlMs), bad);
      }
      for (const ttlMs of [0.5, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
        assert.equal(await a!.put(`for ${ttlMs}`, "A", bytes("1"), ttlMs), true);
      }
      assert.equal((await a!.take("for Infinity", "B", { ttlMs: TTL_MS })).type, "taken");
    });

    for (const [way, startAway] of Object.entries(away)) {
      it(`rejects with BACKPLANE_UNAVAILABLE in bounded time, and works again afterwards: ${way}`, async (t) => {
        const [harness, a, b] = await service<AwayHarness>(t, 2, startAway);
        await a!.put("before", "A", bytes("before"), TTL_MS);
        await a!.put("claimed before", "A", bytes("before"), TTL_MS);
        await b!.take("claimed before", "B", { ttlMs: TTL_MS });
        await b!.claim("claimed before", "B", TTL_MS);
        const secret = await b!.secret();
        await harness.begin();
        for (let round = 0; round < 3; round++) {
          for (const [method, outcome] of await settle(callAll(b!))) {
            assert.equal(outcome, "BACKPLANE_UNAVAILABLE", method);
          }
        }
        await harness.end();
        await until(async () => (await settle(callAll(b!))).every(([, outcome]) => outcome === "settled"));
        // A process that knows the secret has written it again.
        assert.equal(await retried(() => a!.secret()), secret);
        assert.deepEqual(await retried(() => b!.renew(["claimed before"], "B", TTL_MS)), []);
        const owned = { type: "owned", owner: "B", isClaimed: true };
        assert.deepEqual(await retried(() => a!.take("claimed before", "A", { ttlMs: TTL_MS })), owned);
        const answer = await retried(() => a!.take("before", "C", { ttlMs: TTL_MS }));
        assert.equal(answer.type, harness.losesRecords === true ? "unknown" : "taken");
        const stored = await retried(() => a!.put("after", "A", bytes("after"), TTL_MS));
        assert.equal(stored, true);
        assert.equal(textOf(await retried(() => b!.take("after", "B", { ttlMs: TTL_MS }))), "after");
      });
    }

    it("rejects what is under way and what follows after it was closed", async (t) => {
      const [, a, b] = await service(t, 2);
      await a!.put("t", "A", bytes("1"), TTL_MS);
      const underWay = settle(callAll(a!));
      await a!.close();
      await underWay;
      for (const [method, outcome] of await settle(callAll(a!))) assert.equal(outcome, "BACKPLANE_UNAVAILABLE", method);
      await a!.close();
      await b!.put("u", "B", bytes("1"), TTL_MS);
      assert.equal((await b!.take("u", "C", { ttlMs: TTL_MS })).type, "taken");
    });
  });
}

/** Calls each method, with texts that no other test uses. */
function callAll(store: SessionStore): Record<string, Promise<unknown>> {
  return {
    put: store.put("called", "X", bytes("x"), TTL_MS),
    take: store.take("called too", "X", { ttlMs: TTL_MS }),
    claim: store.claim("called too", "X", TTL_MS),
    renew: store.renew(["called as well"], "X", TTL_MS),
    forget: store.forget("called as well", "X"),
    announce: store.announce("X", "x", TTL_MS),
    withdraw: store.withdraw("Y"),
    locate: store.locate("X"),
    secret: store.secret(),
    "a large put": store.put("called with much", "X", patterned(3_000_000), TTL_MS),
  };
}

/** Resolves to the outcome of each call: "settled", or its error's code. Fails if one takes far too long. */
function settle(calls: Record<string, Promise<unknown>>): Promise<(readonly [method: string, outcome: string])[]> {
  return Promise.all(
    Object.entries(calls).map(async ([method, call]) => {
      const abort = new AbortController();
      const late = delay(PATIENCE_MS, "late", { signal: abort.signal }).catch(() => "late");
      const outcome = await Promise.race([call.then(() => "settled", codeOf), late]);
      abort.abort();
      assert.notEqual(outcome, "late", `${method} does not settle`);
      return [method, String(outcome)] as const;
    }),
  );
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error);
}

async function retried<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    try {
      return await call();
    } catch (error) {
      if (codeOf(error) !== "BACKPLANE_UNAVAILABLE" || Date.now() > deadline) throw error;
      await delay(100);
    }
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await holds()); await delay(100)) {
    if (Date.now() > deadline) assert.fail("it does not work again");
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function patterned(length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 31) ^ (i >> 8));
}

function hex(snapshot: Uint8Array): string {
  return Buffer.from(snapshot).toString("hex");
}

/** The same answer, with its bytes as text: they may be a Buffer or not. */
function show(answer: TakeResult): object {
  return answer.type === "taken" ? { type: "taken", snapshot: hex(answer.snapshot) } : answer;
}

function textOf(answer: TakeResult): string {
  assert.equal(answer.type, "taken");
  return answer.type === "taken" ? Buffer.from(answer.snapshot).toString() : "";
}
