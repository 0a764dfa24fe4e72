// @ts-check
// `npm run docs` serves the site and follows changes; `npm run docs:build` builds it into site/.vitepress/dist.
import { join } from "node:path";
import { build, createServer } from "vitepress";
import { bundleDemo } from "./demo.js";
import { writeReference } from "./reference.js";

const SITE = join(import.meta.dirname, "..");

await writeReference();
await bundleDemo();
if (process.argv[2] === "build") await build(SITE);
else {
  const server = await createServer(SITE);
  await server.listen();
  server.printUrls();
}
