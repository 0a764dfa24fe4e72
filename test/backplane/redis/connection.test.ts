// The connection to Redis, with a client that answers when it is told to, and in virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RedisClient } from "../../../src/backplane/redis/client.ts";
import { RedisLink } from "../../../src/backplane/redis/connection.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const TIMEOUT_MS = 5000;

/** A client with the shape of ioredis. Its duplicates share the list of commands. */
class StillClient {
  readonly commands: { readonly args: readonly unknown[]; answer(reply: unknown): void }[] = [];

  duplicate(): this {
    return this;
  }

  on(): void {}

  async connect(): Promise<void> {}

  disconnect(): void {}

  callBuffer(...args: unknown[]): Promise<unknown> {
    return new Promise((resolve) => this.commands.push({ args, answer: resolve }));
  }
}

async function linked(): Promise<{ link: RedisLink; client: StillClient; clock: VirtualClock; errors: unknown[] }> {
  const clock = new VirtualClock();
  const client = new StillClient();
  const errors: unknown[] = [];
  const link = new RedisLink(client as unknown as RedisClient, {
    ...{ clock, timeoutMs: TIMEOUT_MS, maxPendingBytes: 1000 },
    ...{ onUp() {}, onError: (error: unknown) => void errors.push(error) },
  });
  await link.firstAttempt;
  return { link, client, clock, errors };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe("the connection to Redis", () => {
  it("gives Redis its time from when the commands have left: a process that was busy sends them late", async () => {
    const { link, client, clock, errors } = await linked();
    const asked = link.send(["GET", "a"]);
    // As if it had been busy: the time passes before the end of the turn.
    clock.advance(TIMEOUT_MS - 1);
    await turn();
    clock.advance(TIMEOUT_MS - 1);
    assert.deepEqual(errors, []);
    client.commands[0]!.answer("here");
    assert.equal(await asked, "here");
    link.close();
  });

  it("gives a connection up that does not answer in time, and rejects all commands that wait", async () => {
    const { link, clock, errors } = await linked();
    const asked = ["a", "b"].map((key) => assert.rejects(link.send(["GET", key]), { code: "BACKPLANE_UNAVAILABLE" }));
    await turn();
    clock.advance(TIMEOUT_MS - 1);
    assert.deepEqual(errors, []);
    // The second check comes 1 ms after the first: a process that was busy reads in between.
    clock.advance(1);
    clock.advance(1);
    await Promise.all(asked);
    assert.equal(errors.length, 1);
    link.close();
  });

  it("refuses a command while more bytes wait for their replies than may", async () => {
    const { link, client } = await linked();
    const first = link.send(["SET", "a", "x".repeat(900)]);
    await assert.rejects(link.send(["SET", "b", "x".repeat(900)]), { code: "BACKPLANE_UNAVAILABLE" });
    client.commands[0]!.answer("OK");
    assert.equal(await first, "OK");
    const second = link.send(["SET", "b", "x".repeat(900)]);
    client.commands[1]!.answer("OK");
    assert.equal(await second, "OK");
    link.close();
  });
});
