import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";

// biome-ignore lint/suspicious/noExplicitAny: the programs of bench/ are compiled without declarations.
const load = (file: string): Promise<any> => import(pathToFileURL(file).href);
const { compareCounts, toChanges, toLine } = await load("bench/guard/compare.js");
const { perOperation, WINDOWS } = await load("bench/guard/count.js");
const { COUNTED } = await load("bench/guard/work.js");
const { PATH_NAMES } = await load("bench/lib/paths.js");
const { toInstructions } = await load("bench/lib/valgrind.js");

/** The row of one count. */
function row(what: string, before: number | undefined, now: number): { isWorse: boolean; isBetter: boolean } {
  const baseline = before === undefined ? {} : { "http-hello": { [what]: before } };
  return compareCounts({ "http-hello": { [what]: now } }, baseline)[0];
}

describe("the guard", () => {
  it("lets instructions grow by 2 %, and heap bytes by 3 % and 16", () => {
    const verdicts = [
      row("instructions per operation", 10_000, 10_200),
      row("instructions per operation", 10_000, 10_201),
      row("bytes per operation", 1000, 1046),
      row("bytes per operation", 1000, 1047),
      row("bytes per idle connection", 1000, 1047),
    ];
    assert.deepEqual(
      verdicts.map(({ isWorse }) => isWorse),
      [false, true, false, true, true],
    );
  });

  it("lets writes not grow at all", () => {
    assert.equal(row("writes per 1,000 operations", 63, 63).isWorse, false);
    assert.equal(row("writes per 1,000 operations", 63, 64).isWorse, true);
  });

  it("says which path is worse, with both numbers and the limit", () => {
    assert.equal(
      toLine(row("instructions per operation", 10_000, 11_000)),
      "WORSE  http-hello: 11000 instructions per operation (10000 in guard.json: +10.0 %, at most 10200)",
    );
  });

  it("says what is better by more than the tolerance, so that guard.json can get its number", () => {
    assert.match(toLine(row("instructions per operation", 10_000, 9000)), /^better http-hello: 9000 /);
    assert.match(toLine(row("instructions per operation", 10_000, 9900)), /^ {7}http-hello: 9900 /);
  });

  it("compares nothing for which guard.json has no number", () => {
    const { isWorse, isBetter } = row("bytes per operation", undefined, 5);
    assert.deepEqual([isWorse, isBetter], [false, false]);
    assert.match(toLine(row("bytes per operation", undefined, 5)), /no number to compare with/);
  });

  it("lists what an update changes", () => {
    const measured = {
      a: { "bytes per operation": 50 },
      b: { "bytes per operation": 7 },
      c: { "bytes per operation": 1 },
    };
    const baseline = { a: { "bytes per operation": 100 }, b: { "bytes per operation": 7 } };
    assert.deepEqual(toChanges(compareCounts(measured, baseline)), [
      "a: bytes per operation 100 → 50, -50.0 %",
      "c: bytes per operation none → 1",
    ]);
  });

  it("has heap bytes of each path, and the instructions of those that are counted", () => {
    const { heap, instructions } = JSON.parse(readFileSync("bench/guard.json", "utf8"));
    assert.deepEqual(Object.keys(heap["20"]).slice(0, PATH_NAMES.length), PATH_NAMES);
    assert.deepEqual(Object.keys(instructions["20 x64"].paths).toSorted(), COUNTED.toSorted());
    assert.deepEqual(
      COUNTED.filter((name: string) => !PATH_NAMES.includes(name)),
      [],
    );
  });
});

describe("instructions of a path", () => {
  const windows = (...counts: number[]): number[] => [9e9, ...counts];

  it("are those of the least window, divided by its operations", () => {
    assert.equal(WINDOWS, 5);
    const parts = [...windows(600, 500, 501, 900, 500), ...windows(70, 70, 70, 70, 71)];
    assert.deepEqual(
      perOperation(["a", "b"], [10, 7], parts),
      new Map([
        ["a", 50],
        ["b", 10],
      ]),
    );
  });

  it("are missing for a path that a checkout does not have, which has no parts", () => {
    const counts = perOperation(["a", "b"], ["TypeError: no such function", 10], windows(10, 10, 10, 10, 10));
    assert.deepEqual(
      [...counts],
      [
        ["a", "TypeError: no such function"],
        ["b", 1],
      ],
    );
  });

  it("are refused if parts are missing, because a window would get another one's count", () => {
    assert.throws(() => perOperation(["a"], [10], [1, 2, 3]), /counted 3 parts for 1 of 1 paths/);
  });

  it("are read from the sum in a file of callgrind", () => {
    const file =
      "version: 1\ncreator: callgrind-3.19.0\npart: 2\n\npositions: line\nevents: Ir\n\nfn=(1) main\n0 17\n\ntotals: 8973\n";
    assert.equal(toInstructions(file), 8973);
    assert.throws(() => toInstructions("version: 1\n"), /callgrind has written no counts/);
    assert.throws(() => toInstructions("events: Dr\ntotals: 5\n"), /callgrind has written no counts/);
  });
});
