// @ts-check
// The Date field (src/server/date-field.ts): made once a second by a timer, compared with reading the clock to see whether the
// second has changed, and with making it each time.
import { bench, do_not_optimize, run, summary } from "mitata";
import { systemClock } from "../../dist/src/base/clock.js";
import { dateField } from "../../dist/src/server/date-field.js";

const field = dateField(systemClock);
let second = 0;
let made = "";
// The first call starts the timer.
field();

summary(() => {
  bench("kept by a timer", () => do_not_optimize(field()));
  bench("kept, the clock asked", () => {
    const now = Math.floor(Date.now() / 1000);
    if (now !== second) {
      second = now;
      made = `Date: ${new Date().toUTCString()}\r\n`;
    }
    do_not_optimize(made);
  });
  bench("made each time", () => do_not_optimize(`Date: ${new Date().toUTCString()}\r\n`));
});

await run();
process.exit();
