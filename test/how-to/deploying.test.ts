// The programs and configurations of docs/how-to/scaling-out.md and docs/how-to/stopping-and-restarting.md for several processes run
// as they are printed: only ports are put in. Redis, NATS, nginx, haproxy and Caddy are real.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { type CarrierKind, type Connection, connect } from "../../src/client/index.ts";
import type { Broker } from "../support/broker.ts";
import { startNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { freePort, startCaddy, startHaproxy, startNginx } from "../support/proxies.ts";
import { startRedis } from "../support/redis.ts";
import { block, blocks, type Program, start } from "./programs.ts";

const SCALING = "scaling-out";
const STOPPING = "stopping-and-restarting";
const CARRIERS: readonly CarrierKind[] = ["websocket", "sse", "poll"];
/** A process needs this long to start on a machine with much else to do. */
const PATIENCE_MS = 60_000;
const TIMEOUT_MS = 300_000;
const SEND_EVERY_MS = 50;

/** A message that the program for deploys publishes. */
interface Said {
  /** The sender and its number. */
  readonly text: string;
  /** The numbers of messages that the sender's channel has had, in the attachment and in what `save` returned. */
  readonly messages: number;
  readonly searches: number;
}

const PROXIES: Readonly<Record<string, (t: TestContext, port: number, ports: readonly number[]) => Promise<void>>> = {
  nginx: (t, port, ports) =>
    startNginx(t, port, withPorts("nginx", ports).replace("listen 80;", `listen 127.0.0.1:${port};`)),
  haproxy: (t, port, ports) =>
    startHaproxy(t, port, withPorts("haproxy", ports).replace("bind :80 ", `bind 127.0.0.1:${port} `)),
  caddy: (t, port, ports) =>
    startCaddy(t, port, withPorts("caddyfile", ports).replace("app.example", `http://127.0.0.1:${port}`)),
};

/** Runs a program of a guide on a port; resolves when it listens. */
async function runOn(t: TestContext, text: string, port: number, env: Record<string, string>): Promise<Program> {
  const program = start(t, text, { PORT: String(port), ...env });
  await soon(() => program.output().includes(`:${port}`), `the program listens: ${program.output()}`);
  return program;
}

/** Two processes with the program: what is posted to one is an event of the other's stream, once it listens to the group. */
async function reachEachOther(t: TestContext, text: string, env: Record<string, string>): Promise<void> {
  const ports = [await freePort(), await freePort()];
  await Promise.all(ports.map((port) => runOn(t, text, port, env)));
  const [one, other] = ports.map((port) => `http://127.0.0.1:${port}/`) as [string, string];
  const leaving = new AbortController();
  const headers = { Accept: "text/event-stream" };
  const reader = (await fetch(other, { headers, signal: leaving.signal })).body!.getReader();
  t.after(() => leaving.abort());
  let events = "";
  void (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read())
      events += Buffer.from(part.value).toString();
  })().catch(() => undefined);
  await soon(async () => {
    assert.equal((await fetch(one, { method: "POST", body: "hello" })).status, 204);
    return /^data: ?hello$/m.test(events);
  }, "the message of the other process arrives");
}

