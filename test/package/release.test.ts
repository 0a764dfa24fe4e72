// `npm run release`: it finds each reason not to publish, changes nothing by itself, and publishes what `npm run pack` has made.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { script } from "./script.ts";

const { compareVersions, distTagOf, releaseFaults } = await script<{
  compareVersions(a: string, b: string): number;
  distTagOf(version: string): string;
  releaseFaults(facts: object): string[];
}>("lib/release-checks.js");

const READY = {
  manifest: { version: "1.2.0", repository: { url: "git+https://github.com/someone/unichannel.git" } },
  lock: { version: "1.2.0" },
  changelog: "# Changelog\n\n## 1.2.0 (2026-11-28)\n\n- New.\n\n## 1.1.0 (2026-10-01)\n\n- Old.\n",
  changed: "",
  head: "abc",
  tags: new Map([["v1.1.0", "old"]]),
  isLlmsCurrent: true,
};

describe("the checks of a release", () => {
  it("find nothing where everything is ready", () => {
    assert.deepEqual(releaseFaults(READY), []);
    assert.deepEqual(releaseFaults({ ...READY, tags: new Map([["v1.2.0", "abc"]]) }), []);
  });

  const faults: readonly (readonly [what: string, change: Partial<typeof READY>, said: RegExp])[] = [
    [
      "a version that is none",
      {
        manifest: { ...READY.manifest, version: "1.2" },
        lock: { version: "1.2" },
        changelog: "## 1.2 (2026-11-28)\n\n- New.\n",
      },
      /not a version/,
    ],
    ["a lock file of another version", { lock: { version: "1.1.0" } }, /package-lock\.json has version 1\.1\.0/],
    [
      "a placeholder for the repository",
      { manifest: { version: "1.2.0", repository: { url: "git+https://github.com/OWNER/unichannel.git" } } },
      /placeholder/,
    ],
    ["a changelog without the version", { changelog: "## 1.1.0 (2026-10-01)\n\n- Old.\n" }, /begins with 1\.1\.0/],
    ["a changelog without any version", { changelog: "# Changelog\n" }, /begins with no version/],
    ["a version without a date", { changelog: "## 1.2.0 (unreleased)\n\n- New.\n" }, /no date but "unreleased"/],
    [
      "a version without a line",
      { changelog: "## 1.2.0 (2026-11-28)\n\n## 1.1.0 (2026-10-01)\n\n- Old.\n" },
      /nothing is written/,
    ],
    ["files that changed", { changed: " M README.md\n" }, /not clean:\n M README\.md/],
    ["a tag at another commit", { tags: new Map([["v1.2.0", "other"]]) }, /at another commit/],
    ["a later version", { tags: new Map([["v1.10.0", "other"]]) }, /v1\.10\.0 is a later version/],
    ["an old llms.txt", { isLlmsCurrent: false }, /npm run llms/],
  ];
  for (const [what, change, said] of faults) {
    it(`find ${what}`, () => {
      const found = releaseFaults({ ...READY, ...change });
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0]!, said);
    });
  }

  it("compare versions by their numbers, and put a candidate before its version", () => {
    const sorted = [
      "0.9.0",
      "1.0.0-rc.2",
      "1.0.0-rc.10",
      "1.0.0",
      "1.0.1",
      "1.2.0",
      "1.10.0",
      "2.0.0-beta.1",
      "2.0.0-rc.1",
    ];
    assert.deepEqual([...sorted].reverse().sort(compareVersions), sorted);
    assert.deepEqual(["1.0.0-rc.1", "1.0.0"].map(distTagOf), ["next", "latest"]);
  });
});

