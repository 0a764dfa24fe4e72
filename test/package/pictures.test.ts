// The pictures of the documents are those that their source draws, can be read on a phone, and are used.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";

const FOLDERS = ["docs/pictures", "bench/results/charts"];
const pictures = FOLDERS.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".svg"))
    .map((name) => `${folder}/${name}`),
);

describe("the pictures of the documents", () => {
  it("are up to date", () => {
    execFileSync(process.execPath, ["docs/pictures/draw.js", "--check"], { stdio: "pipe" });
    assert.ok(pictures.length > 40);
  });

  it("are charts that say in words what was measured, and small beneath the row and its exact title", async () => {
    const { TITLES } = await import(pathToFileURL("bench/rows/titles.js").href);
    const charts = pictures.filter((path) => path.startsWith("bench/"));
    assert.ok(charts.length > 40);
    for (const path of charts) {
      const name = path.slice(path.lastIndexOf("/") + 1, -".svg".length);
      const svg = readFileSync(path, "utf8");
      const lines = [...svg.matchAll(/<text class="(title|unit)" x="8"[^>]*>([^<]*)</g)];
      const title = lines.flatMap(([, kind, text]) => (kind === "title" ? [text] : [])).join(" ");
      assert.equal(title, TITLES[name], `${path}: npm run bench:report`);
      assert.ok(lines.find(([, kind]) => kind === "unit")?.[2]?.startsWith(`${name}: `), path);
    }
  });

  it("have two numbers at least at the scale of a curve, and names of lines that do not touch", () => {
    const drawn = pictures.filter((path) => readFileSync(path, "utf8").includes("both scales are logarithmic"));
    assert.ok(drawn.length > 4);
    for (const path of drawn) {
      const svg = readFileSync(path, "utf8");
      assert.ok([...svg.matchAll(/text-anchor="end">[\d.,]+</g)].length >= 2, path);
      const names = [...svg.matchAll(/<\/?polyline[^>]*><text x="[^"]*" y="([^"]*)"/g)].map(([, y]) => Number(y));
      names.sort((a, b) => a - b);
      for (const [index, y] of names.entries())
        assert.ok(index === 0 || y - names[index - 1]! > 13, `${path}: ${names}`);
    }
  });

  it("are of rates and sizes above zero", () => {
    for (const path of pictures.filter((path) => path.startsWith("bench/"))) {
      assert.doesNotMatch(readFileSync(path, "utf8"), />-[\d.,]+</, path);
    }
  });

  for (const path of pictures) {
    it(`${path} has a name, a dark form, and text of 10 px on a phone`, () => {
      const svg = readFileSync(path, "utf8");
      assert.match(svg, /role="img" aria-label(?:ledby)?="[^"]/);
      assert.match(svg, /@media \(prefers-color-scheme: dark\)/);
      const width = Number(/viewBox="0 0 (\d+) /.exec(svg)![1]);
      const sizes = [...svg.matchAll(/font(?:-size)?: (\d+)px/g)].map(([, size]) => Number(size));
      // A phone of 390 px has 358 px between the margins of a page.
      assert.ok((Math.min(...sizes) * 358) / width > 9.5, `${Math.min(...sizes)} px in ${width}`);
    });
  }

  it("are each in a document", () => {
    const documents = ["README.md", "ARCHITECTURE.md", "bench/results/README.md"].concat(
      (readdirSync("docs", { recursive: true }) as string[])
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
    );
    const all = documents.map((path) => readFileSync(path, "utf8")).join("");
    for (const path of pictures) assert.ok(all.includes(path.slice(path.lastIndexOf("/"))), path);
  });
});
