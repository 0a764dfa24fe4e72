// @ts-check
// How big the client is in a page: bundled and minified by esbuild (esm, es2022), then gzip -9. Fails over its limit.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes after gzip. @type {Readonly<Record<string, number>>} */
const LIMITS = { connect: 11_550, "connect, requests": 13_650, ResumableWebSocket: 12_050 };

for (const [name, limit] of Object.entries(LIMITS)) {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${name} } from "./dist/src/client/index.js";`, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const { contents } = outputFiles[0] ?? { contents: new Uint8Array() };
  const bytes = gzipSync(contents, { level: 9 }).length;
  console.log(`${name}: ${bytes} bytes of gzip, ${contents.length} minified; at most ${limit}`);
  if (bytes > limit) process.exitCode = 1;
}