describe("the guides to several processes", { skip: needs("redis-server") }, () => {
  let redis: Broker;
  before(async () => {
    redis = await startRedis();
  });
  after(() => redis.kill());

  const run = (t: TestContext, text: string, port: number, env = {}): Promise<Program> =>
    runOn(t, text, port, { REDIS_URL: `redis://127.0.0.1:${redis.port}`, ...env });

  for (const [name, startProxy] of Object.entries(PROXIES)) {
    const options = { skip: needs(name), timeout: TIMEOUT_MS };
    it(
      `behind ${name}, without stickiness, a deploy loses and doubles no message on any carrier`,
      options,
      async (t) => {
        const text = block(STOPPING, "isStopping");
        const ports = [await freePort(), await freePort(), await freePort()];
        const programs = await Promise.all(ports.map((port) => run(t, text, port)));
        const port = await freePort();
        await startProxy(t, port, ports);
        const clients = CARRIERS.map((carrier) => new Client(t, `http://127.0.0.1:${port}/`, carrier));
        await Promise.all(clients.map(({ connection }) => connection.opened));
        // A member without `since` gets what is published after its process has begun to listen to the group.
        await delay(2000);
        for (const client of clients) client.begin();
        const goOn = (): Promise<void> => {
          const before = clients.map(({ got }) => got.length);
          return soon(() => clients.every(({ got }, at) => got.length > before[at]! + 10), "all clients go on");
        };

        await goOn();
        // The second of them does not come back.
        for (const index of [0, 1]) {
          assert.equal(await programs[index]!.stop(), 0, programs[index]!.output());
          await goOn();
          if (index === 0) programs[0] = await run(t, text, ports[0]!);
        }
        for (const client of clients) client.end();
        const sent = clients.reduce((sum, client) => sum + client.sent, 0);
        await soon(() => clients.every(({ got }) => got.length >= sent), "all clients have all messages");

        for (const client of clients) {
          for (const { carrier, sent } of clients) {
            const numbers = Array.from({ length: sent }, (_, at) => at + 1);
            const said = client.got.filter(({ text }) => text.startsWith(carrier));
            assert.deepEqual(
              said,
              numbers.map((n) => ({ text: `${carrier} ${n}`, messages: n, searches: n })),
            );
          }
          assert.deepEqual(
            client.outcomes.filter((outcome) => outcome !== "resumed"),
            ["new"],
          );
        }
      },
    );
  }

  it("what one process publishes reaches the members in the other", { timeout: TIMEOUT_MS }, async (t) => {
    const [text = ""] = blocks(SCALING, "ts");
    await reachEachOther(t, text, { REDIS_URL: `redis://127.0.0.1:${redis.port}` });
  });

  it("a session finds its process whichever is asked", { timeout: TIMEOUT_MS }, async (t) => {
    const ports = [await freePort(), await freePort()];
    await Promise.all(ports.map((port) => run(t, block(SCALING, "redisSessions(redis), //"), port)));
    let requests = 0;
    const connection = connect(`http://127.0.0.1:${ports[0]}/`, {
      carriers: ["poll"],
      // Every second request goes to the other process.
      fetch: (url, init) => fetch(String(url).replace(`:${ports[0]}`, `:${ports[requests++ % 2]}`), init),
    });
    t.after(() => connection.close());
    const got: string[] = [];
    const outcomes: string[] = [];
    connection.onOpen(({ session }) => outcomes.push(session));
    connection.onMessage((message) => got.push(String(message)));
    for (let n = 1; n <= 20; n++) {
      connection.send(`${n}`);
      await soon(() => got.length === n, `message ${n} comes back`);
    }
    assert.deepEqual(
      got,
      Array.from({ length: 20 }, (_, at) => `${at + 1}`),
    );
    assert.deepEqual(outcomes, ["new"]);
    assert.ok(requests > 20);
  });

  it("the processes reach each other over TCP where each has an address of its own", {
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const ports = [await freePort(), await freePort()];
    const env = { POD_IP: "127.0.0.1", DRAIN_MS: "200" };
    const programs = await Promise.all(ports.map((port) => run(t, block(STOPPING, "isStopping"), port, env)));
    let requests = 0;
    const client = new Client(t, `http://127.0.0.1:${ports[0]}/`, "poll", (url, init) =>
      fetch(String(url).replace(`:${ports[0]}`, `:${ports[requests++ % 2]}`), init),
    );
    client.begin();
    await soon(() => client.got.length > 10, "messages come back");
    const stopped = programs[0]!.stop();
    await soon(
      async () => (await fetch(`http://127.0.0.1:${ports[0]}/ready`)).status === 503,
      "it is not ready any more",
    );
    assert.equal(await stopped, 0);
    const before = client.got.length;
    await soon(() => client.got.length > before + 10, "the session goes on in the other process");
    client.end();
    assert.deepEqual(
      client.got.map(({ messages }) => messages),
      client.got.map((_, at) => at + 1),
    );
    assert.deepEqual(
      client.outcomes.filter((outcome) => outcome !== "resumed"),
      ["new"],
    );
  });
});

