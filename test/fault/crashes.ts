// Processes of a service that are killed (SIGKILL) at random moments, as one suite for all brokers: three processes behind a
// balancer that is not sticky, clients on all carriers, every message of each group with a number. Each client receives the
// messages of its groups exactly once and in order, and is told of everything else that it loses.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import { type Connection, connect } from "../../src/client/index.ts";
import { createChannelStore } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import type { CrashOrder } from "../support/crash-child.ts";
import { CARRIERS, type CarrierKind } from "../support/session-client.ts";
import { until } from "../support/wait.ts";

const GROUPS = ["a", "b", "c"] as const;
const PROCESSES = 3;
const KILLS = Number(process.env["KILLS"] ?? 4);
const CLIENTS_PER_CARRIER = 2;

export function crashes(name: BrokerName, skip: string | false): void {
  describe(`sessions whose processes are killed (${name})`, { skip }, () => {
    it("lose no message of a group, get none twice, and are told of the rest", async (t) => {
      const kit = BROKER_KITS[name];
      const broker = await kit.start();
      t.after(() => broker.stop());
      const opened = await kit.open(broker.port);
      const store = createChannelStore({
        backplane: opened.backplane,
        history: { size: 100_000, ttlMs: 600_000 },
        onError: () => {},
      });
      t.after(() => store.close().then(() => opened.close()));
      const service = await Service.start(t, { broker: name, port: broker.port, groups: GROUPS });
      // A place in a stream without messages is not an id: a client that comes back to it is told of a reset.
      for (const group of GROUPS) await store.publish(group, `${group} first`);
      const clients = CARRIERS.flatMap((kind) =>
        Array.from({ length: CLIENTS_PER_CARRIER }, () => new NumberedClient(t, service.url, kind)),
      );
      let isPublishing = true;
      let published = 0;
      t.after(() => {
        isPublishing = false;
      });
      const publishing = (async () => {
        for (; isPublishing; published++) {
          for (const group of GROUPS) await store.publish(group, `${group} ${published}`);
          await delay(5);
        }
      })();
      // Before the first kill all are members, also of the groups that they join later.
      const hearsAll = ({ heard }: NumberedClient): boolean =>
        GROUPS.every((group) => heard.some((text) => text.startsWith(`${group} `)));
      await until(() => clients.every(hearsAll), "all clients hear something of each group");
      for (let kill = 0; kill < KILLS; kill++) {
        await delay(Math.random() * 1000);
        await service.killOne();
      }
      await delay(500);
      isPublishing = false;
      await publishing;
      for (const group of GROUPS) await store.publish(group, `${group} ${published}`);

      const last = GROUPS.map((group) => `${group} ${published}`);
      await until(
        () => clients.every(({ heard }) => last.every((text) => heard.includes(text))),
        "all clients have the last messages",
      );
      assert.ok(
        clients.some(({ losses }) => losses > 0),
        "sessions were lost",
      );
      for (const client of clients) client.check(published);
    });
  });
}

class NumberedClient {
  readonly kind: CarrierKind;
  readonly connection: Connection;
  /** Messages and openings, in order. */
  readonly heard: string[] = [];
  readonly #resets: string[] = [];
  /** Messages of this client that were sent, and that it was told of as unacknowledged. */
  #sent = 0;
  readonly #unacknowledged: string[] = [];

