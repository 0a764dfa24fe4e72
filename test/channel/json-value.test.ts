import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { toJsonValue } from "../../src/channel/send-data.ts";

class User {
  readonly name = "Ada";
}

describe("a value that goes to another process as JSON", () => {
  for (const [what, value, expected] of [
    ["undefined", undefined, undefined],
    ["null", null, null],
    ["a text with lone surrogates", "\ud83d", "\ud83d"],
    ["plain objects and arrays", { a: [1, { b: null }] }, { a: [1, { b: null }] }],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["an object of another realm", runInNewContext("({ a: [{}] })"), { a: [{}] }],
    ["an object with toJSON", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["a field that is undefined", { a: undefined, b: 1 }, { b: 1 }],
  ] as const) {
    it(`is the same there: ${what}`, () => {
      assert.deepEqual(toJsonValue(value), expected);
    });
  }

  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const [what, value] of [
    ["a function", () => {}],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["a Map", new Map([[1, 2]])],
    ["a Set within an object", { seen: new Set() }],
    ["an object of a class", { user: new User() }],
    ["bytes", new Uint8Array(3)],
    ["a method of an object", { send() {} }],
    ["a circle", circle],
    ["a promise", Promise.resolve()],
  ] as const) {
    it(`is BAD_DATA where JSON would change it: ${what}`, () => {
      assert.throws(() => toJsonValue(value), { code: "BAD_DATA" });
    });
  }
});
