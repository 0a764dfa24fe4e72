// A live server under attack. Clients that behave work beside the attack, each message numbered: it must come back exactly
// once and in order. Afterwards nothing of the attack may be left.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import WebSocket from "ws";
import type { ServeOptions } from "../../src/index.ts";
import { RawClient, type Target } from "../support/raw-client.ts";
import { within } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";
import type { Facts } from "./app.ts";

const APP = fileURLToPath(new URL("./app.js", import.meta.url));
const MIB = 1 << 20;
/** Answers by which each neighbour must get on: before the attack, and behind it. */
const ENOUGH = 10;
/** Far above what any answer needs on a busy machine. */
const PATIENCE_MS = 20_000;

export interface SiegeOptions {
  readonly server?: ServeOptions;
  /** The most file descriptors of the server: `ulimit -n`. */
  readonly maxFiles?: number;
}

export interface Bounds {
  /** MiB by which the heap may have grown at the end. @default 4 */
  readonly heapMiB?: number;
  /** MiB by which the process may have grown at its peak. @default 64 */
  readonly peakMiB?: number;
  /** Errors that the server may have reported. @default none */
  readonly reports?: RegExp;
}

/** A client that behaves. */
interface Neighbour {
  readonly name: string;
  answered: number;
}

/** A server for all tests of a `describe`, and its neighbours at work: `begin` gives each test its attack. */
export function besieged({ server = {}, maxFiles }: SiegeOptions = {}): { begin(t: TestContext): Promise<Siege> } {
  let running: Running | undefined;
  after(async () => {
    if (running === undefined) return;
    const exit = once(running.child, "exit");
    running.isOver.abort();
    running.child.kill();
    await exit;
  });
  return {
    begin: async (t) => {
      running ??= await start(server, maxFiles);
      const siege = new Siege(t, running);
      await siege.begin();
      return siege;
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly isOver: AbortController;
  readonly neighbours: Neighbour[];
  failure: Error | undefined;
}

async function start(server: ServeOptions, maxFiles: number | undefined): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-app-"));
  const app = maxFiles === undefined ? APP : await bundled(folder);
  const args = ["--expose-gc", "--enable-source-maps", app, JSON.stringify(server)];
  // Node raises its own limit to the hard one, so a shell must lower both.
  const [program, ...rest] =
    maxFiles === undefined
      ? [process.execPath, ...args]
      : ["/bin/sh", "-c", `ulimit -n ${maxFiles} && exec "$0" "$@"`, process.execPath, ...args];
  const child = spawn(program!, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [port] = await soon(once(child, "message"), "the server's port");
  rmSync(folder, { recursive: true });
  const running: Running = { child, port, isOver: new AbortController(), neighbours: [], failure: undefined };
  child.once("exit", (code, signal) => (running.failure ??= new Error(`the server ended: ${code ?? signal}`)));
  for (const [name, work] of WORK) {
    const neighbour: Neighbour = { name, answered: 0 };
    running.neighbours.push(neighbour);
    work(port, neighbour, running.isOver.signal).catch((error: unknown) => {
      running.failure ??= new Error(`${name} behind ${neighbour.answered} answers: ${String(error)}`);
    });
  }
  return running;
}

/**
 * The app in one file: Node opens modules that are imported together at the same time, and with few descriptors the process
 * would not even start.
 */
async function bundled(folder: string): Promise<string> {
  const outfile = join(folder, "app.mjs");
  await build({ entryPoints: [APP], bundle: true, platform: "node", format: "esm", sourcemap: "inline", outfile });
  return outfile;
}

export class Siege {
  readonly target: Target;
  readonly #t: TestContext;
  readonly #running: Running;
  #before!: Facts;

  constructor(t: TestContext, running: Running) {
    this.#t = t;
    this.#running = running;
    this.target = { port: running.port };
  }

  async begin(): Promise<void> {
    await this.progress("the attack begins");
    this.#before = await this.#ask("begin");
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.#t, this.target);
  }

  open(path: string, fields: readonly string[] = []): Promise<WsClient> {
    return WsClient.open(this.#t, this.target, { path, fields });
  }

  facts(): Promise<Facts> {
    return this.#ask("facts");
  }

  /** The facts as soon as `isTrue`. */
  async when(isTrue: (facts: Facts) => boolean, what: string): Promise<Facts> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const facts = await this.facts();
      if (isTrue(facts)) return facts;
      if (Date.now() > deadline) assert.fail(`waited in vain until ${what}: ${JSON.stringify(facts)}`);
      await rest(20);
    }
  }

  /** While the attack goes on: what the heap may have grown by, once the garbage is gone. */
  async holdsAtMost(growthMiB: number): Promise<void> {
    const most = this.#before.heapBytes + growthMiB * MIB;
    await this.when(({ heapBytes }) => heapBytes <= most, `the heap is below ${mib(most)}`);
  }

  /** Waits for a count of `ended`. */
  async ended(what: string, times: number): Promise<void> {
    const wanted = (this.#before.ended[what] ?? 0) + times;
    const facts = await this.when(({ ended }) => (ended[what] ?? 0) >= wanted, `${times} times "${what}"`);
    assert.equal(facts.ended[what], wanted);
  }

  /**
   * The attack is over: its connections are gone, the neighbours get on and have missed nothing, the memory is back,
   * and nothing else was reported than what may be.
   */
  async holds({ heapMiB = 4, peakMiB = 64, reports }: Bounds = {}): Promise<void> {
    await this.progress("the attack is over");
    const before = this.#before;
    const ours = before.stats.connections;
    await this.when(({ stats }) => stats.connections <= ours, "the attack's connections are gone");
    await this.holdsAtMost(heapMiB);
    // Both counts are of one moment in the neighbours' work, whose timers and writes come and go.
    const most = before.resources + 2;
    const facts = await this.when(({ resources }) => resources <= most, `there are ${most} resources or fewer`);
    const peak = facts.peakBytes - before.peakBytes;
    assert.ok(peak <= peakMiB * MIB, `it took ${mib(peak)} more than before`);
    const { websocket, sse } = facts.stats.channels;
    assert.deepEqual([websocket, sse], [1, 1], "the neighbours' channels");
    const since = facts.reports.slice(before.reports.length);
    const unexpected = since.filter((report) => reports?.test(report) !== true);
    assert.deepEqual(unexpected, []);
  }

  async #ask(question: "facts" | "begin"): Promise<Facts> {
    const { child } = this.#running;
    const answer = once(child, "message");
    child.send(question);
    const [facts] = await soon(answer, "the facts");
    return facts as Facts;
  }

  /** Resolves when every neighbour has got on. */
  async progress(when: string): Promise<void> {
    const { neighbours } = this.#running;
    const from = neighbours.map(({ answered }) => answered);
    const deadline = Date.now() + PATIENCE_MS;
    const behind = (): Neighbour[] => neighbours.filter(({ answered }, at) => answered < from[at]! + ENOUGH);
    while (behind().length > 0 && this.#running.failure === undefined) {
      if (Date.now() > deadline) assert.fail(`${behind().map(({ name }) => name)} got no answers when ${when}`);
      await rest(5);
    }
    if (this.#running.failure !== undefined) throw this.#running.failure;
  }
}

/** Bursts, so that some are joined in one read and in one write. */
async function echo(port: number, neighbour: Neighbour, isOver: AbortSignal): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  isOver.addEventListener("abort", () => socket.terminate());
  const closed = once(socket, "close").then(([code]) => Promise.reject(new Error(`closed with ${code}`)));
  closed.catch(() => {});
  await Promise.race([once(socket, "open"), closed]);
  let onAnswer = (): void => {};
  socket.on("message", (data) => {
    if (String(data) !== `message ${neighbour.answered}`) return socket.close(4000, String(data).slice(0, 100));
    neighbour.answered += 1;
    onAnswer();
  });
  for (let sent = 0; !isOver.aborted; ) {
    for (const end = sent + 5; sent < end; sent++) socket.send(`message ${sent}`);
    await Promise.race([closed, new Promise<void>((all) => (onAnswer = () => neighbour.answered === sent && all()))]);
    await rest(5);
  }
}

async function listen(port: number, neighbour: Neighbour, isOver: AbortSignal): Promise<void> {
  let text = "";
  for await (const part of await ask(port, "/events", isOver)) {
    const events = (text + String(part)).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const next = neighbour.answered + 1;
      assert.equal(event, `id: ${next}\ndata: tick ${next}`);
      neighbour.answered = next;
    }
  }
  assert.fail("the stream ended");
}

