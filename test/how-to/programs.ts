// The programs of a guide page, run as they are printed: only ports, and names that the test gives, are put in. TypeScript runs as the
// JavaScript that the site shows beside it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { until } from "../support/wait.ts";

const FOLDER = "dist/test/how-to/programs";

const { toJavaScript } = (await import(pathToFileURL("site/javascript.js").href)) as {
  toJavaScript(text: string): string | undefined;
};

let count = 0;

/** The blocks of a page in one language, in order. */
export function blocks(page: string, language: string): readonly string[] {
  const text = readFileSync(`docs/how-to/${page}.md`, "utf8");
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block]) => block!);
}

/** The one block of a page that has `mark` in it, as it is printed. */
export function block(page: string, mark: string): string {
  const found = ["ts", "js"].flatMap((language) => blocks(page, language)).filter((text) => text.includes(mark));
  assert.equal(found.length, 1, `programs of ${page} with ${mark}`);
  return found[0]!;
}

/** The one program of a page that has `mark` in it, with a free port for each that it names. */
export const program = (page: string, mark: string): string => block(page, mark).replaceAll(/port: \d+/g, "port: 0");

/** A file with the program in JavaScript, for the length of the test. `folder`: from where it imports its packages. */
export function write(t: TestContext, text: string, folder: string = FOLDER): string {
  const javaScript = toJavaScript(text);
  assert.ok(javaScript !== undefined, `the program runs without a compiler:\n${text}`);
  mkdirSync(folder, { recursive: true });
  const file = resolve(`${folder}/program-${process.pid}-${(count += 1)}.mjs`);
  writeFileSync(file, javaScript);
  t.after(() => rmSync(file));
  return file;
}

/** Runs the program in this process. Returns its servers by name; one without a name is `server`. */
export async function run(t: TestContext, text: string): Promise<Record<string, unknown>> {
  const exported = text.replaceAll(
    /^(?:const (\w+) = )?await serve\(/gm,
    (_, name = "server") => `export const ${name} = await serve(`,
  );
  return (await import(pathToFileURL(write(t, exported)).href)) as Record<string, unknown>;
}

export interface Program {
  /** Its output so far, on stdout and stderr. */
  output(): string;
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGTERM. Resolves to the exit code when the process has ended. */
  stop(): Promise<number | null>;
}

/** Runs the program in a process of its own, until the test ends. */
export function start(
  t: TestContext,
  text: string,
  env: Readonly<Record<string, string>> = {},
  folder?: string,
): Program {
  const { NODE_DEBUG: _, NODE_TEST_CONTEXT: __, ...own } = process.env;
  const child = spawn(process.execPath, [write(t, text, folder)], {
    env: { ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
  const exit = once(child, "exit");
  const stop = async (): Promise<number | null> => {
    child.kill();
    await exit;
    return child.exitCode;
  };
  t.after(stop);
  return {
    stop,
    signal: (name) => void child.kill(name),
    output: () => output,
    async printed(pattern) {
      await until(() => pattern.test(output), `${pattern} in ${output}`);
      return pattern.exec(output)!;
    },
  };
}
