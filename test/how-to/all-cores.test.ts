// The program of docs/how-to/all-cores.md runs as it is printed: only its port is put in.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { type CarrierKind, type Connection, connect } from "../../src/client/index.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { block, start } from "./programs.ts";

const MESSAGES = 300;

function client(t: TestContext, port: number, carrier: CarrierKind): Connection & { readonly heard: string[] } {
  const connection = connect(`http://127.0.0.1:${port}/`, { carriers: [carrier], WebSocket: WebSocket as never });
  t.after(() => connection.close());
  const heard: string[] = [];
  connection.onMessage((message) => heard.push(String(message)));
  return Object.assign(connection, { heard });
}

describe("the program of the guide for all cores", () => {
  it("is one service: all clients hear all messages, also while SIGHUP replaces its workers", async (t) => {
    const port = await freePort();
    const program = start(t, block("all-cores", "runProcesses(").replaceAll(/port: \d+/g, `port: ${port}`));
    const [, pids = ""] = await program.printed(/workers: (\d+(?: \d+)*)/);
    const clients = (["websocket", "sse", "poll"] as const).map((carrier) => client(t, port, carrier));
    // A member hears what is published after its worker has become a subscriber of the group.
    const greeting = setInterval(() => clients[0]!.send("hello"), 50);
    await until(() => clients.every(({ heard }) => heard.length > 0), "all clients are members");
    clearInterval(greeting);
    for (let n = 0; n < MESSAGES; n++) {
      if (n === MESSAGES / 3) program.signal("SIGHUP");
      clients[n % clients.length]!.send(String(n));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const numbersOf = ({ heard }: { readonly heard: readonly string[] }): number[] =>
      heard.filter((text) => text !== "hello").map(Number);
    await until(() => clients.every((one) => numbersOf(one).length >= MESSAGES), "all have heard all");
    for (const one of clients) {
      const numbers = numbersOf(one);
      assert.deepEqual(numbers, numbersOf(clients[0]!), "in one order");
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        Array.from({ length: MESSAGES }, (_, n) => n),
        "each once",
      );
    }
    await until(() => pids.split(" ").every((pid) => !isAlive(Number(pid))), "all workers were replaced");
    assert.equal(await program.stop(), 0);
    assert.doesNotMatch(program.output(), /Error/);
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
