import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callSync, guard } from "../../src/base/guard.ts";

const throwingGetter = {
  // biome-ignore lint/suspicious/noThenProperty: what an application may return by mistake is what is tested
  get then() {
    throw new Error("from the getter");
  },
};

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

  const faults: Record<string, () => unknown> = {
    "throws an Error": () => {
      throw new Error("thrown");
    },
    "throws undefined": () => {
      throw undefined;
    },
    rejects: () => Promise.reject(new Error("rejected")),
    "rejects with undefined": () => Promise.reject(undefined),
    "returns an object whose `then` getter throws": () => throwingGetter,
    "returns an object whose `then` throws": () => ({
      // biome-ignore lint/suspicious/noThenProperty: as above
      then() {
        throw new Error("from then");
      },
    }),
    "returns a function with a `then` that rejects": () =>
      // biome-ignore lint/suspicious/noThenProperty: such functions are what is tested
      Object.assign(() => {}, { then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("late")) }),
  };
  for (const [what, call] of Object.entries(faults)) {
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
