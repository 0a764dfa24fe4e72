// Operations on groups in three real processes over real brokers: members come and go at random against a model, while the broker
// is cut off, frozen, or killed and started again empty, and while processes are killed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ChannelStore, createChannelStore } from "../../src/index.ts";
import type { Broker } from "../support/broker.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import type { GroupChildOrder } from "../support/group-child.ts";
import { chance } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

const PATIENCE_MS = 120_000;
const ALIVE_MS = 2500;

class Child {
  readonly told: string[] = [];
  readonly #child: ReturnType<typeof spawn>;
  readonly #exit: Promise<unknown>;
  #done = 0;
  #asked = 0;

  constructor(order: GroupChildOrder) {
    const path = fileURLToPath(new URL("../support/group-child.js", import.meta.url));
    this.#child = spawn(process.execPath, ["--enable-source-maps", path, JSON.stringify(order)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#exit = once(this.#child, "exit");
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      if (line === "done") this.#done += 1;
      else this.told.push(line.replace("told ", ""));
    });
  }

  async say(command: string): Promise<void> {
    this.#asked += 1;
    const number = this.#asked;
    this.#child.stdin!.write(`${command}\n`);
    await until(() => this.#done >= number || this.#child.exitCode !== null, command);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }
}

interface Service {
  readonly broker: Broker;
  readonly proxy: TcpProxy;
  /** The process of the test. The proxy is on its way to the broker. */
  readonly store: ChannelStore;
  /** Calls of the hooks in the test's process. */
  readonly told: string[];
  readonly children: readonly [Child, Child];
  /** Keys of the members that are present, as a watcher knows them. */
  watched(group: string): ReadonlySet<string>;
}

async function startService(t: TestContext, name: BrokerName): Promise<Service> {
  const kit = BROKER_KITS[name];
  const broker = await kit.start();
  const proxy = await startTcpProxy(t, broker.port);
  const opened = await kit.open(proxy.port, { aliveMs: ALIVE_MS, maxPendingBytes: 16_000_000 });
  const told: string[] = [];
  const store = createChannelStore({
    backplane: opened.backplane,
    counts: true,
    onGroupStart: (group) => told.push(`start ${group}`),
    onGroupEnd: (group) => told.push(`end ${group}`),
    onError: () => {},
  });
  const order = { broker: name, port: broker.port, aliveMs: ALIVE_MS };
  const children = [new Child({ ...order, name: "a" }), new Child({ ...order, name: "b" })] as const;
  t.after(async () => {
    await Promise.all(children.map((child) => child.kill()));
    await store.close();
    await opened.close();
    await broker.stop();
  });
  const watched = new Map<string, Set<string>>();
  return {
    ...{ broker, proxy, store, told, children },
    watched(group) {
      let keys = watched.get(group);
      if (keys === undefined) {
        const known = new Set<string>();
        watched.set(group, (keys = known));
        store.watchPresence(group, {
          enter: ({ key }) => {
            assert.ok(!known.has(key), "a member enters once");
            known.add(key);
          },
          leave: ({ key }) => assert.ok(known.delete(key), "a member leaves once"),
        });
      }
      return keys;
    },
  };
}

/** The numbers of members of each process in each group. */
type Model = Map<string, [number, number]>;

const sum = ([a, b]: [number, number]): number => a + b;

async function comeAndGo({ children }: Service, model: Model, random: () => number, steps: number): Promise<void> {
  const groups = [...model.keys()];
  for (let i = 0; i < steps; i++) {
    const group = groups[Math.floor(random() * groups.length)]!;
    const counts = model.get(group)!;
    const who = random() < 0.5 ? 0 : 1;
    const number = 1 + Math.floor(random() * 5);
    if (random() < 0.55) {
      counts[who] += number;
      await children[who].say(`join ${group} ${number}`);
    } else {
      counts[who] = Math.max(0, counts[who] - number);
      await children[who].say(`leave ${group} ${number}`);
    }
  }
}

/** Resolves when all that can be asked agrees with the model. */
async function agrees({ store, watched }: Service, model: Model): Promise<void> {
  for (const [group, counts] of model) {
    const expected = sum(counts);
    await until(
      () => watched(group).size === expected,
      () => `${expected} watched in ${group}, not ${watched(group).size}`,
    );
    await until(async () => (await soon(store.count(group))) === expected, `${expected} counted in ${group}`);
    await until(
      async () => (await soon(store.presence(group)))?.length === expected,
      `${expected} present in ${group}`,
    );
  }
}

/** Resolves when the hooks of all processes together have told each beginning once more than each end, or as often. */
async function toldAsModel({ children, told }: Service, model: Model): Promise<void> {
  for (const [group, counts] of model) {
    const count = (what: string): number =>
      [told, ...children.map((child) => child.told)].flat().filter((line) => line === `${what} ${group}`).length;
    const expected = sum(counts) > 0 ? 1 : 0;
    const describe = (): string =>
      `${group}: ${count("start")} starts, ${count("end")} ends, ${expected} more expected`;
    await until(() => count("start") - count("end") === expected, describe);
  }
}

for (const name of ["redis", "nats", "processes"] as const) {
  const { skip, keepsData } = BROKER_KITS[name];
  describe(`operations on groups over ${name}`, { skip }, () => {
    it("agree with a model while members come and go at random, and when a process is killed", async (t) => {
      const service = await startService(t, name);
      const { children, store } = service;
      const model: Model = new Map(["g", "h", "i"].map((group) => [group, [0, 0]]));
      for (const group of model.keys()) service.watched(group);
      await comeAndGo(service, model, chance(7919), 30);
      await agrees(service, model);
      await toldAsModel(service, model);
      await children[0].say("join only-a 3");
      await children[0].say("join big 10000");
      await children[1].say("join big 1");
      model.set("only-a", [3, 0]).set("big", [10_000, 1]);
      await agrees(service, model);
      await toldAsModel(service, model);
      await children[0].kill();
      for (const counts of model.values()) counts[0] = 0;
      await agrees(service, model);
      await toldAsModel(service, model);
      // The rest is closed by the process of the test.
      await soon(store.disconnect("big", { code: 4000 }));
      model.set("big", [0, 0]);
      await agrees(service, model);
      await toldAsModel(service, model);
    });

    it("agree with a model again after the broker was cut off, frozen, and killed", async (t) => {
      const service = await startService(t, name);
      const { broker, proxy, store } = service;
      const model: Model = new Map(["g", "h"].map((group) => [group, [0, 0]]));
      for (const group of model.keys()) service.watched(group);
      const random = chance(104_729);
      await comeAndGo(service, model, random, 10);
      await agrees(service, model);
      proxy.cut();
      await comeAndGo(service, model, random, 10);
      await assert.rejects(store.count("g"), { code: "BACKPLANE_UNAVAILABLE" });
      await assert.rejects(store.disconnect("g"), { code: "BACKPLANE_UNAVAILABLE" });
      proxy.restore();
      await agrees(service, model);
      broker.pause();
      await comeAndGo(service, model, random, 10);
      await delay(4000);
      broker.resume();
      await agrees(service, model);
      await broker.kill();
      await comeAndGo(service, model, random, 10);
      await broker.start();
      await agrees(service, model);
      // With its data the broker has lost which groups have begun: they begin again.
      if (keepsData) await toldAsModel(service, model);
    });

    it("agree with a model again after the broker came back empty; members that stay are not seen to leave", async (t) => {
      const service = await startService(t, name);
      const { broker, children, told, watched } = service;
      const model: Model = new Map([["g", [3, 2]]]);
      await children[0].say("join g 3");
      await children[1].say("join g 2");
      await agrees(service, model);
      await toldAsModel(service, model);
      const before = new Set(watched("g"));
      await broker.kill();
      broker.forget();
      await broker.start();
      await children[0].say("join g 1");
      model.set("g", [4, 2]);
      await agrees(service, model);
      assert.ok([...before].every((key) => watched("g").has(key)));
      // The group begins again: its record was lost with the broker's data. Its end is told once.
      const all = (): readonly string[] => [told, ...children.map((child) => child.told)].flat();
      await until(() => all().filter((line) => line === "start g").length === 2, "it has begun again");
      for (const child of children) await child.say("leave g 9");
      await until(() => all().filter((line) => line === "end g").length === 1, "it has ended");
      await delay(2000);
      assert.deepEqual(all().toSorted(), ["end g", "start g", "start g"]);
    });

    it("publish to several groups, close and move members in all processes", async (t) => {
      const service = await startService(t, name);
      const { children, store } = service;
      const model: Model = new Map([
        ["from", [2, 3]],
        ["to", [0, 0]],
      ]);
      await children[0].say("join from 2");
      await children[1].say("join from 3");
      const own = new MemoryChannel();
      for (const group of ["a", "b"]) store.addToGroup(group, own.channel, { user: 7 });
      await agrees(service, model);
      await store.move("from", "to");
      model.set("from", [0, 0]).set("to", [2, 3]);
      await agrees(service, model);
      const { ids } = await store.publish(["a", "b"], "once");
      await store.disconnect("a", { where: { user: 8 } });
      await store.publish("b", "last");
      await until(() => own.sent.length === 2, "both have come");
      assert.deepEqual(own.take(), ["once", "last"]);
      for (const [i, group] of ["a", "b"].entries()) assert.equal((await store.history(group)).messages[0]?.id, ids[i]);
      await store.disconnect("a", { where: { user: 7 } });
      await until(() => !own.channel.isOpen, "it is closed");
      await toldAsModel(service, new Map([...model, ["a", [0, 0]], ["b", [0, 0]]]));
    });
  });
}

/** The broker may be away for a moment. */
async function soon<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch(() => undefined);
}

async function until(isTrue: () => boolean | Promise<boolean>, what: string | (() => string)): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) assert.fail(`waited in vain for ${typeof what === "string" ? what : what()}`);
    await delay(20);
  }
}