describe("npm run release", () => {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-release-"));
  const published: { path: string; body: Record<string, unknown> }[] = [];
  /** A registry that takes everything. */
  const registry = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === "PUT") {
      published.push({ path: request.url!, body: JSON.parse(Buffer.concat(chunks).toString()) });
      response.writeHead(201, { "Content-Type": "application/json" }).end("{}");
    } else response.writeHead(404, { "Content-Type": "application/json" }).end("{}");
  });
  const git = (...args: string[]): string => execFileSync("git", args, { cwd: folder, encoding: "utf8" });
  const commit = (): void => {
    git("add", "--all");
    git("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", "Change");
  };
  const release = async (...args: string[]): Promise<{ code: number; output: string }> => {
    const env = {
      ...process.env,
      GIT_COMMITTER_NAME: "test",
      GIT_COMMITTER_EMAIL: "test@example.org",
      npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
      [`npm_config_//127.0.0.1:${(registry.address() as AddressInfo).port}/:_authToken`]: "none",
    };
    const child = spawn(process.execPath, ["scripts/release.js", ...args], { cwd: folder, env });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    const [code] = (await once(child, "close")) as [number];
    return { code, output };
  };

  before(async () => {
    registry.listen(0, "127.0.0.1");
    await once(registry, "listening");
    // A repository with the documents and scripts of this one, and a package that builds and tests itself in no time.
    for (const path of ["scripts", "docs", "bench/results/README.md", ...documents()]) {
      cpSync(path, join(folder, path), { recursive: true });
    }
    const manifest = JSON.parse(readFileSync("package.json", "utf8"));
    const scripts = { test: "node -e 0", check: "node -e 0", pack: `node ${resolve("scripts/pack.js")}` };
    const small = {
      ...manifest,
      scripts,
      files: ["llms.txt"],
      exports: { ".": { default: "./dist/src/index.js" } },
      sideEffects: [],
      workspaces: undefined,
      devDependencies: {},
      peerDependencies: {},
    };
    writeFileSync(join(folder, "package.json"), JSON.stringify(small));
    const lock = {
      name: "unichannel",
      version: manifest.version,
      lockfileVersion: 3,
      packages: { "": { version: manifest.version } },
    };
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
    writeFileSync(join(folder, ".gitignore"), "dist/\nnode_modules/\n");
    for (const path of ["dist/src/index.js", "dist/src/inspector/page/main.js"]) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), "export {};\n");
    }
    writeFileSync(join(folder, "CHANGELOG.md"), `# Changelog\n\n## ${manifest.version} (unreleased)\n\n- New.\n`);
    git("init", "--quiet");
    execFileSync(process.execPath, ["scripts/llms.js"], { cwd: folder });
    commit();
  });

  after(() => {
    registry.close();
    rmSync(folder, { recursive: true });
  });

  it("says what is not ready, and publishes nothing", async () => {
    for (const args of [[], ["--publish", "--without-provenance"]]) {
      const { code, output } = await release(...args);
      assert.equal(code, 1);
      assert.match(output, /not ready: package\.json: \S+ is a placeholder/);
      assert.match(output, /not ready: CHANGELOG\.md: \S+ has no date/);
    }
    assert.deepEqual(published, []);
  });

  it("prints what it would do, and changes nothing", async () => {
    execFileSync(process.execPath, [resolve("scripts/repository.js"), "https://github.com/someone/unichannel"], {
      cwd: folder,
    });
    const changelog = readFileSync(join(folder, "CHANGELOG.md"), "utf8");
    writeFileSync(join(folder, "CHANGELOG.md"), changelog.replace("unreleased", "2026-11-28"));
    commit();
    const { code, output } = await release();
    assert.equal(code, 0, output);
    assert.match(
      output,
      /npm test\n[\s\S]*npm run pack\n +npm publish \.\/dist\/unichannel\.tgz .*--tag=\w+ --provenance\n +git tag/,
    );
    assert.deepEqual(published, []);
    assert.equal(git("tag"), "");
    assert.equal(git("status", "--porcelain"), "");
  });

  it("publishes the tarball to the registry, and tags the commit", async () => {
    git("init", "--quiet", "--bare", join(folder, "dist", "origin"));
    git("remote", "add", "origin", join(folder, "dist", "origin"));
    const { code, output } = await release("--publish", "--without-provenance");
    assert.equal(code, 0, output);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const [{ path, body }] = published as [(typeof published)[0]];
    assert.equal(path, "/unichannel");
    assert.deepEqual(Object.keys(body.versions as object), [version]);
    assert.deepEqual(body["dist-tags"], { [distTagOf(version)]: version });
    assert.match(
      body.readme
        ? String(body.readme)
        : String((body.versions as Record<string, { readme: string }>)[version]!.readme),
      /^# unichannel/,
    );
    assert.equal(git("rev-parse", `v${version}^{commit}`), git("rev-parse", "HEAD"));
    assert.match(git("ls-remote", "--tags", "origin"), new RegExp(`refs/tags/v${version.replaceAll(".", "\\.")}\n`));
  });

  it("refuses a plain npm publish", () => {
    assert.equal(
      JSON.parse(readFileSync("package.json", "utf8")).scripts.prepublishOnly,
      "node scripts/release.js --refuse",
    );
    assert.throws(
      () => execFileSync(process.execPath, ["scripts/release.js", "--refuse"], { stdio: "pipe" }),
      /npm run release/,
    );
  });
});

function documents(): string[] {
  return ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "PROTOCOL.md", "SECURITY.md", "LICENSE", "llms.txt"];
}
