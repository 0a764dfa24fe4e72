// The files that npm would publish: every document among them is useful where it is installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, it } from "node:test";

/** The files of the tarball. Without scripts: the build has run, and would run again. */
function packedFiles(): ReadonlySet<string> {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const answer = execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  // npm lists one package, as an array or, since npm 12, by its name.
  const [packed] = Object.values(JSON.parse(answer) as Record<string, { files: { path: string }[] }>);
  return new Set(packed!.files.map(({ path }) => path));
}

describe("the packed tarball", () => {
  const files = packedFiles();
  const documents = [...files].filter((path) => path.endsWith(".md"));

  it("has the documents", () => {
    for (const name of ["README.md", "CHANGELOG.md", "SECURITY.md", "PROTOCOL.md", "docs/how-to/getting-started.md"]) {
      assert.ok(documents.includes(name), name);
    }
  });

  it("has the file or folder of every relative link and picture in its documents", () => {
    const dead: string[] = [];
    for (const document of documents) {
      const text = readFileSync(document, "utf8").replace(/```[\s\S]*?```/g, "");
      const links = [...text.matchAll(/\]\(\s*<?([^)\s>]+)|(?:href|src)="([^"]+)"|^\[[^\]]+\]:\s*(\S+)/gm)];
      for (const [, inline, html, reference] of links) {
        const link = (inline ?? html ?? reference)!;
        if (/^[a-z]+:|^#|^\/\//i.test(link)) continue;
        const target = posix.join(posix.dirname(document), link.replace(/[#?].*$/, "")).replace(/\/$/, "");
        const isThere = files.has(target) || [...files].some((path) => path.startsWith(`${target}/`));
        if (!isThere) dead.push(`${document}: ${link}`);
      }
    }
    assert.deepEqual(dead, []);
  });
});
