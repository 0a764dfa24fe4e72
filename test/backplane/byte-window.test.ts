import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteWindow } from "../../src/backplane/byte-window.ts";

/** A window whose runs the test ends. */
function setUp(maxBytes: number) {
  const window = new ByteWindow(maxBytes);
  const running = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const run = (name: string, bytes: number): Promise<void> =>
    window.run(bytes, () => new Promise<void>((resolve, reject) => running.set(name, { resolve, reject })));
  const end = async (name: string): Promise<void> => {
    running.get(name)!.resolve();
    running.delete(name);
    await turn();
  };
  return { run, end, running: () => [...running.keys()].join("") };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe("a window of bytes", () => {
  it("runs as many at once as fit, and the others in the order of the calls", async () => {
    const { run, end, running } = setUp(10);
    for (const [name, bytes] of [
      ["a", 4],
      ["b", 6],
      ["c", 5],
      ["d", 1],
      ["e", 4],
      ["f", 1],
    ] as const)
      void run(name, bytes);
    assert.equal(running(), "ab");
    await end("a");
    // "d" would fit, but "c" is before it.
    assert.equal(running(), "b");
    await end("b");
    assert.equal(running(), "cde");
    await end("d");
    assert.equal(running(), "cef");
  });

  it("runs alone what is larger than the window", async () => {
    const { run, end, running } = setUp(10);
    void run("a", 1);
    void run("b", 11);
    void run("c", 1);
    assert.equal(running(), "a");
    await end("a");
    assert.equal(running(), "b");
    await end("b");
    assert.equal(running(), "c");
  });

  it("goes on after one that fails or throws", async () => {
    const window = new ByteWindow(1);
    const failing = window.run(1, () => Promise.reject(new Error("rejected")));
    const throwing = window.run(1, () => {
      throw new Error("thrown");
    });
    const last = window.run(1, async () => "done");
    await assert.rejects(failing, /rejected/);
    await assert.rejects(throwing, /thrown/);
    assert.equal(await last, "done");
  });

  it("does not start a later call before one that waits, in the turn in which the window becomes free", async () => {
    const window = new ByteWindow(1);
    const started: string[] = [];
    const run = (name: string): Promise<void> => window.run(1, async () => void started.push(name));
    const first = run("a");
    const second = run("b");
    void first.then(() => run("c"));
    await second;
    await turn();
    assert.deepEqual(started, ["a", "b", "c"]);
  });
});
