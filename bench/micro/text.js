// @ts-check
// Text of a WebSocket message (src/codec/ws-message.ts): latin1 if unmasking found only ASCII; otherwise decoded, and
// validated only if the result has U+FFFD. Compared with UTF-8 always, validation before decoding, and a fatal TextDecoder.
import { bench, do_not_optimize, run, summary } from "mitata";
import { latin1, utf8 } from "../../dist/src/base/bytes.js";
import { Utf8Validator } from "../../dist/src/codec/utf8.js";

const decoder = new TextDecoder("utf-8", { fatal: true });

for (const [name, bytes] of /** @type {const} */ ([
  ["8 bytes of ASCII", Buffer.alloc(8, "unichannel ")],
  ["32 bytes of ASCII", Buffer.alloc(32, "unichannel ")],
  ["1 KiB of ASCII", Buffer.alloc(1024, "unichannel ")],
])) {
  summary(() => {
    bench(`${name}: latin1`, () => do_not_optimize(latin1(bytes)));
    bench(`${name}: utf8`, () => do_not_optimize(utf8(bytes)));
    bench(`${name}: TextDecoder`, () => do_not_optimize(decoder.decode(bytes)));
  });
}
for (const [name, bytes] of /** @type {const} */ ([
  ["30 bytes of CJK", Buffer.from("你好，世界。".repeat(2).slice(0, 10))],
  ["1 KiB of CJK", Buffer.from("你好，世界。".repeat(57))],
])) {
  summary(() => {
    bench(`${name}: decode, look for U+FFFD`, () => do_not_optimize(utf8(bytes).includes("\ufffd")));
    bench(`${name}: check, decode`, () => {
      const validator = new Utf8Validator();
      do_not_optimize(validator.push(bytes, 0, bytes.length) && validator.isComplete);
      do_not_optimize(utf8(bytes));
    });
    bench(`${name}: TextDecoder, fatal`, () => do_not_optimize(decoder.decode(bytes)));
  });
}

await run();