  constructor(t: TestContext, url: string, kind: CarrierKind) {
    this.kind = kind;
    this.connection = connect(url, {
      carriers: [kind],
      backoff: { firstMs: 50, capMs: 200 },
      WebSocket: WebSocket as never,
    });
    const { connection, heard } = this;
    connection.onMessage((message) => heard.push(String(message)));
    connection.onReset((group) => this.#resets.push(group));
    connection.onOpen(({ session, unacknowledged }) => {
      if (session === "lost") heard.push("lost");
      this.#unacknowledged.push(...unacknowledged.map(String));
    });
    connection.onError(() => {});
    const timer = setInterval(() => connection.send(`${this.#sent++}`), 50);
    t.after(() => {
      clearInterval(timer);
      connection.close();
    });
  }

  get losses(): number {
    return this.heard.filter((text) => text === "lost").length;
  }

  check(published: number): void {
    const { kind, heard } = this;
    assert.deepEqual(this.#resets, [], `${kind}: everything was kept`);
    for (const group of GROUPS) {
      const numbers = heard.filter((text) => text.startsWith(`${group} `)).map((text) => Number(text.split(" ")[1]));
      // It becomes a member while messages are published, and the text of the first message has no number.
      const found = numbers.filter(Number.isInteger);
      const first = found[0] ?? 0;
      const wanted = Array.from({ length: published + 1 - first }, (_, index) => first + index);
      assert.deepEqual(found, wanted, `${kind}: every message of ${group}, once, in order`);
    }
    this.#checkDirect();
    // A message that the server has taken is acknowledged, or answered; the client is told of all others.
    const echoes = new Set(heard.filter((text) => text.startsWith("echo ")).map((text) => text.slice("echo ".length)));
    for (const text of this.#unacknowledged) assert.ok(Number(text) < this.#sent);
    assert.equal(new Set(this.#unacknowledged).size, this.#unacknowledged.length, "told once");
    assert.ok(echoes.size > 0);
  }

  /** Messages to this client alone: in each session all of them in order, and where some are lost it is told. */
  #checkDirect(): void {
    let next = 0;
    let isNew = true;
    for (const text of this.heard) {
      const [what, value] = text.split(" ");
      if (what === "lost") isNew = true;
      else if (what === "open") {
        assert.ok(isNew, `${this.kind}: told of the loss before`);
        const hasLost = this.heard.slice(0, this.heard.indexOf(text)).includes("lost");
        assert.equal(value, String(hasLost), `${this.kind}: the application was told of the loss`);
        isNew = false;
        next = 0;
      } else if (what === "direct") assert.equal(Number(value), next++, `${this.kind}: in order, without a gap`);
    }
  }
}

/** The processes, and a balancer that gives each connection to the next of them. */
class Service {
  readonly url: string;
  readonly #t: TestContext;
  readonly #order: CrashOrder;
  readonly #processes: { readonly child: ChildProcess; readonly port: number }[] = [];
  #next = 0;

  private constructor(t: TestContext, order: CrashOrder, port: number) {
    this.#t = t;
    this.#order = order;
    this.url = `http://127.0.0.1:${port}/session`;
  }

  static async start(t: TestContext, order: CrashOrder): Promise<Service> {
    const sockets = new Set<Socket>();
    const balancer = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket)).on("error", () => {});
      service.#balance(socket);
    }).listen(0, "127.0.0.1");
    await once(balancer, "listening");
    const { port } = balancer.address() as { port: number };
    const service = new Service(t, order, port);
    for (let i = 0; i < PROCESSES; i++) await service.#startOne();
    t.after(() => {
      balancer.close();
      for (const socket of sockets) socket.destroy();
    });
    return service;
  }

  /** Kills one process without notice, and starts another one. */
  async killOne(): Promise<void> {
    const [killed] = this.#processes.splice(Math.floor(Math.random() * this.#processes.length), 1);
    const exit = once(killed!.child, "exit");
    killed!.child.kill("SIGKILL");
    await exit;
    await this.#startOne();
  }

  #balance(socket: Socket): void {
    const { port } = this.#processes[this.#next++ % this.#processes.length]!;
    const inner = connectTcp(port, "127.0.0.1");
    inner.on("error", () => socket.destroy()).on("close", () => socket.destroy());
    socket.on("close", () => inner.destroy());
    socket.pipe(inner).pipe(socket);
  }

  async #startOne(): Promise<void> {
    const path = fileURLToPath(new URL("../support/crash-child.js", import.meta.url));
    const child = spawn(process.execPath, ["--enable-source-maps", path, JSON.stringify(this.#order)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#t.after(() => child.kill("SIGKILL"));
    // Not polled for: the process needs the processor.
    const [said] = await Promise.race([once(child.stdout.setEncoding("utf8"), "data"), once(child, "exit")]);
    assert.equal(child.exitCode, null);
    this.#processes.push({ child, port: Number(said) });
  }
}
