import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callSync, guard, isThenable } from "../../src/base/guard.ts";
import { FAILING_WAYS } from "../support/failing-ways.ts";

describe("guard", () => {
  it("returns undefined for a call that returns nothing, and reports nothing", () => {
    const reported: unknown[] = [];
    assert.equal(
      guard(
        () => {},
        (error) => reported.push(error),
      ),
      undefined,
    );
    assert.deepEqual(reported, []);
  });

  for (const [what, call] of Object.entries(FAILING_WAYS)) {
    it(`reports once and neither throws nor rejects where the call ${what}`, async () => {
      const reported: unknown[] = [];
      await guard(call, (error) => reported.push(error));
      assert.equal(reported.length, 1);
    });
  }
});

describe("callSync", () => {
  it("returns the answer and throws what the function throws", () => {
    assert.equal(
      callSync("option", () => 7),
      7,
    );
    assert.throws(
      () =>
        callSync("option", () => {
          throw new RangeError("its own");
        }),
      RangeError,
    );
  });

  it("refuses a promise by the option's name, and takes its rejection", async () => {
    assert.throws(() => callSync("allowedOrigins", () => Promise.reject(new Error("nobody sees it"))), {
      code: "BAD_OPTION",
      message: /allowedOrigins returned a promise/,
    });
    await new Promise(setImmediate);
  });
});

describe("isThenable", () => {
  it("takes objects and functions with a then, and nothing that await does not wait for", () => {
    const waits = (): void => {};
    const withThen = <T extends object>(value: T, then: unknown): T =>
      // biome-ignore lint/suspicious/noThenProperty: such objects are tested
      Object.defineProperty(value, "then", { value: then });
    const thenables = [Promise.resolve(), withThen({}, waits), withThen(() => {}, waits)];
    for (const value of thenables) assert.equal(isThenable(value), true);
    for (const value of [{}, () => {}, withThen({}, 1), null, undefined, true, 0, "", "then", Symbol("then"), 1n]) {
      assert.equal(isThenable(value), false);
    }
    // biome-ignore lint/suspicious/noThenProperty: it must not be looked up
    Object.defineProperty(Boolean.prototype, "then", { value: waits, configurable: true });
    try {
      assert.equal(isThenable(true), false);
    } finally {
      Reflect.deleteProperty(Boolean.prototype, "then");
    }
  });
});
