// @ts-check
// The look at a response's fields for those that the connection writes itself (src/protocol/framing-headers.ts): names are told
// apart by their length first, beside a lower-case copy of each name. A head that was made before is not looked at again.
import { bench, do_not_optimize, run, summary } from "mitata";
import { readOwnFields } from "../../dist/src/protocol/framing-headers.js";

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
    bench(`${fields.length / 2} fields: by length`, () => do_not_optimize(readOwnFields(fields)));
    bench(`${fields.length / 2} fields: by name`, () => do_not_optimize(hasOwn(fields)));
  });
}

await run();
