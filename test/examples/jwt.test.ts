import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { type CarrierKind, connect } from "../../src/client/index.ts";
import { until } from "../support/wait.ts";
import { textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

const CARRIERS: readonly CarrierKind[] = ["websocket", "sse", "poll"];

describe("examples/jwt.js", () => {
  it("keeps the sessions of clients that renew their tokens, and ends the others", { timeout: TIMEOUT_MS }, (t) =>
    runExample(
      t,
      "jwt",
      async ({ url }) => {
        const tokenOf = async (): Promise<string> =>
          (JSON.parse(await textOf(`${url}/token`, { method: "POST" })) as { token: string }).token;
        assert.match(await textOf(url), /connect\("\/live", \{ params \}\)/);
        for (const token of ["", "a.b.c", `${await tokenOf()}x`]) {
          const answer = await fetch(`${url}/live?mode=poll`, { headers: { Authorization: `Bearer ${token}` } });
          assert.equal(answer.status, 401);
        }

        let asked = 0;
        const renewing = CARRIERS.map((carrier) =>
          connect(`${url}/live`, {
            WebSocket,
            carriers: [carrier],
            // The next carrier opens with another token.
            params: async () => ({ token: await tokenOf(), asked: `${(asked += 1)}` }),
          }),
        );
        const token = await tokenOf();
        const ending = CARRIERS.map((carrier) =>
          connect(`${url}/live`, {
            WebSocket,
            carriers: [carrier],
            headers: { Authorization: `Bearer ${token}` },
          }),
        );
        // A test that fails must not be kept alive by its clients.
        t.after(() => {
          for (const connection of renewing) connection.close();
        });
        const received: string[][] = renewing.map(() => []);
        for (const [at, connection] of renewing.entries())
          connection.onMessage((message) => received[at]!.push(String(message)));
        const ends = await Promise.all(ending.map(({ closed }) => closed));
        for (const { by, code } of ends) assert.deepEqual([by, code], ["server", 4401]);
        await until(
          () => received.slice(0, 2).every((texts) => texts.filter((text) => text.startsWith("good until")).length > 1),
          "tokens are renewed twice",
        );
        for (const [at, connection] of renewing.entries()) {
          assert.equal(connection.state, "open");
          assert.equal(received[at]![0], "hello ann");
          connection.send("still here");
        }
        await until(() => received.every((texts) => texts.at(-1) === "still here"), "all go on");
      },
      // A renewal that waits longer than the rest of a life, on a busy machine, ends the session.
      { LIFE_S: "8" },
    ),
  );
});
