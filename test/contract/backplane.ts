// Long because it is one suite, published as one file: `unichannel/backplane-suite`.
// What the interface Backplane promises, sentence by sentence, for every implementation: ours, and yours. It needs a
// running broker (or none, where there is none) and knows nothing of it but what the harness says.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Backplane, BackplaneEntry, BackplaneListener, HistoryLimits } from "../../src/backplane/backplane.ts";

/** How the suite opens backplanes and disturbs their broker. */
export interface BackplaneHarness {
  /** One more process of the same cluster, connected. The suite closes it. */
  open(): Promise<Backplane>;
  /** Ends clients and processes that the harness has started. Called when all opened backplanes are closed. */
  close(): Promise<void>;
  /** How many entries beyond `HistoryLimits.size` a group may still have. @default 0 */
  readonly slack?: number;
  /** Puts something into the group's stream that no backplane wrote. Left out: only a backplane can write there. */
  pollute?(group: string): Promise<void>;
  /** Errors that the opened backplanes have reported so far. Read only where there is `pollute`. */
  readonly reports?: readonly unknown[];
  /**
   * A real process that enters a group, and is killed without notice. Resolves when it has entered. Left out: there is only this
   * process. Its sign of life must end well within a minute.
   */
  spawnMember?(group: string, key: string): Promise<{ kill(): Promise<void> }>;
}

const KEEP: HistoryLimits = { size: 10_000, ttlMs: 600_000 };
/** Far above what a condition needs on a busy machine. */
const PATIENCE_MS = 60_000;

/** Everything that somebody could call a group, or a member. */
const NAMES: readonly string[] = [
  ...[
    "",
    " ",
    ".",
    "..",
    "*",
    ">",
    "a.b",
    "a.*",
    "a.>",
    "{}",
    "{a}",
    "}{",
    "a b",
    "a\tb",
    "a\r\nb",
    "\0",
    "\x7f",
    "$JS",
    "+",
  ],
  ...[
    "A",
    "a",
    "ä",
    "a\u0308",
    "群",
    "🙂",
    "\ud83d",
    "\ude42",
    "\ufffd",
    "\ud800a",
    "a\udfff",
    "*0061",
    ":a",
    "w",
    "-1",
    "0",
  ],
  ...["__proto__", "constructor", "%00", "%2e", "YQ", "YQ==", "a/b", "a:b", "a,b", 'a"b', "a\\b"],
  ...["x".repeat(1024), `${"x".repeat(1023)}y`, "群".repeat(1024), "x".repeat(255), "x".repeat(256)],
];

/**
 * Registers the suite with node:test. `start` is called for each test and gives a cluster of its own, in which nothing
 * has been published. The clusters may share one broker: give each a prefix of its own.
 */
