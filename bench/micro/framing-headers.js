// @ts-check
// Finding a response's fields that the connection writes itself (src/protocol/framing-headers.ts): names are compared by
// their length first, instead of by a lower-case copy of each. A cached head is not checked again.
import { bench, do_not_optimize, run, summary } from "mitata";
import { readFramingFields } from "../../dist/src/protocol/framing-headers.js";

const OWN = new Set(["date", "server", "connection", "keep-alive", "content-length", "transfer-encoding"]);

const FEW = ["Content-Type", "text/plain"];
const MORE = [
  ...FEW,
  "Cache-Control",
  "no-store",
  "Vary",
  "Origin",
  "ETag",
  '"5d8c"',
  "X-Content-Type-Options",
  "nosniff",
];

/** @param {readonly string[]} fields */
function hasOwn(fields) {
  for (let i = 0; i < fields.length; i += 2) if (OWN.has((fields[i] ?? "").toLowerCase())) return true;
  return false;
}

for (const fields of [FEW, MORE]) {
  summary(() => {
    bench(`${fields.length / 2} fields: by length`, () => do_not_optimize(readFramingFields(fields)));
    bench(`${fields.length / 2} fields: by name`, () => do_not_optimize(hasOwn(fields)));
  });
}

await run();
