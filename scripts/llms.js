// @ts-check
// `npm run llms` writes llms.txt; `node scripts/llms.js --check` fails if it is not up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { llmsText } from "./lib/llms.js";

const text = llmsText();
if (!process.argv.includes("--check")) writeFileSync("llms.txt", text);
else if (readFileSync("llms.txt", "utf8") !== text) {
  console.error("llms.txt is not up to date: npm run llms");
  process.exitCode = 1;
}
