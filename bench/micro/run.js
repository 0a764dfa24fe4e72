// @ts-check
// Compares each optimization with the plain code, in a separate process: `node bench/micro/run.js [NAME…]`, after a
// build. The JIT's result depends on the code that ran before, so no two share a process.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const own = basename(import.meta.url);
const all = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".js") && file !== own);
const names = process.argv.slice(2);
const unknown = names.filter((name) => !all.includes(`${name}.js`));
if (unknown.length > 0) {
  console.error(
    `no such trick: ${unknown.join(", ")}; there are ${all.map((file) => basename(file, ".js")).join(", ")}`,
  );
  process.exit(2);
}
for (const file of all) {
  if (names.length > 0 && !names.includes(basename(file, ".js"))) continue;
  console.log(`\n${file}`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
