// The files that npm would publish: every document among them is useful where it is installed, and nothing is in it twice.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { after, describe, it } from "node:test";
import { script } from "./script.ts";

interface Context {
  readonly address: string;
  readonly tag: string;
  isPacked(path: string): boolean;
  isFolder(path: string): boolean;
}

const { isAbsolute, linksOf, packedDocument } = await script<{
  isAbsolute(link: string): boolean;
  linksOf(markdown: string): string[];
  packedDocument(path: string, markdown: string, context: Context): string;
}>("lib/packed-documents.js");
const { repositoryFields, repositoryOf } = await script<{
  repositoryFields(address: string): object;
  repositoryOf(manifest: object): string;
}>("lib/repository.js");
const { pack } = await script<{
  pack(into: string): { folder: string; files: string[]; unpackedSize: number };
}>("pack.js");

const MAX_UNPACKED = 4_000_000;

const into = mkdtempSync(join(tmpdir(), "unichannel-pack-"));
after(() => rmSync(into, { recursive: true }));
const { folder, files, unpackedSize } = pack(into);
const read = (path: string): string => readFileSync(join(folder, path), "utf8");
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const base = `${repositoryOf(manifest)}/`;

describe("the packed tarball", () => {
  const documents = files.filter((path) => path.endsWith(".md"));

  it("has the documents", () => {
    const pages = ["tutorial", "how-to", "reference", "explanation"]
      .map((name) => `docs/${name}`)
      .filter((name) => existsSync(name))
      .flatMap((name) => readdirSync(name).map((file) => `${name}/${file}`))
      .filter((path) => path.endsWith(".md"));
    assert.ok(pages.length > 40);
    const others = ["README.md", "CHANGELOG.md", "SECURITY.md", "PROTOCOL.md", "docs/glossary.md", "docs/stability.md"];
    for (const path of [...others, ...pages]) assert.ok(documents.includes(path), path);
  });

  it("has the file or folder of every relative link in its documents and in llms.txt", () => {
    const dead: string[] = [];
    for (const document of [...documents, "llms.txt"]) {
      for (const link of linksOf(read(document))) {
        if (isAbsolute(link) || link.startsWith("#")) continue;
        const target = posix.join(posix.dirname(document), link.replace(/[#?].*$/, "")).replace(/\/$/, "");
        if (!files.some((path) => path === target || path.startsWith(`${target}/`))) dead.push(`${document}: ${link}`);
      }
    }
    assert.deepEqual(dead, []);
  });

  it("has a README without a relative link or picture: npmjs.com shows it alone", () => {
    const links = linksOf(read("README.md"));
    assert.ok(links.length > 50);
    assert.deepEqual(
      links.filter((link) => !link.startsWith("https://") && !link.startsWith("#")),
      [],
    );
  });

  it("links to files of the repository, at the tag of its version", () => {
    for (const document of documents) {
      for (const link of linksOf(read(document)).filter((target) => target.startsWith(base))) {
        const [, view, tag, path] = /^(raw|blob|tree)\/([^/]+)\/([^#]+)/.exec(link.slice(base.length))!;
        assert.equal(tag, `v${manifest.version}`, link);
        assert.equal(existsSync(path!), true, `${document}: ${link}`);
        assert.equal(view === "raw", /\.(svg|png)$/.test(path!), link);
      }
    }
  });

  it("has the two files of every export, and what the inspector's page needs", () => {
    const exports = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry as object),
    );
    for (const path of exports) assert.ok(files.includes(String(path).slice(2)), String(path));
    const page = readdirSync("src/inspector/page").filter((name) => /\.(html|css|svg)$/.test(name));
    assert.ok(page.length > 3);
    for (const name of page) assert.ok(files.includes(`src/inspector/page/${name}`), name);
  });

  it("has no source map, no reference to one, no source beside its compiled form, and nothing of the tests", () => {
    const unwanted = files.filter((path) =>
      /\.map$|tsbuildinfo$|tsconfig\.json$|\.test\.|^src\/.*\.ts$|^docs\/.*\.js$/.test(path),
    );
    assert.deepEqual(unwanted, []);
    const tests = files.filter((path) => path.startsWith("dist/test/"));
    assert.ok(
      tests.every((path) => /contract\/(backplane|codec|session-store)\.(js|d\.ts)$/.test(path)),
      tests.join(),
    );
    for (const path of files.filter((name) => /\.[jt]s$/.test(name))) {
      assert.doesNotMatch(read(path), /^\/\/# sourceMappingURL/m, path);
    }
    assert.ok(unpackedSize < MAX_UNPACKED, `${unpackedSize} bytes`);
  });

  it("has a manifest without scripts and development dependencies", () => {
    const packed = JSON.parse(read("package.json"));
    for (const name of ["scripts", "devDependencies", "workspaces"]) assert.equal(packed[name], undefined, name);
    assert.equal(packed.version, manifest.version);
  });
});

describe("a packed document", () => {
  const context = {
    address: "https://github.com/someone/unichannel",
    tag: "v1.2.3",
    isPacked: (path: string) => path === "docs/a.md",
    isFolder: (path: string) => path === "examples",
  };
  const at = "https://github.com/someone/unichannel";

  it("has absolute links in place of all relative ones, if it is the README", () => {
    const text =
      '[a](docs/a.md#b) ![p](docs/p.svg) <img src="docs/p.svg"> [e](examples/) [r](https://x.org) [h](#h)\n\n[d]: docs/a.md\n';
    assert.equal(
      packedDocument("README.md", text, context),
      `[a](${at}/blob/v1.2.3/docs/a.md#b) ![p](${at}/raw/v1.2.3/docs/p.svg) <img src="${at}/raw/v1.2.3/docs/p.svg"> ` +
        `[e](${at}/tree/v1.2.3/examples) [r](https://x.org) [h](#h)\n\n[d]: ${at}/blob/v1.2.3/docs/a.md\n`,
    );
  });

  it("keeps links to packed files, and code as it is", () => {
    const text = "[a](a.md) [s](../src/b.ts)\n\n```md\n[s](../src/b.ts)\n```\n";
    const expected = `[a](a.md) [s](${at}/blob/v1.2.3/src/b.ts)\n\n\`\`\`md\n[s](../src/b.ts)\n\`\`\`\n`;
    assert.equal(packedDocument("docs/c.md", text, context), expected);
  });
});

describe("the address of the repository", () => {
  it("is in package.json as one command writes it", () => {
    const { homepage, bugs, repository } = manifest;
    assert.deepEqual({ homepage, bugs, repository }, repositoryFields(repositoryOf(manifest)));
  });

  it("is refused if it is none", () => {
    for (const address of ["", "github.com/a/b", "https://github.com/a", "https://github.com/a/b.git"]) {
      assert.throws(() => repositoryFields(address), /not the address of a repository/, address);
    }
  });
});
