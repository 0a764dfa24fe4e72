// The chapters of docs/tutorial as a reader works through them: an empty folder, the commands, the files. Ports are put in, and
// packages are linked from this repository in place of being downloaded.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { signalGroup } from "../support/end-program.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";

const { toJavaScript, commandsInJavaScript } = (await import(pathToFileURL("site/javascript.js").href)) as {
  toJavaScript(text: string): string | undefined;
  commandsInJavaScript(text: string): string;
};

const FOLDER = "docs/tutorial";
export const CHAPTERS: readonly string[] = readdirSync(FOLDER)
  .filter((name) => /^\d-.*\.md$/.test(name))
  .sort();

/** The ports that the chapters name. Each gets a free one. */
const PORTS = ["9090", "9091", "9092", "9093", "6379"];

/** For versions of Node that do not run TypeScript by themselves: removes the types, as the later ones do. */
const TYPE_STRIPPER = `
import { register } from "node:module";
const hooks = \`
  import { readFile } from "node:fs/promises";
  import { fileURLToPath } from "node:url";
  import { transform } from "${import.meta.resolve("esbuild")}";
  export async function load(url, context, next) {
    if (!url.endsWith(".ts")) return next(url, context);
    const source = await readFile(fileURLToPath(url), "utf8");
    return { format: "module", shortCircuit: true, source: (await transform(source, { loader: "ts" })).code };
  }\`;
register("data:text/javascript," + encodeURIComponent(hooks));
`;

interface Block {
  readonly language: string;
  /** The name in the first line; undefined: commands. */
  readonly file: string | undefined;
  readonly text: string;
}

/** The blocks of a chapter, in order. */
export function blocksOf(chapter: string): readonly Block[] {
  const page = readFileSync(join(FOLDER, chapter), "utf8");
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => {
    const file = /^(?:\/\/|#|<!--) ([\w-]+\.\w+)(?: -->)?\n/.exec(text)?.[1];
    assert.equal(file === undefined, language === "sh", `${chapter}: a block of ${language} begins with its file`);
    return { language, file, text };
  });
}

/** The commands of a chapter that run something: without those that install. */
export const commandsOf = (chapter: string): readonly string[] =>
  blocksOf(chapter)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.trim().split("\n"));

export interface Started {
  readonly child: ChildProcess;
  output(): string;
  /** Ends the program and its children, as Ctrl-C in a terminal does. */
  stop(): Promise<void>;
}

/** A reader's folder. */
export class Reader {
  readonly #t: TestContext;
  readonly #language: "ts" | "js";
  readonly #ports = new Map<string, string>();
  readonly #root: string;
  #cwd: string;

