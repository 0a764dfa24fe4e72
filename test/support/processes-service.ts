// Starts a service of `runProcesses` for tests, and follows what its processes say.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";
import type { ConnectOptions } from "../../src/client/index.ts";
import type { ProcessesOrder } from "./processes-child.ts";
import { NumberedClient, soon } from "./service.ts";
import type { ServiceEvent } from "./service-process.ts";

const CHILD = fileURLToPath(new URL("./processes-child.js", import.meta.url));

export class ProcessesService {
  readonly all: ServiceEvent[] = [];
  /** The errors that the first process and its workers have printed. */
  errors = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #clients: NumberedClient[] = [];

  /** Starts a service. Its end is not waited for. */
  constructor(t: TestContext, order: ProcessesOrder, environment: NodeJS.ProcessEnv = {}) {
    const args = ["--enable-source-maps", CHILD, JSON.stringify(order)];
    this.#child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#exit = once(this.#child, "exit");
    this.#child.stdin!.on("error", () => {});
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text;
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.all.push(JSON.parse(line)));
    t.after(async () => {
      for (const { connection } of this.#clients) connection.close();
      // Its workers end with it. One that stands still ends when it goes on.
      this.#child.kill("SIGKILL");
      for (const pid of this.begun) signal(pid, "SIGCONT");
      await this.#exit;
    });
  }

  /** Resolves when all workers have started. */
  static async start(t: TestContext, order: ProcessesOrder): Promise<ProcessesService> {
    const service = new ProcessesService(t, order);
    await service.said("started");
    return service;
  }

  /** Events of all processes. */
  events(name: string): readonly ServiceEvent[] {
    return this.all.filter((event) => event[0] === name);
  }

  /** Resolves to the detail of the event of this name, and the `count`th one. */
  async said(name: string, count = 1): Promise<unknown> {
    await soon(
      () => this.events(name).length >= count || this.hasEnded,
      () => `${name}; there were ${JSON.stringify(this.all)}\n${this.errors}`,
    );
    const found = this.events(name)[count - 1];
    if (found === undefined) throw new Error(`it has ended without ${name}:\n${this.errors}`);
    return found[2];
  }

  get port(): number {
    return Number(this.events("listens").at(-1)?.[2]);
  }

  /** The ids of all worker processes so far. */
  get begun(): readonly number[] {
    return this.events("begins").map(([, , pid]) => Number(pid));
  }

  /** The ids of the workers that run. */
  async pids(): Promise<readonly number[]> {
    const { length } = this.events("pids");
    this.tell("pids");
    return (await this.said("pids", length + 1)) as number[];
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  tell(order: string): void {
    this.#child.stdin!.write(`${order}\n`);
  }

  async replace(): Promise<void> {
    const { length } = this.events("replaced");
    this.tell("replace");
    await this.said("replaced", length + 1);
  }

  /** Sends a signal to the first process. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves to the code or the signal with which the first process has ended. */
  async exit(): Promise<number | string | null> {
    await this.#exit;
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  client(id: string, options: ConnectOptions = {}): NumberedClient {
    const client = new NumberedClient(this, id, `http://127.0.0.1:${this.port}/s?id=${id}`, options);
    this.#clients.push(client);
    return client;
  }

  async get(path: string, body?: string): Promise<string> {
    const init = body === undefined ? {} : { method: "POST", body };
    // Each request has a connection of its own, and with it perhaps another worker.
    const headers = { Connection: "close" };
    // One that was given to a worker which is killed before it takes it is never answered.
    const signal = AbortSignal.timeout(3000);
    return (await fetch(`http://127.0.0.1:${this.port}${path}`, { ...init, headers, signal })).text();
  }
}

/** A member of the group, on a WebSocket. The first process gives connections to the workers in turn. */
export class GroupMember {
  readonly heard: string[] = [];
  readonly socket: WebSocket;
  /** The id of its worker, when it is open. */
  pid: number | undefined;

  constructor(t: TestContext, port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/group`);
    this.socket.on("message", (data) => {
      if (this.pid === undefined) this.pid = Number(/^pid (\d+)$/.exec(String(data))![1]);
      else this.heard.push(String(data));
    });
    this.socket.on("error", () => {});
    t.after(() => this.socket.terminate());
  }

  /** Opens members, and waits until all are open. */
  static async openAll(t: TestContext, service: ProcessesService, count: number): Promise<GroupMember[]> {
    const opened = Array.from({ length: count }, () => new GroupMember(t, service.port));
    await soon(
      () => opened.every(({ pid }) => pid !== undefined),
      () => "all members are open",
    );
    return opened;
  }
}

/** Returns whether a process runs. */
export function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

/** Returns false if the process has ended. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
