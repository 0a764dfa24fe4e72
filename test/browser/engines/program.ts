// A program that a test starts in a process group of its own, so that all of its processes can be stopped by one number.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../../support/wait.ts";

/** Bytes of a program's output that an error message shows. */
const SHOWN_OUTPUT = 2000;

/** The time that a program has to end before it is killed. */
const END_MS = 5000;

export class Program {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #exit: Promise<unknown>;
  #output = "";

  /** Starts `name` of the PATH, or of an absolute path. */
  constructor(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#name = name;
    const options = { detached: true, env: { ...process.env, ...env } } as const;
    // The third pipe is for programs that write the display that they have chosen to a file descriptor.
    this.#child = spawn(name, args, { ...options, stdio: ["ignore", "pipe", "pipe", "pipe"] });
    this.#child.on("error", (error) => (this.#output += error.message));
    this.#exit = once(this.#child, "close");
    this.#exit.catch(() => {});
    for (const stream of this.#child.stdio.slice(1)) {
      stream!.on("data", (bytes: Buffer) => (this.#output += bytes.toString()));
    }
    process.once("exit", () => this.#signal("SIGKILL"));
  }

  /** Waits until the program has written what matches; returns the first group of the match. */
  async says(pattern: RegExp): Promise<string> {
    const found = new Promise<string>((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.#output);
        if (match) resolve(match[1]!);
      };
      for (const stream of this.#child.stdio.slice(1)) stream!.on("data", look);
      const ended = (): void => reject(new Error(`${this.#name} ended: ${this.#output.slice(-SHOWN_OUTPUT)}`));
      this.#exit.then(ended, ended);
      look();
    });
    return within(found, () => `${pattern} in the output of ${this.#name}: ${this.#output.slice(-SHOWN_OUTPUT)}`);
  }

  sleep(): void {
    this.#signal("SIGSTOP");
  }

  wake(): void {
    this.#signal("SIGCONT");
  }

  /** Resolves when no process of the program runs any more. */
  async stop(): Promise<void> {
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), END_MS);
    await this.#exit.catch(() => {});
    clearTimeout(timer);
    // Its own processes may outlive the first one.
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // All of its processes have ended.
    }
  }
}

/** An empty folder for the profile of a browser, and the function that removes it. */
export async function temporaryFolder(name: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `unichannel-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}