describe("the guide to several processes", () => {
  it("has a program in which NATS connects them", { skip: needs("nats-server"), timeout: TIMEOUT_MS }, async (t) => {
    const nats = await startNats();
    t.after(() => nats.stop());
    await reachEachOther(t, block(SCALING, "natsBackplane(nats)"), { NATS_URL: `127.0.0.1:${nats.port}` });
  });

  it("has a test of a backplane, whose first conditions hold over NATS", {
    skip: needs("nats-server"),
    timeout: TIMEOUT_MS,
  }, async (t) => {
    const nats = await startNats();
    t.after(() => nats.stop());
    const text = block(SCALING, "backplaneContract(");
    const { output } = start(t, text, { NATS_URL: `127.0.0.1:${nats.port}` });
    await soon(() => /^ +ok 5 - /m.test(output()) || /^ *not ok /m.test(output()), `conditions hold: ${output()}`);
    assert.doesNotMatch(output(), /^ *not ok /m);
  });

  it("has a function for each client of Redis, and no program that is not run here", () => {
    const clients = block(SCALING, "// backplanes.ts").match(/redisBackplane\(\s*\w+\(|redisBackplane\(\s*new \w+\(/g);
    assert.equal(clients?.length, 5);
    assert.equal(blocks(SCALING, "ts").length, 5);
  });
});

describe("the guide to deploys", () => {
  const program = block(STOPPING, "isStopping");
  const graceMs = Number(/stop\(\{ graceMs: (\d+) \}\)/.exec(program)![1]);

  it("gives a pod more time to end than the program takes", () => {
    const [yaml = ""] = blocks(STOPPING, "yaml");
    const drainMs = Number(/DRAIN_MS, value: "(\d+)"/.exec(yaml)![1]);
    const seconds = Number(/terminationGracePeriodSeconds: (\d+)/.exec(yaml)![1]);
    assert.ok(seconds * 1000 >= 2 * (drainMs + graceMs));
    for (const [, name] of yaml.matchAll(/- \{ name: (\w+)/g)) assert.match(program, new RegExp(`\\b${name}\\b`));
  });

  it("gives pm2 a file that waits longer for the end than the program takes", () => {
    const [json = ""] = blocks(STOPPING, "json");
    const { apps } = JSON.parse(json);
    assert.ok(apps[0].kill_timeout >= 2 * graceMs);
    assert.equal(apps[0].wait_ready, true);
    assert.match(program, /process\.send\?\.\("ready"\)/);
  });

  it("has a loop for systemd that restarts each process when the one before answers", {
    skip: needs("curl"),
  }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "unichannel-guide-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const log = join(folder, "log");
    for (const name of ["systemctl", "curl"]) {
      // curl fails at the first time for each process, as long as it starts.
      const fails = name === "curl" ? `\n[ $(grep -c -- "$*" ${log}) -gt 1 ]` : "";
      writeFileSync(join(folder, name), `#!/bin/sh\necho ${name} "$*" >> ${log}${fails}\n`);
      chmodSync(join(folder, name), 0o755);
    }
    const [loop = ""] = blocks(STOPPING, "sh");
    execFileSync("sh", ["-c", loop], { env: { PATH: `${folder}:${process.env["PATH"]}` }, timeout: PATIENCE_MS });
    const lines = [9091, 9092, 9093].flatMap((port) => {
      const asked = `curl --silent --fail http://127.0.0.1:${port}/ready`;
      return [`systemctl restart app@${port}`, asked, asked];
    });
    assert.deepEqual(readFileSync(log, "utf8").trim().split("\n"), lines);
  });
});

/** A client of the program for deploys, which sends its kind of carrier and a number again and again. */
class Client {
  readonly carrier: CarrierKind;
  readonly connection: Connection;
  readonly got: Said[] = [];
  readonly outcomes: string[] = [];
  sent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(t: TestContext, url: string, carrier: CarrierKind, fetch = globalThis.fetch) {
    this.carrier = carrier;
    this.connection = connect(url, {
      carriers: [carrier],
      WebSocket: WebSocket as never,
      fetch,
      backoff: { firstMs: 100, capMs: 500 },
    });
    this.connection.onOpen(({ session }) => this.outcomes.push(session));
    this.connection.onMessage((text) => this.got.push(JSON.parse(String(text))));
    t.after(() => {
      this.end();
      this.connection.close();
    });
  }

  begin(): void {
    this.#timer = setInterval(() => {
      this.sent += 1;
      this.connection.send(`${this.carrier} ${this.sent}`);
    }, SEND_EVERY_MS);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** A configuration of the guide, with the ports of the processes. */
function withPorts(language: string, ports: readonly number[]): string {
  const [config = ""] = blocks(SCALING, language);
  assert.equal(config.match(/127\.0\.0\.1:909[123]\b/g)?.length, ports.length);
  return config.replaceAll(/127\.0\.0\.1:909([123])\b/g, (_, number) => `127.0.0.1:${ports[Number(number) - 1]}`);
}

async function soon(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) assert.fail(`waited in vain: ${what}`);
    await delay(10);
  }
}
