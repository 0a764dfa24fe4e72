// @ts-check
// A callback that runs after the current code has returned (src/base/microtask.ts): a promise reaction, compared with
// queueMicrotask. A hundred at a time, until all have run.
import { bench, run, summary } from "mitata";
import { inMicrotask } from "../../dist/src/base/microtask.js";

const COUNT = 100;
let ran = 0;
const work = () => {
  ran += 1;
};

/** @param {(fn: () => void) => void} later */
async function all(later) {
  ran = 0;
  for (let i = 0; i < COUNT; i++) later(work);
  await undefined;
  if (ran !== COUNT) throw new Error(`${ran} have run`);
}

summary(() => {
  bench(`${COUNT} reactions of a promise`, () => all(inMicrotask));
  bench(`${COUNT} of queueMicrotask`, () => all(queueMicrotask));
});

await run();
