// Faults of a broker and of the network before it, as one suite for all brokers: real servers that are killed, paused, cut off
// and emptied while messages are published. Every message has a number, and all of them are checked.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Backplane, BackplaneListener, HistoryLimits } from "../../src/backplane/backplane.ts";
import type { Broker } from "../support/broker.ts";
import { BROKER_KITS, type BrokerName, type KitOptions, type OpenedBackplane } from "../support/broker-kits.ts";
import type { ProcessOrder, ProcessReport } from "../support/cluster-process.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const KEEP: HistoryLimits = { size: 100_000, ttlMs: 600_000 };
const PATIENCE_MS = 60_000;
/** Whose connection nothing happens to: it fails only with the test. */
const UNDISTURBED = { timeoutMs: PATIENCE_MS };

export function brokerFaults(name: BrokerName, skip: string | false): void {
  const kit = BROKER_KITS[name];

  async function startBroker(
    t: TestContext,
  ): Promise<[Broker, (options?: KitOptions & { readonly port?: number }) => Promise<Backplane>]> {
    const broker = await kit.start();
    const opened: OpenedBackplane[] = [];
    t.after(async () => {
      for (const one of opened) await one.close();
      await broker.stop();
    });
    return [
      broker,
      async ({ port = broker.port, ...options } = {}) => {
        const one = await kit.open(port, options);
        opened.push(one);
        return one.backplane;
      },
    ];
  }

  describe(`a backplane whose broker (${name})`, { skip }, () => {
    it("is killed and started again loses nothing that was confirmed, in three real processes", async (t) => {
      if (!kit.keepsData) return t.skip("it keeps nothing on a disk");
      const [broker] = await startBroker(t);
      const children = await Promise.all(
        ["a", "b", "c"].map((child) => startProcess(t, { broker: name, port: broker.port, name: child, processes: 3 })),
      );
      for (const child of children) child.begin();
      await delay(500);
      for (let round = 0; round < 2; round++) {
        await broker.kill();
        await delay(300);
        await broker.start();
        // Long enough for all to be back, and to publish again.
        await delay(2500);
      }
      const reports = await Promise.all(children.map((child) => child.finish()));
      const [first] = reports;
      const confirmed = reports.flatMap(({ published }) => published);
      const unknown = new Set(reports.flatMap(({ failed }) => failed));
      assert.ok(unknown.size > 0, "some were published while it was dead");
      assert.ok(confirmed.length > 500, `${confirmed.length} were confirmed`);
      for (const { heard, gaps } of reports) {
        assert.equal(gaps, 0);
        assert.deepEqual(texts(heard), texts(first!.heard), "all heard the same, in the same order");
        assert.equal(new Set(texts(heard)).size, heard.length, "nothing twice");
      }
      const heard = new Map(first!.heard);
      for (const [text, id] of confirmed) assert.equal(heard.get(text), id, `${text} was heard`);
      for (const [text] of first!.heard) {
        assert.ok(unknown.has(text) || confirmed.some(([other]) => other === text), `${text} was published`);
      }
      for (const child of ["a", "b", "c"]) {
        const own = texts(first!.heard).filter((text) => /\d$/.test(text) && text.startsWith(child));
        const order = own.map((text) => Number(text.split(" ")[1]));
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a - b),
          "in the order of their publisher",
        );
      }
    });

    it("stands still: publishing is refused in time, nothing accumulates, the event loop continues", async (t) => {
      const [broker, open] = await startBroker(t);
      const [a, b] = [await open({ maxPendingBytes: 200_000 }), await open()];
      const heard = new Listener();
      await b.subscribe("g", heard);
      await a.publish("g", bytes("before"), KEEP);
      await heard.until("before");
      broker.pause();
      const start = Date.now();
      let turns = 0;
      const timer = setInterval(() => (turns += 1), 10);
      t.after(() => clearInterval(timer));
      const publishing: Promise<string>[] = [];
      for (let n = 0; n < 5000; n++) {
        publishing.push(a.publish("g", bytes(`${n} ${"x".repeat(1000)}`), KEEP));
        publishing[n]?.catch(() => {});
        if (n % 100 === 0) await delay(1);
      }
      const outcomes = await Promise.allSettled(publishing);
      // Some seconds of patience, and a loaded machine.
      assert.ok(Date.now() - start < 20_000, "within a bound");
      assert.ok(turns >= 10, `the event loop went round ${turns} times`);
      for (const outcome of outcomes) {
        assert.equal(outcome.status, "rejected");
        assert.equal((outcome.reason as { code: string }).code, "BACKPLANE_UNAVAILABLE");
      }
      await assert.rejects(a.history("g"), { code: "BACKPLANE_UNAVAILABLE" });
      broker.resume();
      const id = await retry(() => a.publish("g", bytes("after"), KEEP));
      await heard.until("after");
      assert.equal(heard.gaps, 0);
      assert.equal(heard.entries.at(-1)?.[1], id);
      // A message that was under way may have arrived. One that was never sent has not: only 200 kB, and the system's buffers,
      // could hold any.
      assert.ok(heard.entries.length < 1000, `${heard.entries.length} arrived`);
      const order = texts(heard.entries)
        .slice(1, -1)
        .map((text) => Number(text.split(" ")[0]));
      assert.deepEqual(
        order,
        order.toSorted((x, y) => x - y),
      );
    });

    it("cannot be reached for a while catches up with all that was published meanwhile", async (t) => {
      const [broker, open] = await startBroker(t);
      const proxy = await startTcpProxy(t, broker.port);
      const [a, b] = [await open(UNDISTURBED), await open({ port: proxy.port })];
      const heard = new Listener();
      await b.subscribe("g", heard);
      const quiet = new Listener();
      await b.subscribe("a quiet group", quiet);
      for (let round = 0; round < 3; round++) {
        await retry(() => b.publish("g", bytes(`${round} before`), KEEP));
        proxy.cut();
        await Promise.all(Array.from({ length: 1000 }, (_, n) => a.publish("g", bytes(`${round} ${n}`), KEEP)));
        await assert.rejects(b.publish("g", bytes("never"), KEEP), { code: "BACKPLANE_UNAVAILABLE" });
        proxy.restore();
        await heard.until(`${round} 999`);
      }
      assert.deepEqual(
        texts(heard.entries),
        [0, 1, 2].flatMap((round) => [`${round} before`, ...Array.from({ length: 1000 }, (_, n) => `${round} ${n}`)]),
      );
      assert.equal(heard.gaps, 0);
      assert.equal(quiet.gaps, 0);
    });

    it("lost messages while it could not be reached reports a reset, and continues with the kept messages", async (t) => {
      const [broker, open] = await startBroker(t);
      const proxy = await startTcpProxy(t, broker.port);
      const [a, b] = [await open(UNDISTURBED), await open({ port: proxy.port })];
      const keep = { size: 100, ttlMs: 600_000 };
      const heard = new Listener();
      const other = new Listener();
      await b.subscribe("g", heard);
      await b.subscribe("other", other);
      await a.publish("g", bytes("before"), keep);
      await a.publish("other", bytes("before"), keep);
      await Promise.all([heard.until("before"), other.until("before")]);
      proxy.cut();
      await Promise.all(Array.from({ length: 2000 }, (_, n) => a.publish("g", bytes(String(n)), keep)));
      await a.publish("other", bytes("meanwhile"), keep);
      const kept = (await a.history("g")).entries.map(({ payload }) => Buffer.from(payload).toString());
      proxy.restore();
      await heard.until("1999");
      await other.until("meanwhile");
      assert.deepEqual(texts(heard.entries), ["before", ...kept]);
      assert.equal(heard.gapsAt[0], 1, "before the first entry after it");
      assert.equal(heard.gaps, 1);
      assert.deepEqual(texts(other.entries), ["before", "meanwhile"]);
      assert.equal(other.gaps, 0);
    });

    it("comes back empty reports a reset, and continues with ids that are still in order", async (t) => {
      const [broker, open] = await startBroker(t);
      const [a, b] = [await open(), await open()];
      const heard = new Listener();
      await b.subscribe("g", heard);
      const before = await a.publish("g", bytes("before"), KEEP);
      await b.enter("g", { key: "bob", payload: bytes("") });
      await heard.until("before");
      await broker.kill();
      broker.forget();
      await broker.start();
      const after = await retry(() => a.publish("g", bytes("after"), KEEP));
      await heard.until("after");
      assert.equal(heard.gaps, 1);
      assert.equal(heard.gapsAt[0], 1);
      assert.deepEqual(texts(heard.entries), ["before", "after"]);
      assert.ok(a.compareIds(after, before) > 0, `${after} after ${before}`);
      assert.equal((await a.history("g", before)).reset, true);
      await until(async () => (await a.present("g")).length === 1, "bob is there again");
    });
  });
}

