import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkAmount,
  checkBoolean,
  checkFinite,
  checkInteger,
  checkList,
  checkMethods,
  checkOneOf,
  checkOptions,
  isPlain,
  show,
} from "../../src/base/option-values.ts";

const TABLE = { size: checkAmount, isFast: checkBoolean };

describe("checkOptions", () => {
  it("accepts values that its table allows, and undefined", () => {
    for (const options of [{}, { size: 0, isFast: false }, { size: undefined }, Object.create({ size: 1 })]) {
      checkOptions("make", options, TABLE);
    }
  });

  it("names the option, the value and what is allowed", () => {
    const message = (options: unknown): string => {
      try {
        checkOptions("make", options, TABLE, "outer.");
      } catch (error) {
        return (error as Error).message;
      }
      return assert.fail("nothing was refused");
    };
    assert.match(message({ size: "5" }), /outer\.size is "5"; it must be a number, 0 or more$/);
    assert.match(message({ isFast: null }), /outer\.isFast is null; it must be true or false$/);
    assert.match(message({ sise: 1 }), /make has no option "sise"; did you mean "size"\?$/);
    assert.match(message({ toString: 1 }), /make has no option "toString"/);
    assert.match(message(null), /the options of make must be an object, not null$/);
  });

  it("lets a getter throw as it is", () => {
    const options = {
      get size(): number {
        throw new RangeError("got");
      },
    };
    assert.throws(() => checkOptions("make", options, TABLE), { name: "RangeError", message: "got" });
  });
});

describe("the checks of values", () => {
  const BAD = { code: "BAD_OPTION" };

  it("know the border of numbers", () => {
    for (const value of [0, -0, 0.5, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) checkAmount("x", value);
    for (const value of [-Number.MIN_VALUE, Number.NaN, "0", null, undefined, 1n, []]) {
      assert.throws(() => checkAmount("x", value), BAD);
    }
    checkFinite("x", 0);
    assert.throws(() => checkFinite("x", Number.POSITIVE_INFINITY), BAD);
    for (const value of [1, 9]) checkInteger(1, 9)("x", value);
    for (const value of [0, 10, 1.5, "1", null, Number.NaN]) assert.throws(() => checkInteger(1, 9)("x", value), BAD);
  });

  it("know lists, words and methods", () => {
    const list = checkList("letters", (text) => text.length === 1);
    for (const value of [[], ["a"], ["a", "b"]]) list("x", value);
    assert.throws(() => list("x", "a"), { ...BAD, message: /x is "a"; it must be a list of letters: write \["a"\]$/ });
    assert.throws(() => list("x", ["a", "bc"]), { ...BAD, message: /x\[1\] is "bc"; it must be one of letters$/ });
    assert.throws(() => list("x", ["a", 5]), BAD);
    assert.throws(() => list("x", ["a", "a"]), { ...BAD, message: /x has "a" twice/ });
    assert.throws(() => list("x", new Set(["a"])), BAD);
    assert.throws(() => checkOneOf("close", "drop")("x", "wait"), { ...BAD, message: /must be "close" or "drop"$/ });
    const methods = checkMethods("a clock", ["now", "later"]);
    methods("x", { now() {}, later() {} });
    methods(
      "x",
      new (class {
        now(): void {}
        later(): void {}
      })(),
    );
    assert.throws(() => methods("x", { now() {} }), { ...BAD, message: /x has no method later; it must be a clock$/ });
    for (const value of [null, 5, "x"]) assert.throws(() => methods("x", value), BAD);
  });

  it("print any value without calling it", () => {
    const throwing = { toString: () => assert.fail(), [Symbol.toPrimitive]: () => assert.fail() };
    assert.equal(show(throwing), "an object");
    assert.equal(show(Symbol("s")), "Symbol(s)");
    assert.equal(show([throwing]), "a list");
    assert.equal(show(class A {}), "a function");
    assert.equal(show("x".repeat(1000)).length, 103);
  });

  it("take objects without a class for literals", () => {
    for (const value of [{}, { a: 1 }, Object.create(null)]) assert.ok(isPlain(value));
    for (const value of [new Error(), new Date(), new Map(), [], null, "x", () => {}, new (class A {})()]) {
      assert.ok(!isPlain(value));
    }
  });
});
