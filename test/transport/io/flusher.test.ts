import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Flusher } from "../../../src/transport/io/flusher.ts";

describe("Flusher", () => {
  it("flushes all targets though one of them throws, and reports it", () => {
    let run = (): void => {};
    const reports: unknown[] = [];
    const flusher = new Flusher(
      (scheduled) => {
        run = scheduled;
      },
      (error) => reports.push(error),
    );
    const flushed: string[] = [];
    const error = new Error("cannot be written");
    flusher.add({ flush: () => flushed.push("first") });
    flusher.add({
      flush() {
        throw error;
      },
    });
    flusher.add({ flush: () => flushed.push("last") });
    run();
    assert.deepEqual(flushed, ["first", "last"]);
    assert.deepEqual(reports, [error]);
  });
});
