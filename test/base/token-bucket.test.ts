// Token buckets: what they give at once, how they fill, and what is owed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TokenBucket } from "../../src/base/token-bucket.ts";

/** How many single units can be taken at this time. */
function takeAll(bucket: TokenBucket, now: number): number {
  let count = 0;
  while (count < 1e6 && bucket.waitMs(now) === 0) {
    bucket.take(1);
    count += 1;
  }
  return count;
}

describe("a token bucket", () => {
  for (const [perSecond, burstMs, atOnce] of [
    [10, 1000, 10],
    [3, 1000, 3],
    [7, 10_000, 70],
    [9999, 1000, 9999],
    [100_000, 500, 50_000],
    [10, 0, 1],
    [0.5, 1000, 1],
    [0, 1000, 0],
    [0, 0, 0],
    [-0, 1000, 0],
  ] as const) {
    it(`of ${perSecond} in a second and ${burstMs} ms gives ${atOnce} at once, at any time of day`, () => {
      for (const now of [0, 1.7e12, 1.7e12 + 0.5])
        assert.equal(takeAll(new TokenBucket(perSecond, burstMs, now), now), atOnce);
    });
  }

  it("gives one when the time for one has passed, and not a millisecond earlier", () => {
    const bucket = new TokenBucket(10, 1000, 0);
    takeAll(bucket, 0);
    assert.equal(bucket.waitMs(0), 100);
    assert.equal(takeAll(bucket, 99), 0);
    assert.equal(takeAll(bucket, 100), 1);
    assert.equal(takeAll(bucket, 350), 2);
    assert.equal(takeAll(bucket, 400), 1);
  });

  it("holds no more than its burst, however long nobody takes anything", () => {
    const bucket = new TokenBucket(10, 1000, 0);
    assert.equal(takeAll(bucket, 1e9), 10);
    assert.equal(takeAll(bucket, 2e9), 10);
  });

  it("gives the rate over a long time, and the burst once", () => {
    const bucket = new TokenBucket(30, 1000, 0);
    let count = 0;
    for (let now = 0; now <= 100_000; now += 7) count += takeAll(bucket, now);
    // The last look is at 99,995 ms.
    assert.equal(count, 30 + 2999);
  });

  it("that owes something gives no unit before that is paid, and reports the time", () => {
    const bucket = new TokenBucket(1000, 1000, 0);
    assert.equal(bucket.waitMs(0), 0);
    bucket.take(3000);
    assert.equal(bucket.waitMs(0), 2001);
    assert.equal(bucket.waitMs(2000), 1);
    assert.equal(bucket.waitMs(2001), 0);
    assert.equal(bucket.isFull(2999), false);
    assert.equal(bucket.isFull(3000), true);
  });

  it("without a limit, or with an endless burst, gives everything", () => {
    assert.equal(takeAll(new TokenBucket(Number.POSITIVE_INFINITY, 1000, 0), 0), 1e6);
    assert.equal(takeAll(new TokenBucket(1, Number.POSITIVE_INFINITY, 0), 0), 1e6);
    assert.equal(new TokenBucket(Number.POSITIVE_INFINITY, 0, 0).waitMs(0), 0);
  });
});
