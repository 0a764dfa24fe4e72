// Connections to the hub that are cut after any number of bytes, in both directions: every confirmed message is heard by all
// processes once and in order, calls are answered or refused, and members come back.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../../fuzz/random.ts";
import { reset } from "../../../fuzz/reset.ts";
import type { Backplane } from "../../../src/backplane/backplane.ts";
import { hubBackplane, startHub } from "../../support/hub.ts";
import { untilAsync } from "../../support/wait.ts";

const KEEP = { size: 100_000, ttlMs: 600_000 };
const MESSAGES = 1500;
/** A connection is cut after this many bytes, at most. */
const MAX_BYTES = 20_000;

interface Process {
  readonly backplane: Backplane;
  readonly proxy: CuttingProxy;
  readonly heard: string[];
}

async function open(t: TestContext, port: number, seed: number): Promise<Process> {
  const proxy = await CuttingProxy.start(t, port, seed);
  const backplane = hubBackplane(proxy.port, { timeoutMs: 2000 });
  t.after(() => backplane.close());
  const heard: string[] = [];
  await backplane.subscribe("g", {
    entry: ({ id, payload }) => heard.push(`${id} ${Buffer.from(payload).toString().trim()}`),
    gap: () => heard.push("gap"),
  });
  await backplane.enter("g", { key: String(seed), payload: new Uint8Array() });
  proxy.isCutting = true;
  return { backplane, proxy, heard };
}

describe("connections to the hub that are cut after any number of bytes", () => {
  it("lose, double and swap no message that was confirmed", async (t) => {
    const hub = await startHub();
    t.after(() => hub.stop());
    const processes = [await open(t, hub.port, 1), await open(t, hub.port, 2), await open(t, hub.port, 3)];
    // From here on the first connections, which have no fault, are cut too.
    await hub.kill();
    await hub.start();
    const confirmed: string[][] = [];
    let refused = 0;
    await Promise.all(
      processes.map(async ({ backplane }, p) => {
        const own: string[] = [];
        confirmed.push(own);
        for (let n = 0; n < MESSAGES; n++) {
          const text = `${p} ${n}`;
          try {
            own.push(`${await backplane.publish("g", Buffer.from(text.padEnd(n % 300)), KEEP)} ${text}`);
          } catch (error) {
            assert.equal((error as { code?: string }).code, "BACKPLANE_UNAVAILABLE");
            refused += 1;
            await delay(5);
          }
        }
      }),
    );
    const accepted = processes.map(({ proxy }) => proxy.accepted);
    assert.ok(Math.min(...accepted) > 5, `connections: ${accepted}`);
    assert.ok(refused > 0);
    for (const { proxy } of processes) proxy.isCutting = false;
    const last = await published(processes[0]!.backplane, "end");
    await untilAsync(
      async () => processes.every(({ heard }) => heard.at(-1)?.startsWith(last)),
      "all have heard the end",
    );
    for (const { heard } of processes) {
      assert.deepEqual(
        heard.filter((text) => text === "gap"),
        ["gap"],
        "one for the hub that was started again",
      );
      assert.deepEqual(heard, processes[0]!.heard, "all have heard the same");
      assert.equal(new Set(heard).size, heard.length, "none twice");
    }
    const heard = new Set(processes[0]!.heard);
    for (const own of confirmed) {
      assert.ok(own.length > 0);
      for (const text of own) assert.ok(heard.has(text), text);
    }
    for (const p of processes.keys()) {
      const numbers = processes[0]!.heard.flatMap((text) =>
        text.split(" ")[1] === String(p) ? Number(text.split(" ")[2]) : [],
      );
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
    }
    await untilAsync(async () => (await present(processes[0]!.backplane)) === "1,2,3", "all members are there again");
  });
});

/** Passes bytes on to a port of this machine, and cuts each connection after a number of bytes of both directions together. */
class CuttingProxy {
  isCutting = false;
  accepted = 0;
  port = 0;
  readonly #random: Random;

  private constructor(seed: number) {
    this.#random = new Random(seed);
  }

  static async start(t: TestContext, port: number, seed: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(seed);
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const hub = connect(port, "127.0.0.1");
      const pair = [client, hub] as const;
      for (const socket of pair) sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => {}));
      proxy.#pass(...pair);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy.port = (server.address() as AddressInfo).port;
    t.after(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return proxy;
  }

  #pass(client: Socket, hub: Socket): void {
    this.accepted += 1;
    let left = this.isCutting ? 1 + this.#random.below(MAX_BYTES) : Number.POSITIVE_INFINITY;
    const end = (): void => {
      for (const socket of [client, hub]) if (!socket.destroyed) reset(socket);
    };
    for (const [from, to] of [
      [client, hub],
      [hub, client],
    ] as const) {
      from.on("data", (bytes: Buffer) => {
        if (left <= 0) return;
        // A reset drops bytes that are on their way: it comes when these are written.
        to.write(bytes.subarray(0, left), () => left <= 0 && end());
        left -= bytes.length;
      });
      from.on("close", end);
    }
  }
}

/** Publishes until it is confirmed: connections with faults are still open. */
async function published(backplane: Backplane, text: string): Promise<string> {
  for (;;) {
    try {
      return await backplane.publish("g", Buffer.from(text), KEEP);
    } catch {
      await delay(20);
    }
  }
}

async function present(backplane: Backplane): Promise<string> {
  const members = await backplane.present("g").catch(() => []);
  return members
    .map(({ key }) => key)
    .toSorted()
    .join();
}
