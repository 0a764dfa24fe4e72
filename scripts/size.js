// @ts-check
// How big the client is in a page: bundled and minified by esbuild (esm, es2022), then gzip -9. Fails over its limit.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes after gzip. @type {Readonly<Record<string, number>>} */
const LIMITS = {
  connect: 11_950,
  ResumableWebSocket: 12_435,
  "connect, requests": 14_090,
  "connect, tabs": 18_100,
  StreamView: 1000,
};

for (const [name, limit] of Object.entries(LIMITS)) {
  const contents = name
    .split(", ")
    .map((one) => `export { ${one} } from "./dist/src/client/${one === "tabs" ? "tabs/" : ""}index.js";`)
    .join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const { contents: output } = outputFiles[0] ?? { contents: new Uint8Array() };
  const bytes = gzipSync(output, { level: 9 }).length;
  console.log(`${name}: ${bytes} bytes of gzip, ${output.length} minified; at most ${limit}`);
  if (bytes > limit) process.exitCode = 1;
}
