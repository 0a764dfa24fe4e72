import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/index.ts";
import { until } from "../support/wait.ts";
import { textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/chat.js", () => {
  it("lets a client on a WebSocket and one on polls talk to each other", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "chat", async ({ url }) => {
      assert.match(await textOf(url), /connect\("\/chat"\)/);
      assert.match(await textOf(`${url}/unichannel/client/connect.js`), /export function connect/);
      assert.match(
        await textOf(`${url}/unichannel/../../package.json`),
        /doctype/,
        "serves the library's modules only",
      );
      const transports = ["websocket", "poll"] as const;
      const people = transports.map((transport) => connect(`${url}/chat`, { WebSocket, carriers: [transport] }));
      const received: unknown[][] = people.map(() => []);
      for (const [at, person] of people.entries()) person.onMessage((line) => received[at]!.push(line));
      await until(() => people.every(({ state }) => state === "open"), "both are connected");
      people[0]!.send("one");
      await until(() => received.every(({ length }) => length === 1), "both receive the line");
      people[1]!.send("two");
      await until(() => received.every(({ length }) => length === 2), "both receive the answer");
      assert.deepEqual(received, [
        ["one", "two"],
        ["one", "two"],
      ]);
      for (const person of people) person.close();
    }),
  );
});