  private constructor(t: TestContext, language: "ts" | "js") {
    this.#t = t;
    this.#language = language;
    this.#root = mkdtempSync(join(tmpdir(), "unichannel-tutorial-"));
    this.#cwd = this.#root;
    t.after(() => rmSync(this.#root, { recursive: true, force: true }));
  }

  static async begin(t: TestContext, language: "ts" | "js"): Promise<Reader> {
    const reader = new Reader(t, language);
    for (const port of PORTS) reader.#ports.set(port, String(await freePort()));
    return reader;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port("9090")}`;
  }

  port(printed: string): string {
    return this.#ports.get(printed)!;
  }

  /** Writes the files of the chapters up to `chapter`, and carries out their commands that prepare something. */
  workThrough(chapter: number): void {
    for (const name of CHAPTERS.slice(0, chapter)) {
      // Commands that come before the first file, or that build the page, prepare; others are the test's to start.
      for (const { language, file, text } of blocksOf(name)) {
        if (file !== undefined) this.#write(file, language, text);
        else for (const line of text.trim().split("\n")) this.#prepare(line);
      }
    }
  }

  #write(file: string, language: string, text: string): void {
    const isTypeScript = this.#language === "ts" || language !== "ts";
    const own = isTypeScript ? text : inJavaScript(text);
    writeFileSync(join(this.#cwd, isTypeScript ? file : file.replace(/\.ts$/, ".js")), this.#withPorts(own));
  }

  #prepare(line: string): void {
    const [, target] = /^(?:mkdir|cd) (\w+)$/.exec(line) ?? [];
    if (line.startsWith("mkdir")) mkdirSync(join(this.#cwd, target!));
    else if (line.startsWith("cd")) this.#cwd = join(this.#cwd, target!);
    else if (line.startsWith("npm install")) this.#install(line.split(" ").slice(2));
    else if (line.startsWith("npm ")) execFileSync("sh", ["-c", line], { cwd: this.#cwd, stdio: "ignore" });
    else if (line.startsWith("npx esbuild")) this.sh(this.#language === "ts" ? line : commandsInJavaScript(line));
  }

  #install(args: readonly string[]): void {
    for (const name of args.filter((arg) => !arg.startsWith("-"))) {
      const link = join(this.#cwd, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(name === "unichannel" ? resolve(".") : resolve("node_modules", name), link, "junction");
      if (name !== "esbuild") continue;
      mkdirSync(join(this.#cwd, "node_modules/.bin"), { recursive: true });
      symlinkSync(resolve("node_modules/.bin/esbuild"), join(this.#cwd, "node_modules/.bin/esbuild"));
    }
  }

  /** The output of a command. */
  sh(line: string): string {
    return execFileSync("sh", ["-c", this.#withPorts(line)], { cwd: this.#cwd, encoding: "utf8", stdio: "pipe" });
  }

  /** Replaces a text in a file, as a reader edits it. */
  edit(file: string, before: string, after: string): void {
    const path = join(this.#cwd, file);
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(before), `${file} has ${before}`);
    writeFileSync(path, text.replace(before, after));
  }

  /** Builds the page from its TypeScript, beside files in JavaScript, as chapter 3 says. */
  keepTypesOfPage(): void {
    const { text } = blocksOf(CHAPTERS[2]!).find(({ file }) => file === "page.ts")!;
    writeFileSync(join(this.#cwd, "page.ts"), this.#withPorts(text.replace("./chat.ts", "./chat.js")));
    rmSync(join(this.#cwd, "page.js"));
    this.sh("npx esbuild page.ts --bundle --format=esm --outfile=bundle.js");
  }

  /** Checks the types of all programs in the folder. */
  checkTypes(): void {
    const config = {
      compilerOptions: {
        ...{ target: "ES2023", module: "NodeNext", lib: ["ES2023", "DOM", "DOM.Iterable"], types: ["node"] },
        ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: true },
        ...{ noEmit: true, allowImportingTsExtensions: true, erasableSyntaxOnly: true, verbatimModuleSyntax: true },
      },
      include: ["*.ts"],
    };
    writeFileSync(join(this.#cwd, "tsconfig.json"), JSON.stringify(config));
    try {
      execFileSync(resolve("node_modules/.bin/tsc"), ["-p", "."], { cwd: this.#cwd, encoding: "utf8" });
    } catch (error) {
      assert.fail(`the types are wrong:\n${(error as { stdout: string }).stdout}`);
    }
  }

  /** Starts a command that is printed in the chapter; resolves when it has printed `ready`. Without it: at once. */
  async start(line: string, ready: RegExp = /^/): Promise<Started> {
    const { NODE_DEBUG: _, NODE_TEST_CONTEXT: __, NODE_OPTIONS: ___, ...env } = process.env;
    const command = this.#language === "ts" ? line : commandsInJavaScript(line);
    const hook = join(this.#root, "types.mjs");
    const runsTypeScript = (process.features as { typescript?: unknown }).typescript;
    if (this.#language === "ts" && !runsTypeScript) {
      writeFileSync(hook, TYPE_STRIPPER);
      env["NODE_OPTIONS"] = `--import=${pathToFileURL(hook).href}`;
    }
    env["REDIS_URL"] = `redis://127.0.0.1:${this.port("6379")}`;
    env["PATH"] = `${dirname(process.execPath)}:${env["PATH"]}`;
    const child = spawn("sh", ["-c", `exec ${this.#withPorts(command)}`], {
      cwd: this.#cwd,
      env,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
    const exit = once(child, "exit");
    const started = {
      child,
      output: () => output,
      stop: async () => {
        signalGroup(child, "SIGINT");
        await exit;
      },
    };
    this.#t.after(async () => {
      signalGroup(child, "SIGKILL");
      await exit;
    });
    await until(() => ready.test(output) || child.exitCode !== null, `${command} is ready: ${output}`);
    assert.match(output, ready);
    return started;
  }

  #withPorts(text: string): string {
    let result = text;
    for (const [printed, port] of this.#ports) result = result.replaceAll(printed, port);
    return result;
  }
}

/** A program as the site shows it in JavaScript, with the one change that the last chapter names beside it. */
function inJavaScript(text: string): string {
  const javaScript = toJavaScript(text);
  assert.ok(javaScript !== undefined, text);
  return javaScript.replaceAll('"server.ts"', '"server.js"');
}