export function backplaneContract(
  name: string,
  start: () => Promise<BackplaneHarness>,
  { skip = false }: { readonly skip?: string | false } = {},
): void {
  /** A harness and some processes, closed at the end of the test. */
  async function cluster(t: TestContext, processes = 1): Promise<[BackplaneHarness, ...Backplane[]]> {
    const harness = await start();
    const opened: Backplane[] = [];
    // The backplanes first: they may hold connections of a client that the harness ends.
    t.after(async () => {
      await Promise.all(opened.map((backplane) => backplane.close())).finally(() => harness.close());
    });
    for (let i = 0; i < processes; i++) opened.unshift(await harness.open());
    return [harness, ...opened];
  }

  describe(`the backplane ${name}`, { skip }, () => {
    it("delivers what one process publishes in the order of its calls, to itself too", async (t) => {
      const [, a] = await cluster(t);
      const heard = new Recorder();
      await a!.subscribe("g", heard);
      const ids = await Promise.all(numbers(500).map((n) => a!.publish("g", bytes(n), KEEP)));
      await heard.until(500);
      assert.deepEqual(heard.texts, numbers(500));
      assert.deepEqual(heard.ids, ids);
    });

    it("shows two publishers' messages to all processes in one and the same order", async (t) => {
      const [, a, b, c] = await cluster(t, 3);
      const heard = [new Recorder(), new Recorder(), new Recorder()] as const;
      await Promise.all([a!.subscribe("g", heard[0]), b!.subscribe("g", heard[1]), c!.subscribe("g", heard[2])]);
      await Promise.all(
        numbers(500).flatMap((n) => [a!.publish("g", bytes(`a${n}`), KEEP), b!.publish("g", bytes(`b${n}`), KEEP)]),
      );
      for (const recorder of heard) await recorder.until(1000);
      // Bytes are equal whether they are a Buffer or not, which is the client's business.
      for (const other of heard.slice(1)) {
        assert.deepEqual(other.ids, heard[0].ids);
        assert.deepEqual(other.texts, heard[0].texts);
      }
      for (const publisher of ["a", "b"]) {
        const own = heard[0].texts.filter((text) => text.startsWith(publisher));
        assert.deepEqual(
          own,
          numbers(500).map((n) => publisher + n),
        );
      }
    });

    it("gives ids that grow, that compareIds orders and isId knows", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const ids: string[] = [];
      for (const n of numbers(20)) ids.push(await (Number(n) % 2 ? a! : b!).publish("g", bytes(n), KEEP));
      for (const [i, id] of ids.entries()) {
        assert.ok(b!.isId(id), id);
        for (const [j, other] of ids.entries()) {
          assert.equal(Math.sign(b!.compareIds(id, other)), Math.sign(i - j), `${id} and ${other}`);
        }
      }
    });

    it("takes no other text for an id", async (t) => {
      const [, a] = await cluster(t);
      const id = await a!.publish("g", bytes("x"), KEEP);
      const hostile = [
        ...[
          "",
          " ",
          "-",
          "+",
          "*",
          "$",
          ">",
          "^",
          "0-",
          "-0",
          "NaN",
          "Infinity",
          "null",
          "undefined",
          "__proto__",
          "🙂",
          "\ud800",
        ],
        ...["\0", "\n", "１-１", "1e3", "0x10", "1.5", "-1", "+1", "1 1", "9".repeat(1_000_000), `${"9".repeat(30)}-1`],
        ...[
          ` ${id}`,
          `${id} `,
          `${id}\n`,
          `${id}\0`,
          `${id}-`,
          `-${id}`,
          `${id}-1`,
          `${id}${"0".repeat(30)}`,
          `+${id}`,
        ],
      ];
      for (const text of hostile) {
        if (!a!.isId(text)) continue;
        // A text that looks like an id is unknown, and harmless.
        assert.equal(typeof a!.compareIds(text, id), "number", JSON.stringify(text));
        assert.deepEqual((await a!.history("g", text)).reset, true, JSON.stringify(text));
      }
      for (const text of ["", " ", "*", "$", ">", "+", "-", `${id}\n`, ` ${id}`, `${id}\0`])
        assert.equal(a!.isId(text), false);
    });

    it("subscribes exactly after the id that it returns, whatever is published meanwhile", async (t) => {
      const [, a, ...others] = await cluster(t, 4);
      const all: string[] = [];
      let isPublishing = true;
      const publishing = (async () => {
        for (let n = 0; isPublishing; n += 20) {
          const burst = Array.from({ length: 20 }, (_, i) => a!.publish("g", bytes(String(n + i)), KEEP));
          all.push(...(await Promise.all(burst)));
        }
      })();
      await until(() => all.length > 0, "the first entries");
      const rounds: { after: string | undefined; heard: Recorder }[] = [];
      for (let round = 0; round < 30; round++) {
        const subscriber = others[round % others.length]!;
        const heard = new Recorder();
        const after = await subscriber.subscribe("g", heard);
        if (round % 3 > 0) await heard.until(round * 5);
        await subscriber.unsubscribe("g");
        rounds.push({ after, heard });
      }
      await until(() => all.length >= 2000, "some thousand entries");
      isPublishing = false;
      await publishing;
      for (const { after, heard } of rounds) {
        const begin = after === undefined ? 0 : all.indexOf(after) + 1;
        assert.ok(after === undefined || begin > 0, "the returned id is that of an entry");
        assert.deepEqual(heard.ids, all.slice(begin, begin + heard.ids.length));
        assert.deepEqual(
          heard.texts,
          heard.ids.map((id) => String(all.indexOf(id))),
        );
      }
    });

    it("subscribes to a group without entries from its beginning, and says undefined", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const heard = new Recorder();
      assert.equal(await a!.subscribe("g", heard), undefined);
      await b!.publish("g", bytes("first"), KEEP);
      await heard.until(1);
      assert.deepEqual(heard.texts, ["first"]);
    });

    it("subscribes to many groups at once", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const groups = numbers(300).map((n) => `group ${n}`);
      const heard = await Promise.all(
        groups.map(async (group) => {
          const recorder = new Recorder();
          await a!.subscribe(group, recorder);
          return recorder;
        }),
      );
      await Promise.all(groups.map((group) => b!.publish(group, bytes(group), KEEP)));
      for (const [i, recorder] of heard.entries()) {
        await recorder.until(1);
        assert.deepEqual(recorder.texts, [groups[i]]);
      }
    });

    it("delivers nothing after unsubscribe was called, even from within the listener", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const witness = new Recorder();
      await b!.subscribe("g", witness);
      let isSubscribed = true;
      let late = 0;
      let ended: Promise<void> | undefined;
      const listener: BackplaneListener = {
        entry() {
          if (!isSubscribed) late += 1;
          isSubscribed = false;
          ended = a!.unsubscribe("g");
        },
        gap: () => assert.fail("no gap"),
      };
      await a!.subscribe("g", listener);
      await Promise.all(numbers(200).map((n) => b!.publish("g", bytes(n), KEEP)));
      await until(() => ended !== undefined, "the first entry");
      await ended;
      await b!.publish("g", bytes("last"), KEEP);
      await witness.until(201);
      assert.equal(late, 0);
    });

    it("takes a group up again after it was left, as a new subscription", async (t) => {
      const [, a, b] = await cluster(t, 2);
      for (let round = 0; round < 20; round++) {
        const before = new Recorder();
        await a!.subscribe("g", before);
        const leaving = a!.unsubscribe("g");
        const heard = new Recorder();
        const subscribed = a!.subscribe("g", heard);
        await Promise.all([leaving, subscribed]);
        await b!.publish("g", bytes(String(round)), KEEP);
        await heard.until(1);
        assert.deepEqual(heard.texts, [String(round)]);
        assert.deepEqual(before.texts, []);
        await a!.unsubscribe("g");
      }
    });

    it("forgets a subscription that was ended before it began", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const heard = new Recorder();
      const subscribing = a!.subscribe("g", heard);
      await a!.unsubscribe("g");
      await subscribing;
      const witness = new Recorder();
      await b!.subscribe("g", witness);
      await b!.publish("g", bytes("x"), KEEP);
      await witness.until(1);
      await a!.publish("g", bytes("y"), KEEP);
      await witness.until(2);
      assert.deepEqual(heard.texts, []);
    });

    it("returns all entries, or those after an id", async (t) => {
      const [, a, b] = await cluster(t, 2);
      assert.deepEqual(await a!.history("g"), { entries: [], reset: false });
      const ids: string[] = [];
      for (const n of numbers(30)) ids.push(await a!.publish("g", bytes(n), KEEP));
      const all = await b!.history("g");
      assert.equal(all.reset, false);
      assert.deepEqual(all.entries.map(textOf), numbers(30));
      assert.deepEqual(
        all.entries.map(({ id }) => id),
        ids,
      );
      for (const i of [0, 1, 15, 28, 29]) {
        const { entries, reset } = await b!.history("g", ids[i]!);
        assert.equal(reset, false, `after ${i}`);
        assert.deepEqual(entries.map(textOf), numbers(30).slice(i + 1));
      }
    });

    it("reports a reset for an unknown id, with all kept entries", async (t) => {
      const [, a] = await cluster(t);
      await a!.publish("g", bytes("one"), KEEP);
      let later = "";
      for (const n of numbers(10)) later = await a!.publish("other", bytes(n), KEEP);
      const { entries, reset } = await a!.history("g", later);
      assert.equal(reset, true);
      assert.deepEqual(entries.map(textOf), ["one"]);
      assert.equal((await a!.history("never heard of", later)).reset, true);
    });

    it("keeps as many entries as it was told, not many more, and says reset for an id before them", async (t) => {
      const [harness, a, b] = await cluster(t, 2);
      const keep = { size: 50, ttlMs: 600_000 };
      const total = 50 + 2 * (harness.slack ?? 0) + 50;
      const ids = await Promise.all(numbers(total).map((n) => a!.publish("g", bytes(n), keep)));
      const { entries, reset } = await b!.history("g");
      assert.equal(reset, false);
      assert.ok(entries.length >= 50 && entries.length <= 50 + (harness.slack ?? 0), `${entries.length} are kept`);
      assert.deepEqual(entries.map(textOf), numbers(total).slice(-entries.length));
      const old = await b!.history("g", ids[0]!);
      assert.equal(old.reset, true);
      assert.deepEqual(
        old.entries.map(({ id, payload }) => [id, textOf({ payload })]),
        entries.map(({ id, payload }) => [id, textOf({ payload })]),
      );
      const near = await b!.history("g", ids.at(-50)!);
      assert.equal(near.reset, false);
      assert.equal(near.entries.length, 49);
    });

    for (const most of [1000.5, 2 ** 60, 1e300, Number.POSITIVE_INFINITY]) {
      it(`keeps all entries and values where the limits are ${most}`, async (t) => {
        const [, a, b] = await cluster(t, 2);
        const keep = { size: most, ttlMs: most };
        for (const n of numbers(3)) await a!.publish("g", bytes(n), keep);
        assert.deepEqual((await b!.history("g")).entries.map(textOf), numbers(3));
        if (!hasLatest(a!) || !hasLatest(b!)) return;
        const of = { isRemoved: false, maxKeys: most, ttlMs: most };
        for (const key of numbers(3)) await a.publishLatest("v", bytes(key), keep, { ...of, key });
        assert.deepEqual((await b.latest("v")).map(textOf).sort(), numbers(3).sort());
      });
    }

    it("takes any text for a group, and keeps all of them apart", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const heard = new Map<string, Recorder>();
      for (const group of NAMES) {
        const recorder = new Recorder();
        heard.set(group, recorder);
        await a!.subscribe(group, recorder);
      }
      for (const [i, group] of NAMES.entries()) {
        await b!.publish(group, bytes(String(i)), KEEP);
        await b!.enter(group, { key: "k", payload: bytes(String(i)) });
      }
      for (const [i, group] of NAMES.entries()) {
        const what = JSON.stringify(group).slice(0, 40);
        await heard.get(group)!.until(1);
        assert.deepEqual(heard.get(group)!.texts, [String(i)], what);
        assert.deepEqual((await a!.history(group)).entries.map(textOf), [String(i)], what);
        assert.deepEqual((await a!.present(group)).map(textOf), [String(i)], what);
      }
    });

    it("carries any bytes: all values, none, many", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const heard = new Recorder();
      await a!.subscribe("g", heard);
      const big = new Uint8Array(300_000).map((_, i) => (i * 31) ^ (i >> 8));
      const whole = Uint8Array.from({ length: 1000 }, (_, i) => i);
      const payloads = [
        whole.slice(0, 256),
        new Uint8Array(0),
        big,
        bytes("\r\n$-1\r\n*0\r\n"),
        whole.subarray(500, 700),
      ];
      for (const payload of payloads) await b!.publish("g", payload, KEEP);
      await heard.until(payloads.length);
      const remembered = (await a!.history("g")).entries;
      for (const [i, payload] of payloads.entries()) {
        assert.deepEqual([...heard.entries[i]!.payload], [...payload]);
        assert.deepEqual([...remembered[i]!.payload], [...payload]);
      }
    });

    it("skips what others put into the stream, and reports it", async (t) => {
      const [harness, a] = await cluster(t);
      if (harness.pollute === undefined) return t.skip("nobody else can write there");
      const heard = new Recorder();
      await a!.subscribe("g", heard);
      await a!.publish("g", bytes("before"), KEEP);
      await harness.pollute("g");
      await a!.publish("g", bytes("after"), KEEP);
      await heard.until(2);
      assert.deepEqual(heard.texts, ["before", "after"]);
      assert.deepEqual((await a!.history("g")).entries.map(textOf), ["before", "after"]);
      assert.equal(heard.gaps, 0);
      assert.ok((harness.reports?.length ?? 0) > 0, "it is reported");
    });

    it("lists in every process the present members: entered, replaced and left", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const seen = async (group = "g"): Promise<string[][]> => {
        const [one, other] = [await a!.present(group), await b!.present(group)].map((members) =>
          members.map((member) => `${member.key}=${textOf(member)}`).sort(),
        );
        assert.deepEqual(one, other);
        return [one!];
      };
      assert.deepEqual(await seen(), [[]]);
      await a!.enter("g", { key: "ann", payload: bytes("1") });
      await b!.enter("g", { key: "bob", payload: bytes("") });
      await b!.enter("h", { key: "ann of h", payload: bytes("3") });
      assert.deepEqual(await seen(), [["ann=1", "bob="]]);
      await a!.enter("g", { key: "ann", payload: bytes("2") });
      assert.deepEqual(await seen(), [["ann=2", "bob="]]);
      await a!.leave("g", "ann");
      await a!.leave("g", "nobody");
      assert.deepEqual(await seen(), [["bob="]]);
      await b!.leave("g", "bob");
      assert.deepEqual(await seen(), [[]]);
      assert.deepEqual(await seen("h"), [["ann of h=3"]]);
    });

    it("goes on listing a member that was released, until another process has entered it and it leaves there", async (t) => {
      const [, a, b, c] = await cluster(t, 3);
      if (a!.release === undefined) return t.skip("it has no release: such a member leaves and comes back");
      const seen = async (): Promise<string[]> =>
        (await c!.present("g")).map((member) => `${member.key}=${textOf(member)}`);
      for (const key of ["ann", "bob"]) await a!.enter("g", { key, payload: bytes("1") });
      await a!.enter("other", { key: "carl", payload: bytes("") });
      assert.equal(a!.release("g", "nobody"), undefined);
      assert.equal(a!.release("nothing", "ann"), undefined);
      const from = a!.release("g", "ann");
      assert.equal(typeof from, "string");
      assert.deepEqual((await seen()).toSorted(), ["ann=1", "bob=1"]);
      await a!.close();
      assert.deepEqual(await seen(), ["ann=1"]);
      assert.deepEqual(await c!.present("other"), []);
      await b!.enter("g", { key: "ann", payload: bytes("2") }, from);
      await b!.enter("g", { key: "ann", payload: bytes("2") }, from);
      assert.deepEqual(await seen(), ["ann=2"]);
      await b!.leave("g", "ann");
      assert.deepEqual(await seen(), []);
    });

    it("replaces a record only for who knows its value, in one step for all processes", async (t) => {
      const [, a, b] = await cluster(t, 2);
      if (!hasRecords(a!) || !hasRecords(b!)) return t.skip("it has no records");
      assert.equal(await a.readRecord("r"), undefined);
      assert.equal(await a.swapRecord("r", bytes("x"), bytes("1")), false);
      assert.equal(await a.swapRecord("r", undefined, bytes("1")), true);
      assert.equal(await b.swapRecord("r", undefined, bytes("2")), false);
      assert.equal(textOf({ payload: (await b.readRecord("r"))! }), "1");
      assert.equal(await b.swapRecord("r", bytes("1"), bytes("2")), true);
      assert.equal(await a.swapRecord("r", bytes("1"), undefined), false);
      assert.equal(await a.swapRecord("r", bytes("2"), undefined), true);
      assert.equal(await b.readRecord("r"), undefined);
      assert.equal(await b.swapRecord("r", undefined, undefined), true);
      const count = async (of: Recording): Promise<void> => {
        for (let done = 0; done < 20; ) {
          const value = await of.readRecord("n");
          const next = value === undefined ? 1 : Number(textOf({ payload: value })) + 1;
          if (await of.swapRecord("n", value, bytes(String(next)))) done += 1;
        }
      };
      await Promise.all([count(a), count(a), count(b)]);
      assert.equal(textOf({ payload: (await a.readRecord("n"))! }), "60");
    });

    it("keeps the value of each key, in one order for all processes, and none that was removed", async (t) => {
      const [, a, b] = await cluster(t, 2);
      if (!hasLatest(a!) || !hasLatest(b!)) return t.skip("it keeps no last values");
      const of = { isRemoved: false, maxKeys: 1000, ttlMs: 600_000 };
      const values = async (from: Backplane & Valued, group = "g"): Promise<string[]> =>
        (await from.latest(group)).map(textOf).sort();
      assert.deepEqual(await values(a), []);
      const listening = new Recorder();
      await b.subscribe("g", listening);
      const first = await a.publishLatest("g", bytes("x 1"), KEEP, { ...of, key: "x" });
      await a.publishLatest("g", bytes("y 1"), KEEP, { ...of, key: "y" });
      await b.publishLatest("g", bytes("x 2"), KEEP, { ...of, key: "x" });
      await b.publish("g", bytes("no key"), KEEP);
      assert.deepEqual(await values(a), ["x 2", "y 1"]);
      assert.deepEqual(await values(a, "other"), []);
      await listening.until(4);
      assert.deepEqual(listening.texts, ["x 1", "y 1", "x 2", "no key"]);
      const ids = (await a.history("g")).entries.map(({ id }) => id);
      assert.deepEqual(
        (await b.latest("g")).map(({ id }) => ids.indexOf(id)).sort(),
        [1, 2],
        "with the ids that they have in the stream",
      );
      assert.equal((await a.history("g", first)).entries.length, 3);
      await a.publishLatest("g", bytes("x is gone"), KEEP, { ...of, key: "x", isRemoved: true });
      assert.deepEqual(await values(b), ["y 1"]);
      // Both write the same keys at once: of each, the last one in the order of the stream stays.
      const writing = Array.from({ length: 30 }, (_, n) =>
        (n % 2 === 0 ? a : b).publishLatest("g", bytes(`${n % 3} ${n}`), KEEP, { ...of, key: String(n % 3) }),
      );
      await Promise.all(writing);
      const kept = (await a.history("g")).entries.map(textOf);
      const last = ["0", "1", "2"].map((key) => kept.findLast((text) => text.startsWith(`${key} `))!);
      assert.deepEqual(await values(a), [...last, "y 1"].sort());
    });

    it("keeps values of any bytes and keys of any text, and drops those that are oldest when there are too many", async (t) => {
      const [, a, b] = await cluster(t, 2);
      if (!hasLatest(a!) || !hasLatest(b!)) return t.skip("it keeps no last values");
      const of = { isRemoved: false, maxKeys: 1000, ttlMs: 600_000 };
      const binary = Uint8Array.from({ length: 256 }, (_, n) => n);
      for (const key of NAMES) await a.publishLatest("any", bytes(`of ${key}`), KEEP, { ...of, key });
      await a.publishLatest("any", binary, KEEP, { ...of, key: "binary" });
      await a.publishLatest("any", new Uint8Array(), KEEP, { ...of, key: "nothing" });
      const found = await b.latest("any");
      assert.equal(found.length, NAMES.length + 2);
      assert.ok(found.some(({ payload }) => payload.length === 256 && [...payload].every((byte, n) => byte === n)));
      assert.ok(found.some(({ payload }) => payload.length === 0));
      for (let n = 0; n < 30; n++) {
        await a.publishLatest("many", bytes(String(n)), KEEP, { ...of, key: String(n), maxKeys: 10 });
        const kept: number[] = (await b.latest("many")).map(textOf).map(Number);
        assert.ok(kept.length <= 10);
        if (n < 10) assert.equal(kept.length, n + 1);
        else assert.ok(kept.length > 5);
        assert.deepEqual(
          kept.sort((x, y) => x - y),
          Array.from({ length: kept.length }, (_, i) => n - kept.length + 1 + i),
          "the newest",
        );
      }
    });

    it("lists all records, with any names and bytes, also while others are written and deleted", async (t) => {
      const [, a, b] = await cluster(t, 2);
      if (!hasRecords(a!) || !hasRecords(b!)) return t.skip("it has no records");
      const all = async (of: Recording): Promise<Map<string, string>> => {
        const found = new Map<string, string>();
        let from: string | undefined;
        do {
          const { records, next } = await (from === undefined ? of.listRecords() : of.listRecords(from));
          for (const { name, value } of records) found.set(name, textOf({ payload: value }));
          from = next;
        } while (from !== undefined);
        return found;
      };
      assert.equal((await all(a)).size, 0);
      const names = [...NAMES, ...numbers(1200).map((n) => `record ${n}`)];
      await Promise.all(names.map((name, i) => a.swapRecord(name, undefined, bytes(`v${i}`))));
      await whileChanging(
        async () => {
          await a.swapRecord("changing", undefined, bytes("x"));
          await a.swapRecord("changing", bytes("x"), undefined);
        },
        async () => {
          const found = await all(b);
          for (const [i, name] of names.entries())
            assert.equal(found.get(name), `v${i}`, JSON.stringify(name).slice(0, 40));
        },
      );
      const binary = Uint8Array.from({ length: 256 }, (_, i) => i);
      assert.equal(await a.swapRecord("binary", undefined, binary), true);
      assert.deepEqual([...(await b.readRecord("binary"))!], [...binary]);
    });

    it("lists all members, also while others enter and leave", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const keys = numbers(500).map(String);
      await Promise.all(keys.map((key) => a!.enter("g", { key, payload: bytes(`v${key}`) })));
      await whileChanging(
        async () => {
          await a!.enter("g", { key: "changing", payload: bytes("x") });
          await a!.leave("g", "changing");
        },
        async () => {
          const found = new Map((await b!.present("g")).map((member) => [member.key, textOf(member)]));
          for (const key of keys) assert.equal(found.get(key), `v${key}`);
        },
      );
      assert.equal((await b!.present("g")).length, keys.length);
    });

    it("reads the last value of every key, also while others are replaced and dropped", async (t) => {
      const [, a, b] = await cluster(t, 2);
      if (!hasLatest(a!) || !hasLatest(b!)) return t.skip("it keeps no last values");
      const keys = numbers(200).map(String);
      const of = { ttlMs: 60_000, isRemoved: false };
      for (const key of keys) await a.publishLatest("g", bytes(`v${key}`), KEEP, { ...of, key, maxKeys: 1000 });
      let n = 0;
      await whileChanging(
        async () => {
          // A group that is full drops its oldest values.
          n += 1;
          await a.publishLatest("full", bytes("x"), KEEP, { ...of, key: String(n), maxKeys: 5 });
          await a.publishLatest("g", bytes("x"), KEEP, { ...of, key: "changing", maxKeys: 1000 });
        },
        async () => {
          const found = (await b.latest("g")).map(textOf);
          for (const key of keys) assert.ok(found.includes(`v${key}`), key);
        },
      );
    });

    it("takes any text for a member's key", async (t) => {
      const [, a, b] = await cluster(t, 2);
      for (const [i, key] of NAMES.entries()) await a!.enter("g", { key, payload: bytes(String(i)) });
      const members = new Map((await b!.present("g")).map((member) => [member.key, textOf(member)]));
      assert.equal(members.size, NAMES.length);
      for (const [i, key] of NAMES.entries())
        assert.equal(members.get(key), String(i), JSON.stringify(key).slice(0, 40));
      for (const key of NAMES) await a!.leave("g", key);
      assert.deepEqual(await b!.present("g"), []);
    });

    it("takes a process that died without notice for gone, with its members", async (t) => {
      const [harness, a] = await cluster(t);
      if (harness.spawnMember === undefined) return t.skip("there is only this process");
      const child = await harness.spawnMember("g", "of the child");
      await a!.enter("g", { key: "of this one", payload: bytes("") });
      assert.deepEqual((await a!.present("g")).map(({ key }) => key).sort(), ["of the child", "of this one"]);
      await child.kill();
      await until(async () => (await a!.present("g")).length === 1, "the child's member is gone");
      assert.deepEqual(
        (await a!.present("g")).map(({ key }) => key),
        ["of this one"],
      );
    });

    it("closes: its members leave, it delivers and takes nothing more, others go on", async (t) => {
      const [, a, b] = await cluster(t, 2);
      const [heard, witness] = [new Recorder(), new Recorder()];
      await a!.subscribe("g", heard);
      await b!.subscribe("g", witness);
      await a!.enter("g", { key: "ann", payload: bytes("") });
      await a!.close();
      await a!.close();
      await b!.publish("g", bytes("x"), KEEP);
      await witness.until(1);
      assert.deepEqual(heard.texts, []);
      assert.deepEqual(await b!.present("g"), []);
      const refused = { code: "BACKPLANE_UNAVAILABLE" };
      await assert.rejects(a!.publish("g", bytes("y"), KEEP), refused);
      await assert.rejects(a!.history("g"), refused);
    });
  });
}

