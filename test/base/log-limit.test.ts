import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelError } from "../../src/base/errors.ts";
import { kindOf, LogLimit } from "../../src/base/log-limit.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

interface Told {
  readonly kind: string;
  readonly count: number;
}

function limited(): { limit: LogLimit; clock: VirtualClock; told: Told[] } {
  const clock = new VirtualClock();
  const told: Told[] = [];
  return { limit: new LogLimit(clock, (kind, count) => told.push({ kind, count })), clock, told };
}

const admitted = (limit: LogLimit, kind: string, times: number): number =>
  Array.from({ length: times }, () => limit.admits(kind)).filter((isAdmitted) => isAdmitted).length;

describe("a limit of a log", () => {
  it("admits ten lines of a kind, and tells at the end of the window how many were left out", () => {
    const { limit, clock, told } = limited();
    assert.equal(admitted(limit, "a", 1000), 10);
    assert.deepEqual(told, []);
    clock.advance(9999);
    assert.deepEqual(told, []);
    clock.advance(1);
    assert.deepEqual(told, [{ kind: "a", count: 990 }]);
    assert.equal(admitted(limit, "a", 1000), 10);
  });

  it("does not let one kind hide another", () => {
    const { limit } = limited();
    assert.equal(admitted(limit, "a", 1000), 10);
    assert.equal(admitted(limit, "b", 3), 3);
  });

  it("reports nothing, and has no timer, if no line was left out", () => {
    const { limit, clock, told } = limited();
    assert.equal(admitted(limit, "a", 10), 10);
    assert.equal(clock.pending, 0);
    clock.advance(10_000);
    assert.equal(admitted(limit, "a", 10), 10);
    assert.deepEqual(told, []);
  });

  it("admits a hundred lines of all kinds together, and keeps no more kinds than that", () => {
    const { limit, told } = limited();
    let lines = 0;
    for (let i = 0; i < 10_000; i++) if (limit.admits(`kind ${i}`)) lines += 1;
    assert.equal(lines, 100);
    limit.flush();
    assert.deepEqual(told, [{ kind: "other kinds", count: 9900 }]);
  });

  it("reports the omitted lines once, when it is flushed", () => {
    const { limit, clock, told } = limited();
    admitted(limit, "a", 12);
    limit.flush();
    limit.flush();
    clock.advance(60_000);
    assert.deepEqual(told, [{ kind: "a", count: 2 }]);
    assert.equal(clock.pending, 0);
  });
});

describe("the kind of an error", () => {
  it("is its code, or its name with the beginning of its text", () => {
    assert.equal(kindOf(new ChannelError("BAD_MESSAGE", "of the client's choice")), "BAD_MESSAGE");
    assert.equal(kindOf(new TypeError("x is not a function")), "TypeError: x is not a function");
    assert.equal(kindOf(new Error("x".repeat(1000))).length, 120);
    assert.equal(kindOf("text"), "text");
    assert.equal(kindOf(undefined), "undefined");
  });

  it("is found for an error that cannot be read", () => {
    const odd = Object.defineProperty(new Error("odd"), "message", { get: () => assert.fail("not to be read") });
    assert.equal(kindOf(odd), "an error that cannot be read");
  });
});
