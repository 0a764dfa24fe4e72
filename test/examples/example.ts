// Starts a program of examples/ the way its reader does, on a free port, and stops it the way a service manager does.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { endProgram } from "../support/end-program.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";

/** Longer than any example takes on a busy machine. */
export const TIMEOUT_MS = 120_000;

/** A running example. */
export interface Example {
  /** The URL that it printed. */
  readonly url: string;
  /** Everything that it has printed so far. */
  stdout(): string;
  signal(name: NodeJS.Signals): void;
}

/**
 * Starts `examples/NAME.js`, runs `check`, and stops the program. The program must print a URL and a `curl` line, write
 * nothing to stderr, and exit with status 0, at the latest when it receives SIGTERM.
 */
export async function runExample(
  t: TestContext,
  name: string,
  check: (example: Example) => Promise<void>,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = { ...process.env, PORT: "0", BROKER_PORT: String(await freePort()), ...variables };
  const child = spawn(process.execPath, [`examples/${name}.js`], {
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => endProgram(child));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));

  await until(() => stdout.includes("\n") || child.exitCode !== null, `${name} prints what to try`);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(stdout)?.[0];
  assert.ok(url !== undefined && stdout.includes("curl "), `prints a URL and a curl line, not: ${stdout}${stderr}`);
  await check({ url, stdout: () => stdout, signal: (signal) => child.kill(signal) });

  assert.deepEqual(
    await endProgram(child),
    { code: 0, signal: null },
    `SIGTERM ends it with status 0; stderr: ${stderr}`,
  );
  assert.equal(stderr, "", "writes nothing to stderr");
}
