// @ts-check
// One compressed message (src/transport/compression/deflate.ts): a zlib engine with as little memory as the message needs, compared
// with zlib's defaults.
import { constants, deflateRawSync } from "node:zlib";
import { bench, do_not_optimize, run, summary } from "mitata";
import { deflate } from "../../dist/src/transport/compression/deflate.js";

const text = "unichannel says hello to room 17, message 42; ";
const level = 1;

for (const size of [100, 1024, 16_384]) {
  const bytes = Buffer.alloc(size, text);
  summary(() => {
    bench(`${size} bytes: deflate`, () => do_not_optimize(deflate(bytes, { level, windowBits: 15 })));
    bench(`${size} bytes: deflateRawSync`, () =>
      do_not_optimize(deflateRawSync(bytes, { level, finishFlush: constants.Z_SYNC_FLUSH })),
    );
  });
}

await run();
