import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkOptionNames } from "../../src/base/option-names.ts";

const KNOWN = ["port", "host", "allowedOrigins", "maxMessageBytes"];

describe("names of options", () => {
  it("passes known names and an empty object", () => {
    checkOptionNames("serve", { port: 1, host: "x" }, KNOWN);
    checkOptionNames("serve", {}, KNOWN);
  });

  for (const [wrong, near] of [
    ["allowedOrigin", "allowedOrigins"],
    ["maxmessagebytes", "maxMessageBytes"],
    ["prot", "port"],
  ] as const) {
    it(`suggests ${near} for ${wrong}`, () => {
      assert.throws(() => checkOptionNames("serve", { [wrong]: 1 }, KNOWN), {
        code: "BAD_OPTION",
        message: new RegExp(`serve has no option "${wrong}"; did you mean "${near}"\\?`),
      });
    });
  }

  it("lists all names where none is near", () => {
    assert.throws(() => checkOptionNames("serve", { zebra: 1 }, KNOWN), {
      message: /known are port, host, allowedOrigins, maxMessageBytes/,
    });
  });

  for (const options of [null, "x", 5, []]) {
    it(`refuses ${JSON.stringify(options)} instead of an object`, () => {
      assert.throws(() => checkOptionNames("serve", options, KNOWN), {
        code: "BAD_OPTION",
        message: /must be an object/,
      });
    });
  }
});
