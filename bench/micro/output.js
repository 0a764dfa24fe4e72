// @ts-check
// Sixteen small frames become one piece for one socket write: joined as latin1 strings (as in src/base/output.ts) or
// copied into one Buffer. `npx tsc --build && node bench/micro/output.js`. The write itself is not included.
import { bench, do_not_optimize, run, summary } from "mitata";
import { Output } from "../../dist/src/base/output.js";

const FRAMES = 16;
const frame = Buffer.alloc(34, "unichannel ");

summary(() => {
  bench("Output: latin1 strings, then the bytes that a write makes of them", () => {
    const output = new Output();
    for (let i = 0; i < FRAMES; i++) output.bytes(frame);
    do_not_optimize(Buffer.from(/** @type {string} */ (output.take()), "latin1"));
  });
  bench("Buffer.concat", () => {
    const frames = [];
    for (let i = 0; i < FRAMES; i++) frames.push(frame);
    do_not_optimize(Buffer.concat(frames));
  });
  bench("one allocation and Buffer.copy", () => {
    const output = Buffer.allocUnsafe(FRAMES * frame.length);
    for (let i = 0; i < FRAMES; i++) frame.copy(output, i * frame.length);
    do_not_optimize(output);
  });
});

await run();