/** A backplane with the optional methods for records. */
type Valued = Required<Pick<Backplane, "publishLatest" | "latest">>;

type Recording = Backplane & Required<Pick<Backplane, "readRecord" | "swapRecord" | "listRecords">>;

function hasRecords(backplane: Backplane): backplane is Recording {
  return (
    backplane.readRecord !== undefined && backplane.swapRecord !== undefined && backplane.listRecords !== undefined
  );
}

function hasLatest(backplane: Backplane): backplane is Backplane & Valued {
  return backplane.publishLatest !== undefined && backplane.latest !== undefined;
}

/** A listener that writes down what it hears. */
class Recorder implements BackplaneListener {
  readonly entries: BackplaneEntry[] = [];
  gaps = 0;

  entry(entry: BackplaneEntry): void {
    this.entries.push(entry);
  }

  gap(): void {
    this.gaps += 1;
  }

  get texts(): string[] {
    return this.entries.map(textOf);
  }

  get ids(): string[] {
    return this.entries.map(({ id }) => id);
  }

  until(count: number): Promise<void> {
    return until(() => this.entries.length >= count, `${count} entries, of which ${this.entries.length} came`);
  }
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf({ payload }: { readonly payload: Uint8Array }): string {
  return new TextDecoder().decode(payload);
}

/** Calls `read` ten times, one after the other, and `change` again and again meanwhile. */
async function whileChanging(change: () => Promise<void>, read: () => Promise<void>): Promise<void> {
  let isOver = false;
  const changing = (async () => {
    while (!isOver) await change();
  })();
  try {
    for (let i = 0; i < 10; i++) await read();
  } finally {
    isOver = true;
    await changing;
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
