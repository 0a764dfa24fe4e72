// `npm run bench:scale` with 200 connections: every number is there, every message has arrived once, and nothing that it started is left.
// How long anything takes is not checked.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { needs } from "../support/needs.ts";

const CONNECTIONS = 200;
const folder = mkdtempSync(join(tmpdir(), "scale-"));
after(() => rmSync(folder, { recursive: true }));
const skip = process.platform === "linux" ? needs("redis-server") : "it reads /proc";

interface Run {
  readonly child: ChildProcess;
  /** All that it has printed so far. */
  said(): string;
  readonly code: Promise<number | null>;
}

function scale(...args: readonly string[]): Run {
  const child = spawn(process.execPath, ["bench/scale/run.js", "--minutes", "5", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  return { child, said: () => said, code: once(child, "close").then(([code]) => code) };
}

/** The processes that a process has started and that are alive. */
function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return list.split(" ").filter(Boolean).map(Number);
}

describe("bench:scale", { skip }, () => {
  it("measures everything with 200 connections, and all messages arrive", async () => {
    const out = join(folder, "scale.json");
    const short = ["--seconds", "3", "--interval", "3", "--ping-interval-ms", "1000"];
    const run = scale("--connections", String(CONNECTIONS), ...short, "--quick", "--out", out);
    assert.equal(await run.code, 0, run.said());
    const result = JSON.parse(readFileSync(out, "utf8"));

    for (const [path, value] of leaves(result)) {
      assert.notEqual(value, null, `${path} was not measured`);
      assert.ok(typeof value !== "number" || Number.isFinite(value), path);
    }
    assert.deepEqual(
      result.stages.map((stage: { connections: number; members: number }) => [stage.connections, stage.members]),
      [
        [100, 100],
        [200, 200],
      ],
    );
    for (const { messages, connections, errors } of result.stages) {
      assert.equal(errors, 0);
      assert.ok(messages.length > 0);
      for (const message of messages) {
        assert.equal(message.deliveries, connections);
        assert.ok(message.firstMs > 0 && message.firstMs <= message.halfMs, JSON.stringify(message));
        assert.ok(message.halfMs <= message.p99Ms && message.p99Ms <= message.allMs, JSON.stringify(message));
      }
    }
    assert.ok(result.idle.pings >= CONNECTIONS, "each client has answered a ping");
    assert.equal(result.light.sent, CONNECTIONS);
    assert.equal(result.light.answered, result.light.sent);
    assert.equal(result.killed.lost, result.share);
    assert.equal(result.killed.back, result.share);
    assert.equal(result.publishedAfter.deliveries, CONNECTIONS);
    assert.deepEqual(result.faults, { lost: result.share, failed: result.faults.failed, repeated: 0 });

    assert.deepEqual(sizes(result.simulated, "members"), [100, 1000]);
    assert.deepEqual(sizes(result.groups, "groups"), [10, 100]);
    assert.deepEqual(sizes(result.groupsOverRedis, "groups"), [10, 100]);
    assert.deepEqual(sizes(result.sessions, "sessions"), [100, 200]);
    for (const { errors } of result.sessions) assert.equal(errors, 0);
    assert.match(run.said(), /\| connections \| 200, at most 50 in each of 4 processes/);
    assert.doesNotMatch(run.said(), /NaN|undefined|–/);
  });

  it("leaves nothing behind when it is interrupted", async () => {
    const run = scale("--connections", String(CONNECTIONS), "--seconds", "60", "--out", join(folder, "none.json"));
    while (!run.said().includes("idle for")) {
      assert.equal(run.child.exitCode, null, run.said());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const children = childrenOf(run.child.pid!);
    assert.equal(children.length, 9, "four servers, their clients, and Redis");
    run.child.kill("SIGINT");
    assert.equal(await run.code, 130);
    assert.match(run.said(), /stopped by SIGINT/);
    for (const pid of children) assert.equal(existsSync(`/proc/${pid}`), false, `${pid} is alive`);
    assert.equal(existsSync(join(folder, "none.json")), false);
  });

  it("opens nothing when the memory is not enough, and says what is", async () => {
    const run = scale("--connections", "90000000");
    assert.equal(await run.code, 1);
    assert.match(run.said(), /^90,000,000 connections need some [\d.]+ GiB.* is enough for --connections \d+\n$/);
  });

  it("refuses what is no number", async () => {
    const run = scale("--connections", "many");
    assert.equal(await run.code, 1);
    assert.match(run.said(), /--connections many is not a number above zero/);
  });
});

describe("the plan of bench:scale", () => {
  it("leaves descriptors for the clients of a process that is killed", async () => {
    const { planProcesses } = await import(pathToFileURL(resolve("bench/scale/plan.js")).href);
    for (const limit of [1024, 20_000, 1_000_000]) {
      for (const connections of [1, 200, 18_000, 200_000, 500_000]) {
        const { servers, share } = planProcesses(connections, limit);
        assert.ok(servers * share >= connections, `${limit}, ${connections}`);
        assert.ok((share * servers) / (servers - 1) + 200 < Math.min(limit, 20_000), `${limit}, ${connections}`);
      }
    }
  });

  it("needs more memory for more connections, and names a number that is enough", async () => {
    const { checkMemory, mostConnections, neededBytes } = await import(
      pathToFileURL(resolve("bench/scale/plan.js")).href
    );
    const available = 8 * 2 ** 30;
    const most = mostConnections(available, 20_000);
    assert.ok(most > 50_000, `${most}`);
    assert.ok(neededBytes(most, 20_000) < neededBytes(2 * most, 20_000));
    checkMemory(most, available, 20_000);
    assert.throws(() => checkMemory(most + 1000, available, 20_000), { message: new RegExp(`--connections ${most}$`) });
  });
});

function sizes(points: readonly Record<string, number>[], key: string): (number | undefined)[] {
  return points.map((point) => point[key]);
}

/** All values of a result, with their paths. */
function* leaves(value: unknown, path = "result"): Generator<[path: string, value: unknown]> {
  if (typeof value !== "object" || value === null) yield [path, value];
  else for (const [key, inner] of Object.entries(value)) yield* leaves(inner, `${path}.${key}`);
}
