// The steps of a reader of a guide: start its server, carry out the commands that it prints, open its page.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { build } from "esbuild";
import type { Server } from "../../src/index.ts";
import { chromium } from "../browser/engines/chromium.ts";
import type { Page } from "../browser/engines/engine.ts";
import { block, program, run } from "./programs.ts";

const FOLDER = "dist/test/how-to/pages";

export interface Read {
  readonly server: Server;
  /** Stops the server, and starts the program once more on the same port, with nothing of what it had in memory. */
  restart(): Promise<void>;
  /** The lines that it has printed. */
  lines(): readonly string[];
  /** Carries out the command that it has printed behind this name. Resolves to its output. */
  sh(name: string): Promise<string>;
  /** Starts that command, until the test ends. Returns its output so far. */
  listen(name: string): () => string;
}

/** Runs a server of a page in this process. `edit` changes its text, for example its pauses. */
export async function readServer(
  t: TestContext,
  page: string,
  mark: string,
  edit: (text: string) => string = (text) => text,
): Promise<Read> {
  const printed: string[] = [];
  t.mock.method(console, "log", (...values: unknown[]) => {
    printed.push(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
  });
  const text = edit(program(page, mark));
  let { server } = (await run(t, text)) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  const restart = async (): Promise<void> => {
    const { port } = new URL(server.url);
    await server.stop({ graceMs: 0 });
    ({ server } = (await run(t, text.replace("port: 0", `port: ${port}`))) as { server: Server });
  };
  const lines = (): readonly string[] => printed.flatMap((text) => text.split("\n"));
  const commandOf = (name: string): string => {
    const found = lines().find((line) => line.startsWith(`${name}: `));
    assert.ok(found, `a command with the name ${name} in ${lines().join("\n")}`);
    return found.slice(`${name}: `.length);
  };
  return {
    server,
    restart,
    lines,
    async sh(name) {
      const child = spawn("sh", ["-c", commandOf(name)], { stdio: ["ignore", "pipe", "ignore"] });
      let output = "";
      child.stdout.on("data", (bytes) => (output += String(bytes)));
      await once(child, "close");
      return output;
    },
    listen(name) {
      const child = spawn("sh", ["-c", `exec ${commandOf(name)}`], { stdio: ["ignore", "pipe", "ignore"] });
      let output = "";
      child.stdout.on("data", (bytes) => (output += String(bytes)));
      t.after(() => child.kill());
      return () => output;
    },
  };
}

/** Runs the server of a page with its `page.ts`, bundled as the page's command does it. */
export async function readSite(
  t: TestContext,
  page: string,
  edit: (text: string) => string = (text) => text,
): Promise<Read> {
  const { outputFiles } = await build({
    stdin: { contents: block(page, "// page.ts"), loader: "ts", resolveDir: process.cwd() },
    bundle: true,
    format: "esm",
    write: false,
  });
  mkdirSync(FOLDER, { recursive: true });
  const folder = resolve(mkdtempSync(`${FOLDER}/${page}-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const bundle = join(folder, "bundle.js");
  writeFileSync(bundle, outputFiles[0]!.contents);
  return readServer(t, page, "// server.ts", (text) => edit(text).replace('"bundle.js"', JSON.stringify(bundle)));
}

/** Starts a Chromium, which ends with the test. Returns a function that opens this page in it, each time in a tab of its own. */
export async function tabsOf(t: TestContext, { url }: Server): Promise<() => Promise<Page>> {
  const browser = await chromium.launch();
  t.after(() => browser.close());
  return async () => {
    const page = await browser.newPage();
    await page.goto(url);
    return page;
  };
}
