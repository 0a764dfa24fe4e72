// The files of docs/how-to/react.md in a folder of their own, as a reader has them: the server in a process, the page by Vite's dev server
// with the proxy of the page, React in StrictMode, two users in Chromium. Only the port is put in.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { newPage, skip as noBrowser } from "../browser/playwright.ts";
import { needsFrameworks } from "../frameworks/app.ts";
import { freePort } from "../support/proxies.ts";
import { blocks, type Program, start } from "./programs.ts";

const skip = noBrowser || needsFrameworks();

/** As the starter of create-vite has it. */
const MAIN = `
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import App from "./App.tsx";

createRoot(document.getElementById("root")!).render(<StrictMode><App /></StrictMode>);
`;
const INDEX = '<!doctype html><div id="root"></div><script type="module" src="/src/main.tsx"></script>';
const TSCONFIG = '{ "compilerOptions": { "jsx": "react-jsx" } }';

interface ViteServer {
  readonly resolvedUrls: { readonly local: readonly string[] } | null;
  listen(): Promise<unknown>;
  close(): Promise<void>;
}

interface Reader {
  readonly server: Program;
  /** The URL of the page. */
  readonly url: string;
}

/** The reader's folder, with both programs running. */
async function begin(t: TestContext): Promise<Reader> {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-react-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules/unichannel"));
  for (const name of ["react", "react-dom", "valibot"])
    symlinkSync(resolve("node_modules", name), join(folder, "node_modules", name));
  const port = String(await freePort());
  const files = new Map([
    ["src/main.tsx", MAIN],
    ["index.html", INDEX],
    ["tsconfig.json", TSCONFIG],
    ["package.json", '{ "type": "module" }'],
  ]);
  for (const text of [...blocks("react", "ts"), ...blocks("react", "tsx")]) {
    const [, file] = /^\/\/ ([\w./-]+)\n/.exec(text)!;
    files.set(file!, text.replaceAll("9090", port));
  }
  assert.deepEqual(
    [...files.keys()].slice(4).sort(),
    ["chat.ts", "server.ts", "src/App.tsx", "vite.config.ts"],
    "the files of the page",
  );
  for (const [file, text] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  const { build, createServer } = await viteOf();
  // Node 20 does not take the types away: esbuild of Vite does it for both files of the server.
  await build({
    ...{ root: folder, configFile: false, logLevel: "error" },
    build: { ssr: "server.ts", outDir: "built", target: "node20" },
    ssr: { external: true },
  });
  const server = start(t, `await import(${JSON.stringify(pathToFileURL(join(folder, "built/server.js")).href)});`);
  await server.printed(/The server listens at/);
  const vite = await createServer({
    ...{ root: folder, logLevel: "error", cacheDir: join(folder, "cache") },
    // The packages are linked from this repository, and are no part of the folder.
    server: { host: "127.0.0.1", port: 0, fs: { strict: false } },
    resolve: { dedupe: ["react", "react-dom"] },
  });
  t.after(() => vite.close());
  await vite.listen();
  return { server, url: vite.resolvedUrls!.local[0]! };
}

async function viteOf(): Promise<{
  build(options: object): Promise<unknown>;
  createServer(options: object): Promise<ViteServer>;
}> {
  const require = createRequire(join(process.cwd(), "examples/frameworks/package.json"));
  return import(pathToFileURL(require.resolve("vite")).href) as never;
}

/** The page of a user of its own. */
async function enter(t: TestContext, url: string): Promise<Page> {
  const page = await newPage(t);
  await page.goto(url);
  await page.locator("b", { hasText: /^open$/ }).waitFor();
  return page;
}

async function fill(page: Page, form: string, text: string): Promise<void> {
  await page.locator(`#${form} input`).fill(text);
  await page.locator(`#${form} button`).first().click();
}

const shows = (page: Page, selector: string, text: RegExp): Promise<void> =>
  page.locator(selector, { hasText: text }).waitFor();

/** The lines, when there are as many as that. */
async function lines(page: Page, count: number): Promise<string[]> {
  await page.waitForFunction((wanted) => document.querySelectorAll("li").length >= wanted, count);
  return page.locator("li").allTextContents();
}

describe("the page about React", () => {
  it("has a chat that resumes, shows each person once, and cancels a request", { skip }, async (t) => {
    const { server, url } = await begin(t);
    const [ann, bob] = [await enter(t, url), await enter(t, url)];
    await shows(ann, "#here", /^guest \w{4}, guest \w{4}$/);

    await fill(ann, "rename", "Ann");
    await shows(ann, "#note", /^you are Ann now$/);
    await shows(bob, "#here", /^Ann, guest \w{4}$/);
    await fill(bob, "rename", "Ann");
    await shows(bob, "#note", /^this name is taken$/);
    await fill(bob, "rename", "Bobby");
    await bob.locator("button", { hasText: "Cancel" }).click();
    await shows(bob, "#note", /^cancelled$/);
    await fill(bob, "rename", "Bob");
    await shows(bob, "#note", /^you are Bob now$/);

    await fill(ann, "say", "hello");
    assert.deepEqual(await lines(bob, 1), ["Ann: hello"]);
    await bob.locator("#say input").pressSequentially("h");
    await shows(ann, "p", /^Bob is typing$/);

    await ann.context().setOffline(true);
    await shows(ann, "b", /^(offline|reconnecting)$/);
    for (const text of ["one", "two"]) await fill(ann, "say", text);
    await fill(bob, "say", "meanwhile");
    assert.deepEqual(await lines(bob, 2), ["Ann: hello", "Bob: meanwhile"]);
    await ann.context().setOffline(false);
    const all = ["Ann: hello", "Bob: meanwhile", "Ann: one", "Ann: two"];
    for (const page of [ann, bob]) assert.deepEqual(await lines(page, 4), all);

    // Loaded again: what was said is there, once, and its user is in the list once, under the new name.
    await ann.reload();
    assert.deepEqual(await lines(ann, 4), all);
    await fill(ann, "say", "back");
    for (const page of [ann, bob]) {
      assert.deepEqual(await lines(page, 5), [...all, "Ann: back"]);
      await shows(page, "#here", /^Ann, Bob$/);
    }
    // A second tab of one user.
    const second = await newPage(t, { storageState: await ann.context().storageState() });
    await second.goto(url);
    await shows(second, "#here", /^Ann, Bob$/);
    await second.goto("about:blank");
    await ann.goto("about:blank");
    await shows(bob, "#here", /^Bob$/);
    assert.match(server.output(), /^The server listens at \S+\n$/, "a cancelled request is no error");
  });
});
