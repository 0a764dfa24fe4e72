// A server that has no file descriptors left (EMFILE), and gets them back.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RawClient } from "../support/raw-client.ts";
import { request } from "../support/serving.ts";
import { besieged } from "./siege.ts";

const CLIENTS = 120;

/** The client's result: the answer, or only the end of its connection. */
async function ask(client: RawClient): Promise<string> {
  client.write(request("GET /"));
  await client.until(() => client.isEnded || client.peek().includes("ok"), "an answer or the end");
  return client.isEnded ? "" : (await client.response()).text;
}

describe("A server without file descriptors", () => {
  const few = besieged({ maxFiles: 64 });
  const limited = besieged({ maxFiles: 128, server: { maxConnections: 20 } });

  it("serves those who have a connection, ends the others at once, and takes new ones as soon as it can", async (t) => {
    const siege = await few.begin(t);
    for (let times = 0; times < 3; times++) {
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => siege.connect()));
      const answers = await Promise.all(clients.map(ask));
      const served = answers.filter((answer) => answer === "ok").length;
      // Node opens some two dozen itself.
      assert.ok(served >= 20 && served < 64, `${served} of ${CLIENTS} were served`);
      // Clients that are connected go on, also while there is no descriptor left.
      const again = await Promise.all(clients.filter((_, at) => answers[at] === "ok").map(ask));
      assert.ok(again.every((answer) => answer === "ok"));
      for (const client of clients) client.reset();
      await siege.holds();
    }
  });

  it("says 503 instead where maxConnections comes first", async (t) => {
    const siege = await limited.begin(t);
    const clients = await Promise.all(Array.from({ length: 40 }, () => siege.connect()));
    const statuses = await Promise.all(
      clients.map(async (client) => {
        client.write(request("GET /"));
        return (await client.response()).status;
      }),
    );
    // The neighbours have three of the twenty.
    assert.equal(statuses.filter((status) => status === 200).length, 17);
    assert.equal(statuses.filter((status) => status === 503).length, 23);
    for (const client of clients) client.reset();
    await siege.holds();
  });
});
