// A service of several real processes with a real broker, behind a balancer that gives each connection to the next process; and
// clients that number their messages. `NumberedClient.check` finds whether each arrived exactly once and in order, both ways.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import { type Connection, type ConnectOptions, connect, type Message, type Opening } from "../../src/client/index.ts";
import type { Broker } from "./broker.ts";
import { BROKER_KITS, type BrokerName } from "./broker-kits.ts";
import type { ServiceEvent, ServiceOrder } from "./service-process.ts";
import type { Endpoint } from "./session-client.ts";

/** Far above what anything here needs on a busy machine. */
const PATIENCE_MS = 60_000;

/** Lines of `debug` that a client keeps. */
const MAX_LINES = 40;

const PROCESS = fileURLToPath(new URL("./service-process.js", import.meta.url));

export type ProcessOptions = Omit<ServiceOrder, "broker" | "brokerPort"> & {
  readonly brokerPort?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
};

export class Service {
  readonly broker: Broker;
  readonly #t: TestContext;
  readonly #name: BrokerName;
  /** All processes that were started. */
  readonly started: ServiceProcess[] = [];
  /** The processes among which the balancer chooses. */
  readonly balanced: ServiceProcess[] = [];
  readonly #clients: NumberedClient[] = [];
  readonly #sockets = new Set<Socket>();
  #next = 0;
  /** The port of the balancer. */
  port = 0;

  private constructor(t: TestContext, name: BrokerName, broker: Broker) {
    this.broker = broker;
    this.#t = t;
    this.#name = name;
  }

  static async start(t: TestContext, name: BrokerName, processes = 0, options: ProcessOptions = {}): Promise<Service> {
    const broker = await BROKER_KITS[name].start();
    const service = new Service(t, name, broker);
    // Hooks run in the order in which they were added: a client whose processes are gone would wait for the next one.
    t.after(() => service.#endClients());
    t.after(() => broker.stop());
    await service.#listen();
    await Promise.all(Array.from({ length: processes }, () => service.add(options)));
    return service;
  }

  /** Starts a process and adds it to the balancer's. */
  async add(options: ProcessOptions = {}): Promise<ServiceProcess> {
    const started = await this.launch(options);
    this.balanced.push(started);
    return started;
  }

  /** Starts processes that the balancer does not know, all at once. */
  launchAll(...all: readonly ProcessOptions[]): Promise<ServiceProcess[]> {
    return Promise.all(all.map((options) => this.launch(options)));
  }

  /** Starts a process that the balancer does not know. */
  async launch({ env, nodeArgs = [], ...options }: ProcessOptions = {}): Promise<ServiceProcess> {
    const order: ServiceOrder = { broker: this.#name, brokerPort: this.broker.port, ...options };
    const args = ["--enable-source-maps", ...nodeArgs, PROCESS, JSON.stringify(order)];
    const child = spawn(process.execPath, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    const started = new ServiceProcess(child);
    this.#t.after(() => started.kill());
    this.started.push(started);
    await started.event("listens");
    return started;
  }

  /** The balancer gives connections to these processes alone, from now on. */
  balance(...balanced: readonly ServiceProcess[]): void {
    this.balanced.splice(0, this.balanced.length, ...balanced);
  }

  /** The balancer gives no further connection to the process. */
  remove(leaving: ServiceProcess): void {
    const at = this.balanced.indexOf(leaving);
    if (at >= 0) this.balanced.splice(at, 1);
  }

  /** Events of all processes. */
  events(name: string): readonly ServiceEvent[] {
    return this.started.flatMap(({ events }) => events).filter((event) => event[0] === name);
  }

  /** Cuts all connections of clients. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** `at`: the origin of another balancer. */
  client(id: string, options: ConnectOptions = {}, at = `http://127.0.0.1:${this.port}`): NumberedClient {
    const client = new NumberedClient(this, id, `${at}/s?id=${id}`, options);
    this.#clients.push(client);
    return client;
  }

  async #endClients(): Promise<void> {
    for (const { connection } of this.#clients) connection.close();
    const all = Promise.all(this.#clients.map(({ connection }) => connection.closed));
    await Promise.race([all, delay(1000, undefined, { ref: false })]);
  }

  async #listen(): Promise<void> {
    const sockets = this.#sockets;
    const balancer = createServer({ allowHalfOpen: true }, (client) => {
      const chosen = this.balanced[this.#next++ % Math.max(this.balanced.length, 1)];
      if (chosen === undefined) {
        client.destroy();
        return;
      }
      const upstream = connectTcp({ port: chosen.port, host: "127.0.0.1", allowHalfOpen: true });
      const pair = [client, upstream];
      for (const [one, other] of [pair, pair.toReversed()] as [Socket, Socket][]) {
        sockets.add(one);
        one.pipe(other);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          sockets.delete(one);
          other.destroy();
        });
      }
    });
    balancer.listen(0, "127.0.0.1");
    await once(balancer, "listening");
    this.port = (balancer.address() as { port: number }).port;
    this.#t.after(() => {
      balancer.close();
      this.cut();
    });
  }
}

