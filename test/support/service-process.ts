// One process of a service whose sessions move: an application that counts the messages of each client in both directions. It says
// what happens in lines of JSON, written at once, so that nothing of it is lost when the process is killed. Orders come in lines, too.

import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import { type Channel, openSession, type SendData, type ServeOptions, type Server, serve } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "./broker-kits.ts";

export type StoreMethod = "put" | "take" | "claim";

/** An accident at the first call of a method of the session store. */
export interface Accident {
  readonly method: StoreMethod;
  /** `before`: the call is not made. `during`: it is on its way. `after`: the store has executed it. */
  readonly at: "before" | "during" | "after";
  readonly signal: "SIGKILL" | "SIGSTOP";
}

export interface ServiceOrder {
  readonly broker: BrokerName;
  readonly brokerPort: number;
  /** Where the other processes find the relay port of a process, by the port that it announces: a proxy before it. */
  readonly isRelayTcp?: boolean;
  readonly relayThrough?: number;
  readonly accident?: Accident;
  readonly serve?: ServeOptions;
  /** How long a receiver runs, in milliseconds. The next message waits for it. */
  readonly receiverMs?: readonly [least: number, most: number];
  readonly resumeMs?: number;
  readonly save?: "works" | "throws" | "rejects" | "hangs" | "gives a function" | "is missing";
  readonly storeTimeoutMs?: number;
}

/** `[name, client, detail]`. */
export type ServiceEvent = readonly [name: string, client: string, detail?: unknown];

interface Counts {
  readonly id: string;
  received: number;
  sent: number;
}

const order = JSON.parse(process.argv[2]!) as ServiceOrder;
const { broker, brokerPort, accident, receiverMs = [0, 0], save = "works", storeTimeoutMs = 3000 } = order;

function say(...event: ServiceEvent): void {
  writeSync(1, `${JSON.stringify(event)}\n`);
}

const store = withAccident(await openStore());
let server = await begin();
say("listens", "", server.port);

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = JSON.parse(line) as [string, never];
  if (name === "stop") void stop(argument);
  else if (name === "restart") void restart(argument);
  else if (name === "stats") say("stats", "", { ...server.stats(), memory: process.memoryUsage().rss });
}

function begin(): Promise<Server> {
  return serve(
    (request) =>
      openSession(
        request,
        {
          open(channel) {
            const id = request.query.get("id") ?? "";
            channel.attachment = { id, received: 0, sent: 0 };
            say("open", id);
          },
          message: receive,
          request: answer,
          ...(save === "is missing" ? {} : { save: saveState }),
          restored(channel, state) {
            say("restored", countsOf(channel).id, state);
          },
          close(status, channel) {
            say("close", countsOf(channel).id, status.code);
          },
        },
        {
          ...(order.resumeMs === undefined ? {} : { resumeMs: order.resumeMs }),
          // The date of a token that the client shows.
          ...(request.query.has("until") ? { expiresAt: Number(request.query.get("until")) } : {}),
        },
      ),
    {
      port: 0,
      host: "127.0.0.1",
      sessions: store,
      ...(order.isRelayTcp ? { relay: { host: "127.0.0.1" } } : {}),
      onError: (error, { source }) => say("error", "", [source, codeOf(error), String(error)]),
      logger: { info() {}, warn() {}, error() {} },
      ...order.serve,
    },
  );
}

async function stop(graceMs: number): Promise<void> {
  await server.stop({ graceMs });
  say("stopped", "");
  process.exit();
}

/** A deploy without the time that a new process takes to start: the next server is to the service a process of its own. */
async function restart(graceMs: number): Promise<void> {
  const old = server;
  server = await begin();
  say("listens", "", server.port);
  await old.stop({ graceMs });
  say("restarted", "");
}

/** `number` or `number:anything`, text or bytes. `slow number` takes two seconds. Answers with a number of its own, and the same data. */
async function receive(message: string | Uint8Array, channel: Channel): Promise<void> {
  const counts = countsOf(channel);
  const text = typeof message === "string" ? message : Buffer.from(message).toString();
  const number = Number(/\d+/.exec(text)![0]);
  say("got", counts.id, number);
  const [least, most] = receiverMs;
  if (text.startsWith("slow")) await delay(2000);
  else if (most > 0) await delay(least + Math.random() * (most - least));
  counts.received += 1;
  counts.sent += 1;
  const rest = text.slice(text.indexOf(":") + 1);
  const answer = `${counts.sent}:${text.includes(":") ? rest : ""}`;
  const data: SendData = typeof message === "string" ? answer : Buffer.from(answer);
  if (!channel.send(data)) say("unsent", counts.id, number);
  if (text.endsWith("close")) channel.close(4001, "the client asked for it");
}

/** Answers a request in a moment, and `until` with the end of the client's identity. The client is asked for the answer to one that begins with `back`. */
async function answer(data: string | Uint8Array, channel: Channel): Promise<string> {
  if (data === "until") return String(channel.expiresAt);
  say("asked", countsOf(channel).id, data);
  await delay(Math.random() * 20);
  if (!String(data).startsWith("back")) return `answer to ${data}`;
  return String(await channel.request(data).catch(({ code }: { code: string }) => code));
}

function saveState(channel: Channel): unknown {
  const { id, received } = countsOf(channel);
  say("save", id);
  if (save === "works" || !id.startsWith("bad")) return { received };
  if (save === "throws") throw new Error("save throws");
  if (save === "rejects") return Promise.reject(new Error("save rejects"));
  if (save === "hangs") return new Promise(() => {});
  return () => {};
}

function countsOf(channel: Channel): Counts {
  return channel.attachment as Counts;
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

async function openStore(): Promise<SessionStore> {
  const onError = (error: unknown): void => say("broker", "", String(error));
  return (await BROKER_KITS[broker].openSessions(brokerPort, { timeoutMs: storeTimeoutMs, onError })).sessions;
}

function withAccident(store: SessionStore): SessionStore {
  const { relayThrough } = order;
  let isWhole = accident !== undefined;
  const happen = (): void => {
    if (!isWhole) return;
    isWhole = false;
    say("accident", "", accident);
    process.kill(process.pid, accident!.signal);
    // The signal may need a moment. Nothing of this process may happen meanwhile.
    if (accident!.signal === "SIGSTOP") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    else for (;;);
  };
  const around = <T>(method: StoreMethod, call: () => Promise<T>): Promise<T> => {
    if (!isWhole || accident?.method !== method) return call();
    if (accident.at === "before") happen();
    const called = call();
    if (accident.at === "during") setImmediate(happen);
    if (accident.at !== "after") return called;
    return called.then((value) => {
      happen();
      return value;
    });
  };
  return {
    put: (...args) => around("put", () => store.put(...args)),
    take: (...args) => around("take", () => store.take(...args)),
    claim: (...args) => around("claim", () => store.claim(...args)),
    renew: (...args) => store.renew(...args),
    forget: (...args) => store.forget(...args),
    announce(process, address, ttlMs) {
      if (relayThrough !== undefined) say("relay", "", address);
      return store.announce(process, relayThrough === undefined ? address : `tcp:127.0.0.1:${relayThrough}`, ttlMs);
    },
    withdraw: (process) => store.withdraw(process),
    locate: (process) => store.locate(process),
    secret: () => store.secret(),
    close: () => store.close(),
  };
}
