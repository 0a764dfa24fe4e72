// The files that npm would publish: every document among them is useful where it is installed, and nothing is in it twice.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, posix, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
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
  pack(into: string): Promise<{ folder: string; files: string[]; unpackedSize: number }>;
}>("pack.js");

const MAX_UNPACKED = 4_000_000;

// Inside the repository: the packages that some entries want are found there.
const into = resolve(mkdtempSync("dist/package-test-"));
after(() => rmSync(into, { recursive: true }));
const { folder, files, unpackedSize } = await pack(into);
const read = (path: string): string => readFileSync(join(folder, path), "utf8");
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.values(manifest.exports as Record<string, string | { default: string }>).flatMap((entry) =>
  typeof entry === "string" ? [] : [entry.default.slice(2)],
);

/** The names that a module exports. */
async function namesOf(path: string): Promise<string[]> {
  return Object.keys(await import(pathToFileURL(resolve(path)).href)).sort();
}

/** The size of `connect` in a page, from the files of a package: minified, then gzip -9. */
async function clientBytes(root: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export { connect } from "./dist/src/client/index.js";`, resolveDir: resolve(root) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

/** Returns as JSON the output of a program that uses the package; if it prints nothing, the files of the package that it loaded. */
function run(program: string): unknown {
  const hooks = `export function load(url, context, next) {
    if (url.includes("/dist/src/")) console.error("loaded " + url.slice(url.indexOf("dist/src/")));
    return next(url, context);
  }`;
  const file = join(folder, "program.mjs");
  const register = `import { register } from "node:module"; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});`;
  writeFileSync(file, program);
  const args = ["--import", `data:text/javascript,${encodeURIComponent(register)}`, file];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  rmSync(file);
  assert.equal(status, 0, stderr);
  const loaded = [...stderr.matchAll(/^loaded (.*)$/gm)].map(([, path]) => path!);
  return stdout === "" ? loaded : JSON.parse(stdout);
}
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

  it("has the same exports at each entry as the repository", async () => {
    for (const path of entries) {
      const [packed, own] = await Promise.all([join(folder, path), path].map(namesOf));
      assert.deepEqual(packed, own, path);
    }
  });

  it("has code of ASCII alone: V8 reads such a file byte by byte, and decodes every other one", () => {
    const code = files.filter((path) => path.startsWith("dist/src/") && path.endsWith(".js"));
    assert.ok(code.length > 30);
    assert.deepEqual(
      code.filter((path) => /[^\0-\x7f]/.test(read(path))),
      [],
    );
  });

  it("loads a server from three files of its own, besides that of the entry", () => {
    const loaded = run(`import "unichannel";`) as string[];
    const shared = ["common", "errors", "server"].map((name) => `dist/src/shared/${name}.js`);
    assert.deepEqual(loaded.sort(), ["dist/src/index.js", ...shared]);
  });

  it("gives a bundle that imports only ChannelError the texts of the server's errors, and nothing else of the server", async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { ChannelError } from "./dist/src/index.js"; export const { status } = new ChannelError("BAD_REQUEST");`,
        resolveDir: resolve(folder),
      },
      bundle: true,
      minify: true,
      format: "esm",
      platform: "node",
      write: false,
    });
    const { text } = outputFiles[0]!;
    const { status } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
    assert.equal(status, 400);
    assert.ok(text.length < 20_000, `${text.length} bytes`);
    const { sideEffects } = JSON.parse(read("package.json"));
    assert.deepEqual(
      sideEffects,
      ["./dist/src/index.js", "./dist/src/shared/errors.js"],
      "a bundler that skips re-exports",
    );
  });

  it("loads no module of the server with the client", () => {
    const loaded = run(`import "unichannel/client"; import "unichannel/tabs";`) as string[];
    assert.deepEqual(
      loaded.filter((path) => !path.startsWith("dist/src/client/")),
      ["dist/src/shared/common.js"],
    );
  });

  it("has one class of errors for all entries, and the texts of the server's errors", () => {
    const answer = run(`
      import { ChannelError } from "unichannel";
      import { connect } from "unichannel/client";
      let error;
      try { connect("x:"); } catch (thrown) { error = thrown; }
      console.log(JSON.stringify([error instanceof ChannelError, error.code, new ChannelError("BAD_REQUEST").status]));`);
    assert.deepEqual(answer, [true, "BAD_OPTION", 400]);
  });

  it("has a client that is no larger in a page than the repository's", async () => {
    const [packed = 0, own = 0] = await Promise.all([folder, "."].map(clientBytes));
    assert.ok(packed > 5000 && packed <= own, `${packed} bytes packed, ${own} in the repository`);
  });

  it("has an inspector with its page", () => {
    const answer = run(`
      import { serve } from "unichannel";
      import { inspector } from "unichannel/inspector";
      let inspect;
      const server = await serve((request) => inspect(request), { host: "127.0.0.1", port: 0 });
      inspect = inspector(server);
      const page = await (await fetch(server.url + "/")).text();
      const modules = [...page.matchAll(/modulepreload" href="([^"]+)"/g)].map(([, path]) => path);
      const codes = await Promise.all(modules.map(async (path) => (await fetch(server.url + "/" + path)).status));
      await server.stop();
      console.log(JSON.stringify([modules, codes]));`);
    assert.deepEqual(answer, [["inspector/page/main.js"], [200]]);
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
