// @ts-check
// The table of clauses in conformance/README.md, read out of the tests: `node conformance/table.js` writes it, and with
// `--check` says whether it is as the tests are.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const TESTS = new URL("../test/conformance/", import.meta.url);
const README = new URL("README.md", import.meta.url);
const PLACE = /(<!-- clauses -->\n)[\s\S]*(<!-- end of clauses -->)/;
/** A call of `must`, `should` or `may`: its section and its sentence, both literals. */
const CLAUSE = /^\s*(must|should|may)\(\s*"(\d+) ([^"]+)",\s*"((?:[^"\\]|\\.)+)",/gm;
/** The same without looking at its arguments. */
const CALL = /^\s*(?:must|should|may)\(/gm;

/** @typedef {{ rfc: string, section: string, level: string, sentence: string, file: string }} Clause */

/** @returns {Clause[]} */
function clauses() {
  return readdirSync(TESTS)
    .filter((name) => name.endsWith(".test.ts"))
    .flatMap((file) => {
      const source = readFileSync(new URL(file, TESTS), "utf8");
      const found = [...source.matchAll(CLAUSE)].map(([, level = "", rfc = "", section = "", sentence = ""]) => {
        return { rfc, section, level: level.toUpperCase(), sentence: sentence.replace(/\\(.)/g, "$1"), file };
      });
      const calls = source.match(CALL)?.length ?? 0;
      if (found.length !== calls) throw new Error(`${file}: ${calls} clauses, of which ${found.length} can be read`);
      return found;
    });
}

/** §4.2.2 item 5 → [4, 2, 2, 5]. @param {string} section */
function numbers(section) {
  return section.split(",")[0]?.match(/\d+/g)?.map(Number) ?? [];
}

/** @param {Clause} a @param {Clause} b */
function bySection(a, b) {
  if (a.rfc !== b.rfc) return Number(a.rfc) - Number(b.rfc);
  const [left, right] = [numbers(a.section), numbers(b.section)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function table() {
  const lines = ["| section | | what is proven | test |", "| --- | --- | --- | --- |"];
  for (const { rfc, section, level, sentence, file } of clauses().sort(bySection)) {
    lines.push(
      `| RFC ${rfc} ${section} | ${level} | ${sentence.replaceAll("|", "\\|")} | \`${file.replace(".test.ts", "")}\` |`,
    );
  }
  return `${lines.join("\n")}\n`;
}

const readme = readFileSync(README, "utf8");
const wanted = readme.replace(PLACE, (_, start, end) => `${start}\n${table()}\n${end}`);
if (process.argv.includes("--check")) {
  if (wanted !== readme) {
    console.error("conformance/README.md is not as the tests are: node conformance/table.js writes it");
    process.exit(1);
  }
} else writeFileSync(README, wanted);
console.log(`${clauses().length} clauses`);
