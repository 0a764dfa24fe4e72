// The programs of docs/how-to/state-and-stream.md run as they are printed, and clients that come at any moment have the right state.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { type Connection, connect } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, program, run, start } from "./programs.ts";

const PAGE = "state-and-stream";

async function serverOf(t: TestContext, text: string): Promise<Server> {
  const { server } = (await run(t, text)) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

/** Calls `apply` with each message. */
function opened(t: TestContext, server: Server, apply: (message: never) => void): Connection {
  const connection = connect(server.url, { WebSocket: WebSocket as never });
  connection.onMessage((message) => apply(JSON.parse(String(message)) as never));
  t.after(() => connection.close());
  return connection;
}

/** A client of the board: it replaces its copy by each state, and applies each change. */
function boardOf(
  t: TestContext,
  server: Server,
): { copy: Map<string, number>; states: () => number; connection: Connection } {
  let states = 0;
  const copy = new Map<string, number>();
  const connection = opened(
    t,
    server,
    ({ state, key, value }: { state?: [string, number][]; key: string; value: number }) => {
      if (state === undefined) copy.set(key, value);
      else {
        states += 1;
        copy.clear();
        for (const [name, each] of state) copy.set(name, each);
      }
    },
  );
  return { copy, states: () => states, connection };
}

async function boardIsRight(t: TestContext, text: string): Promise<void> {
  const server = await serverOf(t, text);
  const writer = boardOf(t, server);
  const readers = [writer];
  for (let n = 1; n <= 100; n++) {
    writer.connection.send(JSON.stringify({ key: String(n % 7), value: n }));
    if (n % 10 === 0) readers.push(boardOf(t, server));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await until(() => readers.every(({ copy }) => copy.get("2") === 100), "all have the last change");
  for (const { copy, states } of readers) {
    assert.deepEqual([...copy].sort(), [...writer.copy].sort());
    assert.equal(states(), 1);
  }
}

describe("the guide to state and stream", () => {
  it("has each client with the same board, whenever it comes", async (t) => {
    await boardIsRight(t, program(PAGE, "// then the message"));
  });

  it("has a snapshot that members share, and the same board", async (t) => {
    await boardIsRight(t, program(PAGE, "running ??="));
  });

  it("has a client that keeps a copy of the board", async (t) => {
    const server = await serverOf(t, program(PAGE, "// then the message"));
    const client = start(t, block(PAGE, "// client.ts").replace("9090", `${server.port}`));
    await client.printed(/^Map\(1\) \{ 'a' => \d+ \}$/m);
    const writer = boardOf(t, server);
    writer.connection.send(JSON.stringify({ key: "b", value: 1 }));
    await client.printed(/^Map\(2\) \{ 'a' => \d+, 'b' => 1 \}$/m);
  });

  it("has each client count each change once, also where applying it twice would be wrong", async (t) => {
    const server = await serverOf(t, program(PAGE, "FOR UPDATE"));
    const counts: { value: number }[] = [];
    const join = (): Connection => {
      const own = { value: Number.NaN };
      counts.push(own);
      return opened(t, server, ({ count, add }: { count?: number; add: number }) => {
        own.value = count ?? own.value + add;
      });
    };
    const writer = join();
    for (let n = 1; n <= 100; n++) {
      writer.send("more");
      if (n % 10 === 0) join();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await until(() => counts.every(({ value }) => value === 100), "all have counted to 100");
  });

  it("has newcomers with the last price of each symbol, without those that are gone", async (t) => {
    const server = await serverOf(t, program(PAGE, "symbol"));
    const prices = (): { readonly heard: [string, number | null][]; readonly connection: Connection } => {
      const heard: [string, number | null][] = [];
      const connection = opened(t, server, ({ symbol, price }: { symbol: string; price: number | null }) => {
        heard.push([symbol, price]);
      });
      return { heard, connection };
    };
    const writer = prices();
    for (const [symbol, price] of [
      ["A", 1],
      ["B", 1],
      ["A", 2],
      ["C", 1],
      ["B", null],
    ]) {
      writer.connection.send(JSON.stringify({ symbol, price }));
    }
    await until(() => writer.heard.length === 5, "the writer has heard all");
    const newcomer = prices();
    await until(() => newcomer.heard.length >= 2, "the newcomer has the values");
    writer.connection.send(JSON.stringify({ symbol: "D", price: 1 }));
    await until(() => newcomer.heard.length >= 3, "the newcomer has the next one");
    assert.deepEqual(newcomer.heard, [
      ["A", 2],
      ["C", 1],
      ["D", 1],
    ]);
  });
});
