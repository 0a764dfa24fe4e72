// An example of examples/frameworks as a process of its own, started with the real packages and stopped like a service.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { endProgram } from "../support/end-program.ts";
import { turn } from "../support/wait.ts";

const FOLDER = "examples/frameworks";
/** The development server of Next takes 5 s on a quiet machine. */
const START_MS = 90_000;

/** A running example. */
export interface App {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Its output so far, on stdout and on stderr. */
  output(): string;
  stderr(): string;
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/**
 * For the `skip` option of a test: false when the frameworks are installed, else the reason to skip. `npm test` installs them. Throws
 * instead of giving a reason when UNICHANNEL_REQUIRE_ALL is set.
 */
export function needsFrameworks(): string | false {
  if (existsSync(`${FOLDER}/node_modules/.package-lock.json`)) return false;
  const reason = `the packages of ${FOLDER} are not installed`;
  if (process.env["UNICHANNEL_REQUIRE_ALL"]) throw new Error(`${reason}, and UNICHANNEL_REQUIRE_ALL is set`);
  return reason;
}

/** Starts a program of the folder of a framework, on a free port; resolves when it has printed its URL. */
export async function startApp(
  framework: string,
  program: string,
  env: Readonly<Record<string, string>> = {},
): Promise<App> {
  const { NODE_DEBUG: _, NODE_TEST_CONTEXT: __, ...own } = process.env;
  const child = spawn(process.execPath, ["--enable-source-maps", program], {
    cwd: `${FOLDER}/${framework}`,
    env: { ...own, PORT: "0", ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    stderr += text;
  });
  const toUrl = () => /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
  try {
    const deadline = Date.now() + START_MS;
    while (toUrl() === undefined && child.exitCode === null && Date.now() < deadline) await turn();
    assert.ok(toUrl() !== undefined, `${framework} starts: ${output}`);
  } catch (error) {
    await endProgram(child);
    throw error;
  }
  return { url: toUrl()!, output: () => output, stderr: () => stderr, stop: () => endProgram(child) };
}
