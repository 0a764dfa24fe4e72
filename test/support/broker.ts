// A real broker for tests: its own process on a free port, with its files in a folder of its own. It can be killed,
// started again on the same port and files, paused, and emptied; all ends with the test.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./proxies.ts";

const PATIENCE_MS = 20_000;

/** True when all threads of a process have the state "T" (proc(5)). */
function hasStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((thread) => /\) T /.test(readFileSync(`${tasks}/${thread}/stat`, "utf8")));
}

/** The process and its descendants: PostgreSQL has a process for each connection. */
function processTree(pid: number): number[] {
  if (process.platform !== "linux") return [pid];
  const tasks = `/proc/${pid}/task`;
  const children = readdirSync(tasks).map((thread) => readFileSync(`${tasks}/${thread}/children`, "utf8"));
  return [pid, ...children.flatMap((pids) => pids.match(/\d+/g) ?? []).flatMap((child) => processTree(Number(child)))];
}

export class Broker {
  readonly port: number;
  readonly #folder: string;
  readonly #toCommand: (port: number, folder: string) => string[];
  readonly #isReady: (port: number) => Promise<boolean>;
  #child: ChildProcess | undefined;
  #paused: readonly number[] = [];
  #said = "";

  private constructor(
    port: number,
    toCommand: (port: number, folder: string) => string[],
    isReady: (port: number) => Promise<boolean>,
  ) {
    this.port = port;
    this.#isReady = isReady;
    this.#folder = mkdtempSync(join(tmpdir(), "unichannel-broker-"));
    this.#toCommand = toCommand;
  }

  /**
   * Resolves when `isReady` says so: by default when the port accepts connections, which some brokers do before they answer.
   * `toCommand` gives the program and its arguments.
   */
  static async start(
    toCommand: (port: number, folder: string) => string[],
    isReady: (port: number) => Promise<boolean> = accepts,
  ): Promise<Broker> {
    const broker = new Broker(await freePort(), toCommand, isReady);
    await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    const [command = "", ...args] = this.#toCommand(this.port, this.#folder);
    const child = spawn(command, args, { cwd: this.#folder, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    for (const output of [child.stdout, child.stderr]) output.on("data", (bytes) => (this.#said += bytes));
    const deadline = Date.now() + PATIENCE_MS;
    while (!(await this.#isReady(this.port))) {
      if (child.exitCode !== null || Date.now() > deadline) assert.fail(`${command} did not start\n${this.#said}`);
      await delay(10);
    }
  }

  /** Without notice, as a power cut. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    // Its descendants can end only when they run.
    this.resume();
  }

  /** It accepts connections (the system does) and answers none: it stands still when this returns. */
  pause(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    const deadline = Date.now() + PATIENCE_MS;
    const stop = (one: number): void => {
      signal(one, "SIGSTOP");
      if (process.platform !== "linux") return;
      // A signal needs a moment on another core, in which a message could still be answered.
      while (!hasStopped(one)) if (Date.now() > deadline) assert.fail("the broker does not stop");
    };
    // The first process at first: it starts no others then.
    stop(pid);
    this.#paused = processTree(pid);
    for (const one of this.#paused.slice(1)) stop(one);
  }

  resume(): void {
    for (const pid of this.#paused.toReversed()) signal(pid, "SIGCONT");
    this.#paused = [];
  }

  /** Its files are lost; to be called while it is down. */
  forget(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    mkdirSync(this.#folder);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Does nothing if the process has ended. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
