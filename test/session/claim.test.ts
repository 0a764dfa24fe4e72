import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Claim } from "../../src/session/claim.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

const IDLE_MS = 5000;
const RETRY_MS = 500;

/** A claim whose store the test answers, and what has happened. */
function claimed(): {
  claim: Claim;
  clock: VirtualClock;
  asked: PromiseWithResolvers<boolean>[];
  calls: string[];
} {
  const clock = new VirtualClock();
  const asked: PromiseWithResolvers<boolean>[] = [];
  const calls: string[] = [];
  const claim = new Claim({
    token: "t",
    clock,
    source: {
      claim() {
        const answer = withResolvers<boolean>();
        asked.push(answer);
        return answer.promise;
      },
    },
    onGranted: () => calls.push("granted"),
    onLost: () => calls.push("lost"),
  });
  return { claim, clock, asked, calls };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const settled = (): Promise<void> => new Promise(setImmediate);

describe("the claim on a session", () => {
  it("is not asked for while nothing is new, and by itself when its client says nothing for a while", () => {
    const { clock, asked } = claimed();
    clock.advance(IDLE_MS - 1);
    assert.equal(asked.length, 0);
    clock.advance(1);
    assert.equal(asked.length, 1);
  });

  it("is asked for once, however much is new", async () => {
    const { claim, clock, asked, calls } = claimed();
    claim.request();
    claim.request();
    clock.advance(IDLE_MS);
    assert.equal(asked.length, 1);
    asked[0]!.resolve(true);
    await settled();
    claim.request();
    assert.deepEqual([calls, asked.length, clock.pending], [["granted"], 1, 0]);
  });

  it("that another process has is lost", async () => {
    const { claim, asked, calls, clock } = claimed();
    claim.request();
    asked[0]!.resolve(false);
    await settled();
    assert.deepEqual([calls, clock.pending], [["lost"], 0]);
  });

  it("is asked for again until the store answers", async () => {
    const { claim, clock, asked, calls } = claimed();
    claim.request();
    for (let round = 1; round <= 3; round++) {
      assert.equal(asked.length, round);
      asked.at(-1)!.reject(new Error("away"));
      await settled();
      clock.advance(RETRY_MS - 1);
      await settled();
      assert.equal(asked.length, round);
      clock.advance(1);
      await settled();
    }
    asked.at(-1)!.resolve(true);
    await settled();
    assert.deepEqual(calls, ["granted"]);
  });

  for (const answer of [true, false]) {
    it(`that was given up tells nobody of the late answer ${answer}`, async () => {
      const { claim, asked, calls, clock } = claimed();
      claim.request();
      claim.giveUp();
      asked[0]!.resolve(answer);
      await settled();
      assert.deepEqual([calls, clock.pending], [[], 0]);
    });
  }

  it("that was given up before it was asked for is never asked for", () => {
    const { claim, clock, asked } = claimed();
    claim.giveUp();
    claim.request();
    clock.advance(IDLE_MS);
    assert.equal(asked.length, 0);
  });

  it("that was given up between two attempts is not asked for again", async () => {
    const { claim, clock, asked } = claimed();
    claim.request();
    asked[0]!.reject(new Error("away"));
    await settled();
    claim.giveUp();
    clock.advance(10 * RETRY_MS);
    await settled();
    assert.equal(asked.length, 1);
  });
});
