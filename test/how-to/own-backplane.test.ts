// The suite of docs/how-to/scaling-out.md for a backplane of the reader's own runs as it is printed: over a real Redis, whose
// backplane stands for theirs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { it } from "node:test";
import { promisify } from "node:util";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis.ts";
import { block, write } from "./programs.ts";

/** The functions that the page leaves to its reader. */
const READERS = `
import { Redis } from "ioredis";
import { redisBackplane } from "unichannel/redis";

async function startMyBroker() {
  return { url: process.env.REDIS_URL, kill: () => console.log("the broker is killed") };
}

async function connectMyClient(url) {
  const client = new Redis(url);
  return { client, end: () => client.quit() };
}

function myBackplane({ client }, options) {
  const backplane = redisBackplane(client, options);
  const close = backplane.close.bind(backplane);
  backplane.close = async () => {
    if (client.status === "end") throw new Error("the client was ended before its backplane");
    await close();
  };
  return backplane;
}
`;

it("the suite of the guide tests a backplane", { skip: needs("redis-server"), timeout: 120_000 }, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  // Redis keeps up to a node of its stream beyond the limit.
  const text = block("scaling-out", "backplaneContract").replace("return {\n", "return {\n    slack: 200,\n");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--test", "--test-reporter=tap", write(t, READERS + text)],
    { env: { ...env, REDIS_URL: `redis://127.0.0.1:${redis.port}` } },
  );
  assert.match(stdout, /^# pass [23]\d$/m);
  assert.match(stdout, /^# fail 0$/m);
  assert.match(stdout, /the broker is killed/);
});
