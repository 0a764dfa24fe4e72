// @ts-check
// Small binary messages (src/codec/ws-message.ts): a view of the bytes that were read, a copy by a loop (up to 32 bytes) and one by
// set().
import { bench, do_not_optimize, run, summary } from "mitata";

const read = Buffer.alloc(65_536, "unichannel ");

for (const size of [16, 32, 64, 1024]) {
  summary(() => {
    bench(`${size} bytes: a view`, () => do_not_optimize(read.subarray(10, 10 + size)));
    bench(`${size} bytes: a loop`, () => {
      const copied = Buffer.allocUnsafe(size);
      for (let i = 0; i < size; i++) copied[i] = Number(read[10 + i]);
      do_not_optimize(copied);
    });
    bench(`${size} bytes: set`, () => {
      const copied = Buffer.allocUnsafe(size);
      copied.set(read.subarray(10, 10 + size));
      do_not_optimize(copied);
    });
  });
}

await run();
