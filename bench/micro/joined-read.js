// @ts-check
// A message of 64 KiB that begins in one read of a socket and ends in the next (src/codec/ws-message.ts, `#fits`): its parts are joined in
// the memory of the first read, or in new memory. A read has memory of its own, which is not counted.
import { bench, do_not_optimize, run, summary } from "mitata";

const HEADER = 14;
const read = Buffer.alloc(65_536, "unichannel ");
const rest = Buffer.alloc(HEADER, "unichannel ");

summary(() => {
  bench("in the memory of the read", () => {
    read.copyWithin(0, HEADER);
    read.set(rest, read.length - HEADER);
    do_not_optimize(read);
  });
  bench("in new memory", () => {
    const joined = Buffer.allocUnsafe(read.length);
    joined.set(read.subarray(HEADER));
    joined.set(rest, read.length - HEADER);
    do_not_optimize(joined);
  });
});

await run();
