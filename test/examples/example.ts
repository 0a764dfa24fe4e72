// Starts a program of examples/ the way its reader does, on a free port, and stops it the way a service manager does.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { freePort } from "../support/proxies.ts";
import { until, within } from "../support/wait.ts";

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
  const child = spawn(process.execPath, [`examples/${name}.js`], { env, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => stop(child));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));

  await until(() => stdout.includes("\n") || child.exitCode !== null, `${name} prints what to try`);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(stdout)?.[0];
  assert.ok(url !== undefined && stdout.includes("curl "), `prints a URL and a curl line, not: ${stdout}${stderr}`);
  await check({ url, stdout: () => stdout, signal: (signal) => child.kill(signal) });

  assert.deepEqual(await stop(child), { code: 0, signal: null }, `SIGTERM ends it with status 0; stderr: ${stderr}`);
  assert.equal(stderr, "", "writes nothing to stderr");
}

/** Sends SIGTERM, so that the program also stops what it has started; SIGKILL only if it does not react. */
async function stop(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    // "close" instead of "exit": the output has arrived by then.
    const closed = once(child, "close");
    child.kill("SIGTERM");
    await within(closed, () => `the end of ${child.spawnargs.join(" ")}`).catch(() => child.kill("SIGKILL"));
    await closed;
  }
  return { code: child.exitCode, signal: child.signalCode };
}
