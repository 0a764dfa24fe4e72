// @ts-check
// Bundles the demo of the home page: the compiled server and client of this repository, as they are. The modules of Node that they import
// are replaced by those in site/demo/node.
import { join } from "node:path";
import { build } from "esbuild";

const SITE = join(import.meta.dirname, "..");
const NODE = join(SITE, "demo/node");

/** Writes site/.vitepress/cache/demo/main.js. */
export async function bundleDemo() {
  await build({
    entryPoints: [join(SITE, "demo/main.js")],
    outfile: join(SITE, ".vitepress/cache/demo/main.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    inject: [join(NODE, "globals.js")],
    plugins: [
      {
        name: "node-for-a-page",
        setup(builder) {
          builder.onResolve({ filter: /^node:/ }, ({ path }) => {
            const name = path.slice("node:".length);
            const file = ["crypto", "stream", "http", "net"].includes(name) ? `${name}.js` : "absent.js";
            return { path: join(NODE, file) };
          });
        },
      },
    ],
  });
}
