import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { needs } from "../support/needs.ts";
import { events, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/cluster", { skip: needs("redis-server") }, () => {
  it("gives the members of three processes the same messages with the same ids", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "cluster/start", async ({ url }) => {
      const group = `${url}/?group=a`;
      const listening = Promise.all([1, 2, 3].map(() => events(group, {}, 2)));
      const deadline = Date.now() + 20_000;
      while ((await textOf(`${url}/who?group=a`)).trim().split("\n").length < 3) {
        assert.ok(Date.now() < deadline, "three members are present");
        await delay(50);
      }
      for (const body of ["one", "two"]) assert.match(await textOf(group, { method: "POST", body }), /^published/);
      const received = await listening;
      for (const one of received) assert.deepEqual(one, received[0], "all processes send the same, with the same ids");
      const ids = received[0]!.map((event) => /^id: (.*)$/m.exec(event)?.[1] ?? "");
      const [missed] = await events(group, { "Last-Event-ID": ids[0]! }, 1);
      assert.equal(missed, `id: ${ids[1]}\ndata: two`);
    }),
  );
});
