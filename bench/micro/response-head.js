// @ts-check
// Response heads (src/codec/http1-response.ts): string concatenation, with the status line from a map, compared with
// joining an array and making the status line each time, both with checks of names and values; and a cached head
// (src/protocol/response-head-cache.ts), which compares them.
import { bench, do_not_optimize, run, summary } from "mitata";
import { encodeResponseHead, reasonPhrase } from "../../dist/src/codec/http1-response.js";
import { isFieldValue, isToken } from "../../dist/src/codec/http1-syntax.js";
import { cachedHead } from "../../dist/src/protocol/response-head-cache.js";

const FEW = ["Content-Type", "text/plain"];
const MORE = [
  ...FEW,
  ...["Cache-Control", "no-store", "Vary", "Origin", "ETag", '"5d8c72a5edda8d6a"', "X-Content-Type-Options", "nosniff"],
];

/** @param {number} status @param {readonly string[]} fields */
function joined(status, fields) {
  const lines = [`HTTP/1.1 ${status} ${reasonPhrase(status)}`];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    if (!isToken(name) || !isFieldValue(value)) throw new Error(name);
    lines.push(`${name}: ${value}`);
  }
  return `${lines.join("\r\n")}\r\n`;
}

for (const fields of [FEW, MORE]) {
  const name = `${fields.length / 2} field${fields === FEW ? "" : "s"}`;
  summary(() => {
    // A write needs the bytes.
    bench(`${name}: encodeResponseHead`, () => do_not_optimize(Buffer.from(encodeResponseHead(200, fields), "latin1")));
    bench(`${name}: cachedHead`, () =>
      do_not_optimize(Buffer.from(cachedHead(200, [...fields], "", "", 11) ?? "", "latin1")),
    );
    bench(`${name}: join`, () => do_not_optimize(Buffer.from(joined(200, fields), "latin1")));
  });
}

await run();
