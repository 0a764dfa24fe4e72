// @ts-check
// Unmasking (src/codec/ws-mask.ts): in place, in 32-bit words from 128 bytes on, with a check for ASCII in the same loop,
// compared with one byte after the other and a separate check for ASCII, which text needs.
import { bench, do_not_optimize, run, summary } from "mitata";
import { unmask } from "../../dist/src/codec/ws-mask.js";

const KEY = 0x37fa213d;
const KEY_BYTES = [0x37, 0xfa, 0x21, 0x3d];

for (const size of [32, 128, 512, 16_384]) {
  const bytes = Buffer.alloc(size, "unichannel ");
  summary(() => {
    bench(`${size} bytes: unmask`, () => do_not_optimize(unmask(bytes, 0, size, KEY, 0)));
    bench(`${size} bytes: byte by byte`, () => {
      let seen = 0;
      for (let i = 0; i < size; i++) seen |= bytes[i] = Number(bytes[i]) ^ Number(KEY_BYTES[i & 3]);
      do_not_optimize(seen < 0x80);
    });
  });
}

await run();
