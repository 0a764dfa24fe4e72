// Arguments with which a benchmark would measure nothing are refused before anything runs.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { it } from "node:test";

const REFUSED: [args: string[], message: RegExp][] = [
  [["bench/run.js", "nothing"], /^no such row: nothing\n/],
  [["bench/run.js", "http-hello", "--peers", "ws"], /^no such peer: ws; there are unichannel, node:http, /],
  [["bench/run.js", "--rounds", "x"], /^--rounds x is not a number above zero\n/],
  [["bench/run.js", "--seconds", "0"], /^--seconds 0 is not a number above zero\n/],
  [["bench/run.js", "--connections=-1"], /^--connections -1 is not a number above zero\n/],
  [["bench/applications.js", "--minutes", "ten"], /^--minutes ten is not a number above zero\n/],
  [["bench/applications.js", "--every", "0"], /^--every 0 is not a number above zero\n/],
  [
    ["bench/applications.js", "app-chat", "--peers", "better-sse"],
    /^no such peer: better-sse; there are unichannel, ws, /,
  ],
];

for (const [args, message] of REFUSED) {
  it(`node ${args.join(" ")} is refused`, () => {
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.equal(status, 2);
    assert.match(stderr, message);
  });
}
