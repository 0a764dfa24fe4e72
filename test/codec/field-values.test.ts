import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fieldValue, fieldValues, joinedValues } from "../../src/codec/field-values.ts";

describe("fieldValue", () => {
  it("finds the first field of a name, in any case", () => {
    const fields = ["Host", "a", "X-A", "1", "x-a", "2", "x-a-longer", "3"];
    assert.equal(fieldValue(fields, "x-a"), "1");
    assert.equal(fieldValue(fields, "host"), "a");
    assert.equal(fieldValue(fields, "a"), undefined);
    assert.equal(fieldValue([], "a"), undefined);
  });
});

describe("fieldValues and joinedValues", () => {
  it("find all fields of a name, in any case and in their order", () => {
    const fields = ["Accept", "a", "X-A", "1", "accept", "b, c"];
    assert.deepEqual(fieldValues(fields, "accept"), ["a", "b, c"]);
    assert.deepEqual(fieldValues(fields, "x-b"), []);
    assert.equal(joinedValues(fields, "accept"), "a, b, c");
    assert.equal(joinedValues(fields, "accept", "; "), "a; b, c");
    assert.equal(joinedValues(fields, "x-b"), undefined);
  });
});
