import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Queue } from "../../src/base/queue.ts";

describe("a queue", () => {
  it("answers undefined when it is empty", () => {
    const queue = new Queue<number>();
    assert.equal(queue.shift(), undefined);
    assert.equal(queue.length, 0);
  });

  it("behaves like an array under any order of push, shift and clear", () => {
    const step = fc.oneof(
      fc.record({ verb: fc.constant("push" as const), count: fc.nat(200) }),
      fc.record({ verb: fc.constant("shift" as const), count: fc.nat(200) }),
      fc.record({ verb: fc.constant("clear" as const), count: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const queue = new Queue<number>();
        let model: number[] = [];
        let next = 0;
        for (const { verb, count } of steps) {
          if (verb === "push") {
            for (let i = 0; i < count; i++) {
              model.push(next);
              assert.equal(queue.push(next++), model.length);
            }
          } else if (verb === "shift") for (let i = 0; i < count; i++) assert.equal(queue.shift(), model.shift());
          else {
            queue.clear();
            model = [];
          }
          assert.equal(queue.length, model.length);
          assert.deepEqual([...queue], model);
          assert.deepEqual(queue.slice(3), model.slice(3));
          assert.equal(queue.at(0), model[0]);
          assert.equal(queue.at(-1), undefined);
        }
      }),
    );
  });
});
