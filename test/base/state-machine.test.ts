import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Moves, StateMachine } from "../../src/base/state-machine.ts";

type Light = "green" | "yellow" | "red";

const MOVES: Moves<Light> = { green: ["yellow"], yellow: ["red"], red: [] };

describe("a state machine", () => {
  it("makes the moves of its table", () => {
    const light = new StateMachine("a light", MOVES, "green");
    assert.equal(light.tryMoveTo("yellow"), true);
    light.moveTo("red");
    assert.equal(light.current, "red");
    assert.deepEqual([light.is("red"), light.is("green")], [true, false]);
  });

  it("stays where it is when the table has no such move", () => {
    const light = new StateMachine("a light", MOVES, "green");
    assert.equal(light.tryMoveTo("red"), false);
    assert.throws(() => light.moveTo("red"), { message: "a light cannot go from green to red" });
    assert.equal(light.current, "green");
  });
});