async function poll(port: number, neighbour: Neighbour, isOver: AbortSignal): Promise<void> {
  // One connection for all: while there are no file descriptors nobody gets another.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  isOver.addEventListener("abort", () => agent.destroy());
  while (!isOver.aborted) {
    let text = "";
    for await (const part of await ask(port, "/poll?client=neighbour", isOver, agent)) text += String(part);
    assert.equal(text, String(neighbour.answered + 1));
    neighbour.answered += 1;
  }
}

function ask(
  port: number,
  path: string,
  signal: AbortSignal,
  agent: Agent | false = false,
): Promise<AsyncIterable<unknown>> {
  return new Promise((resolve, reject) => {
    const headers = path === "/events" ? { Accept: "text/event-stream" } : {};
    const asked = get({ port, host: "127.0.0.1", path, headers, signal, agent }, resolve);
    asked.on("error", (error: NodeJS.ErrnoException) => {
      // RFC 9112 §9.5: an idle connection may end while a request is on its way to it, which then was not answered.
      if (asked.reusedSocket && error.code === "ECONNRESET") resolve(ask(port, path, signal, agent));
      else reject(error);
    });
  });
}

const WORK = [
  ["the WebSocket", echo],
  ["the event stream", listen],
  ["the poll", poll],
] as const;

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A busy machine may take its time to start a process, or to collect the garbage. */
function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  return within(promise, () => what);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
