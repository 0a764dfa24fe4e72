// @ts-check
// Checks whether text is a token or a field value (src/codec/http1-syntax.ts): a compiled pattern for strings, compared with a
// loop over the table of classes.
import { bench, do_not_optimize, run, summary } from "mitata";
import { CLASS, isFieldValue, isToken, TOKEN, VALUE } from "../../dist/src/codec/http1-syntax.js";

/** @param {string} text @param {number} kind */
function isAll(text, kind) {
  for (let i = 0; i < text.length; i++) if ((Number(CLASS[text.charCodeAt(i)]) & kind) === 0) return false;
  return text.length > 0;
}

for (const text of ["Host", "Sec-WebSocket-Extensions"]) {
  summary(() => {
    bench(`${text}: pattern`, () => do_not_optimize(isToken(text)));
    bench(`${text}: table`, () => do_not_optimize(isAll(text, TOKEN)));
  });
}
const value = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
summary(() => {
  bench("a value of 70 characters: pattern", () => do_not_optimize(isFieldValue(value)));
  bench("a value of 70 characters: table", () => do_not_optimize(isAll(value, VALUE)));
});

await run();