export class ServiceProcess {
  readonly events: ServiceEvent[] = [];
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => this.events.push(JSON.parse(line) as ServiceEvent));
    child.stdin!.on("error", () => {});
  }

  /** The port of the server that was started last. */
  get port(): number {
    return Number(this.events.findLast(([name]) => name === "listens")?.[2]);
  }

  get endpoint(): Endpoint {
    return { port: this.port, pathname: "/s" };
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves to the detail of the first event of this name, and of this client if one is given. */
  async event(name: string, client = ""): Promise<unknown> {
    const find = (): ServiceEvent | undefined =>
      this.events.find((event) => event[0] === name && (client === "" || event[1] === client));
    await soon(
      () => find() !== undefined || this.hasEnded,
      () => `${name} of ${client || "a process"}`,
    );
    assert.ok(find() !== undefined, `the process has ended without ${name}`);
    return find()![2];
  }

  count(name: string): number {
    return this.events.filter((event) => event[0] === name).length;
  }

  tell(...order: readonly unknown[]): void {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  /** Begins an orderly stop, and resolves when it has ended. */
  async stop(graceMs = 5000): Promise<void> {
    this.tell("stop", graceMs);
    await this.event("stopped");
  }

  /** Another server begins in this process, and the present one stops. */
  async restart(graceMs = 5000): Promise<void> {
    const before = this.count("restarted");
    this.tell("restart", graceMs);
    await soon(
      () => this.count("restarted") > before,
      () => "a restart",
    );
  }

  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }
}

/** A client whose messages have the numbers 1, 2, 3, …; the server's answers have such numbers, too. */
export class NumberedClient {
  readonly id: string;
  readonly connection: Connection;
  readonly received: number[] = [];
  readonly openings: Opening<unknown>[] = [];
  readonly errors: unknown[] = [];
  sent = 0;
  /** The last actions of the client, for the report of a failure. */
  readonly #lines: string[] = [];
  readonly #service: Pick<Service, "events">;
  #isSending = true;

  constructor(service: Pick<Service, "events">, id: string, url: string, options: ConnectOptions) {
    this.id = id;
    this.#service = service;
    // A process takes seconds to start on a busy machine; the default would then make the client wait for half a minute.
    const debug = (line: string): void => {
      this.#lines.push(`${new Date().toISOString().slice(11)} ${line}`);
      if (this.#lines.length > MAX_LINES) this.#lines.shift();
    };
    this.connection = connect(url, { WebSocket: WebSocket as never, backoff: { capMs: 500 }, debug, ...options });
    this.connection.onMessage((message: Message) => void this.received.push(numberOf(message)));
    this.connection.onOpen((opening) => this.openings.push(opening));
    this.connection.onError((error) => this.errors.push(error));
  }

  /** Sends the next message. `rest` follows its number. */
  send(rest = "", form: "text" | "bytes" = "text"): void {
    const text = `${++this.sent}${rest === "" ? "" : `:${rest}`}`;
    assert.ok(this.connection.send(form === "text" ? text : Buffer.from(text)), `${this.id} could send ${this.sent}`);
  }

  /** Sends a message every `everyMs` milliseconds until `finish`. */
  async keepSending(everyMs: number): Promise<void> {
    while (this.#isSending) {
      const kind = this.sent % 10;
      // Lone surrogates cannot be sent; everything else can.
      if (kind === 3) this.send("bytes \u{1f600} \0", "bytes");
      else if (kind === 7) this.send("text \u{1f600} \r\n \0");
      else this.send();
      await delay(everyMs * (0.5 + Math.random()));
    }
  }

  stopSending(): void {
    this.#isSending = false;
  }

  /** The numbers that the application got from this client, in all processes. */
  get got(): number[] {
    return this.#service
      .events("got")
      .filter(([, client]) => client === this.id)
      .map(([, , number]) => Number(number));
  }

  get isComplete(): boolean {
    return this.received.length >= this.sent && this.got.length >= this.sent;
  }

  /** How many sessions were lost. */
  get lost(): number {
    return this.openings.filter(({ session }) => session === "lost").length;
  }

  /**
   * Waits until every message has an outcome, and checks that none was lost without a word: it has arrived, or the client was told
   * that it may not have. None has arrived twice.
   */
  async checkTold(): Promise<void> {
    this.stopSending();
    const told = (): unknown[] => this.openings.flatMap(({ unacknowledged }) => unacknowledged);
    const numbersTold = (): Set<number> => new Set(told().map((data) => numberOf(data as Message)));
    const missing = (): number[] => {
      const known = new Set([...this.got, ...numbersTold()]);
      return Array.from({ length: this.sent }, (_, i) => i + 1).filter((number) => !known.has(number));
    };
    await soon(
      () => missing().length === 0 && this.connection.bufferedAmount === 0,
      () => `the outcome of ${missing()} of ${this.id}`,
    );
    const { got } = this;
    assert.equal(new Set(got).size, got.length, `messages of ${this.id} that arrived twice`);
  }

  /** Waits for all answers, and checks that nothing was lost, doubled or swapped in either direction. */
  async check(): Promise<void> {
    this.stopSending();
    await soon(
      () => this.isComplete,
      () =>
        `all of ${this.id}: ${this.received.length} and ${this.got.length} of ${this.sent}; at ${new Date().toISOString().slice(11)}:\n${this.#lines.join("\n")}`,
    );
    const all = Array.from({ length: this.sent }, (_, i) => i + 1);
    assert.deepEqual(this.received, all, `${this.id} has received`);
    assert.deepEqual(
      this.got.toSorted((a, b) => a - b),
      all,
      `the application has received of ${this.id}`,
    );
    assert.equal(this.lost, 0, `sessions of ${this.id} that were lost`);
  }
}

export async function soon(isTrue: () => boolean, what: () => string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await delay(5);
  }
}

function numberOf(message: Message): number {
  return Number.parseInt(typeof message === "string" ? message : Buffer.from(message).toString(), 10);
}

/** A proxy that passes everything on some milliseconds later. */
export async function startSlowProxy(t: TestContext, port: number, lateMs: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((one) => {
    const other = connectTcp(port, "127.0.0.1");
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => void setTimeout(() => to.write(bytes), lateMs));
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as { port: number }).port;
}
