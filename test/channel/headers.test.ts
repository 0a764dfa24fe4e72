import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HeadersInput, toFields } from "../../src/channel/headers.ts";

describe("the headers of a response", () => {
  it("are an object, a Fetch Headers, or pairs; undefined and null send nothing", () => {
    assert.deepEqual(toFields({ a: "1", b: 2, c: ["3", "4"], d: undefined, e: null }), [
      ...["a", "1", "b", "2"],
      ...["c", "3", "c", "4"],
    ]);
    assert.deepEqual(toFields(new Headers({ A: "1" })), ["a", "1"]);
    assert.deepEqual(toFields([["A", "1"]]), ["A", "1"]);
    assert.deepEqual(toFields(new Map([["A", "1"]])), ["A", "1"]);
  });

  const mistakes: Record<string, unknown> = {
    "a string": "a: b",
    "a promise": Promise.resolve({ a: "b" }),
    "an object as a value": { a: {} },
    "a function as a value": { a: () => "b" },
    "a symbol as a value": { a: Symbol("b") },
    "a promise as a value": { a: Promise.resolve("b") },
    "an object in a list of values": { a: ["b", {}] },
    "an object as the value of a pair": [["a", {}]],
    "a string in place of a pair": ["ab"],
    "a pair of three": [["a", "b", "c"]],
  };
  for (const [what, headers] of Object.entries(mistakes)) {
    it(`are BAD_HEADER if they have ${what}`, () => {
      assert.throws(() => toFields(headers as HeadersInput), { code: "BAD_HEADER" });
    });
  }
});