interface ClusterProcess {
  begin(): void;
  finish(): Promise<ProcessReport>;
}

/** A child that publishes and listens until it is told to finish. */
async function startProcess(t: TestContext, order: ProcessOrder): Promise<ClusterProcess> {
  const path = fileURLToPath(new URL("../support/cluster-process.js", import.meta.url));
  const child = spawn(process.execPath, ["--enable-source-maps", path, JSON.stringify(order)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const closed = once(child, "close");
  await until(() => said.startsWith("ready\n") || child.exitCode !== null, "the child is ready");
  return {
    begin() {
      child.stdin.write("begin");
    },
    async finish() {
      child.stdin.end();
      await closed;
      return JSON.parse(said.slice("ready\n".length)) as ProcessReport;
    },
  };
}

class Listener implements BackplaneListener {
  readonly entries: (readonly [text: string, id: string])[] = [];
  /** How many entries came before each gap. */
  readonly gapsAt: number[] = [];

  get gaps(): number {
    return this.gapsAt.length;
  }

  entry({ id, payload }: { readonly id: string; readonly payload: Uint8Array }): void {
    this.entries.push([Buffer.from(payload).toString(), id]);
  }

  gap(): void {
    this.gapsAt.push(this.entries.length);
  }

  until(text: string): Promise<void> {
    return until(() => this.entries.at(-1)?.[0] === text, `"${text}", after ${this.entries.at(-1)?.[0]}`);
  }
}

function texts(entries: readonly (readonly [text: string, id: string])[]): string[] {
  return entries.map(([text]) => text);
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

/** Until it succeeds: the broker is coming back. */
async function retry<T>(run: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(50);
    }
  }
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(10);
  }
}
