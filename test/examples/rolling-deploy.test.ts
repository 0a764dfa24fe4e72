import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { needs } from "../support/needs.ts";
import { runExample } from "./example.ts";

const TIMEOUT_MS = 300_000;
/** Every process is replaced once. */
const SHORT = { DEPLOYS: "3", PAUSE_MS: "500", CLIENTS: "12" };

describe("examples/rolling-deploy", { skip: needs("redis-server") || needs("nginx") }, () => {
  it("replaces three processes under load, and loses and doubles no message", { timeout: TIMEOUT_MS }, (t) =>
    runExample(
      t,
      "rolling-deploy/start",
      async ({ stdout }) => {
        const deadline = Date.now() + TIMEOUT_MS;
        while (!stdout().includes("longest pause") && Date.now() < deadline) await delay(100);
        const [, deploys, messages, ...others] =
          /^deploys: (\d+), messages: (\d+), lost: (\d+), doubled: (\d+), sessions lost: (\d+)$/m.exec(stdout()) ?? [];
        assert.deepEqual(others, ["0", "0", "0"], stdout());
        assert.equal(deploys, "3");
        assert.equal(
          stdout().match(/^deploy \d+: process \d+ for \d+; \d+ messages, lost: 0, doubled: 0$/gm)?.length,
          3,
        );
        // At least each client's messages to the server, the answers, and those of six clients in each room.
        assert.ok(Number(messages) > 12 * 8, `${messages} messages`);
      },
      SHORT,
    ),
  );
});
