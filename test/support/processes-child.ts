// A service on all cores: `runProcesses` in a process of its own, which a test can kill. Its workers have sessions, a group with
// its history, and count the messages of each client in both directions. All processes say what happens in lines of JSON, written at
// once. Orders come to the first process, in lines.

import cluster from "node:cluster";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { type Channel, createChannelStore, openSession, type Server, serve, withChannel } from "../../src/index.ts";
import { processBackplane, processSessions, runProcesses, type Stoppable } from "../../src/processes.ts";

export interface ProcessesOrder {
  readonly count: number;
  readonly stopMs?: number;
  /** The function of a worker fails: in all of them, or in those that start later. */
  readonly fails?: "always" | "later";
  /** The process of a worker ends before its function has returned. */
  readonly exits?: boolean;
  readonly returns?: "nothing" | "an object";
  /** Time that the file of a worker takes before it calls `runProcesses`. */
  readonly loadMs?: number;
  /** Times that the functions of the workers take, by the number of the worker. @default 0 */
  readonly startMs?: readonly number[];
  /** The first worker dies when it has started. */
  readonly diesEarly?: boolean;
  /** The history of the group, in messages. @default 100_000 */
  readonly history?: number;
}

const order = JSON.parse(process.argv[2]!) as ProcessesOrder;
let isLater = false;

if (order.loadMs !== undefined && cluster.isWorker) {
  say("loads", "");
  await delay(order.loadMs);
}

const service = await runProcesses(order.count, worker, {
  ...(order.stopMs === undefined ? {} : { stopMs: order.stopMs }),
  onError: (error) => say("died", "", String(error)),
});
say("started", "", service.pids);

createInterface({ input: process.stdin }).on("line", obey);

async function obey(line: string): Promise<void> {
  if (line === "replace") {
    await service.replace().then(
      () => say("replaced", "", service.pids),
      (error: unknown) => say("not replaced", "", String(error)),
    );
  } else if (line === "fail later") {
    // The environment of the workers that are started from now on.
    process.env["UNICHANNEL_TEST_FAIL"] = "1";
    say("set", "");
  } else if (line === "fail no more") {
    delete process.env["UNICHANNEL_TEST_FAIL"];
    say("set", "");
  } else if (line === "cannot fork" || line === "can fork") {
    // Node throws for such an argument, as it does for some errors of the system.
    cluster.setupPrimary({ args: line === "can fork" ? process.argv.slice(2) : ["\0"] });
    say("set", "");
  } else if (line === "throw") {
    setImmediate(() => {
      throw new Error("as a mistake does");
    });
  } else if (line === "pids") say("pids", "", service.pids);
  else if (line === "stop") {
    await service.stop();
    say("all stopped", "");
    // Nothing else keeps this process alive.
    process.stdin.destroy();
  }
}

function say(...event: readonly [name: string, client: string, detail?: unknown]): void {
  writeSync(1, `${JSON.stringify(event)}\n`);
}

async function worker(): Promise<Stoppable> {
  if (order.returns === "an object") return { stop() {} };
  const server = await startWorker();
  if (order.returns === "nothing") return undefined as never;
  if (order.diesEarly === true && cluster.worker!.id === 1) setImmediate(() => process.exit(4));
  return {
    async stop() {
      say("stops", "");
      await server.stop();
    },
  };
}

async function startWorker(): Promise<Server> {
  say("begins", "", process.pid);
  await delay(order.startMs?.[cluster.worker!.id - 1] ?? 0);
  isLater = process.env["UNICHANNEL_TEST_FAIL"] === "1";
  if (order.exits === true) process.exit(3);
  if (order.fails === "always" || (order.fails === "later" && isLater)) throw new Error("the function fails");
  const rooms = createChannelStore({
    backplane: processBackplane(),
    history: { size: order.history ?? 100_000, ttlMs: 600_000 },
    onError: (error) => say("store error", "", String(error)),
  });
  const server = await serve(
    async (request) => {
      if (request.path === "/pid") return `${process.pid}`;
      if (request.path === "/publish") return (await rooms.publish("g", await request.text())).id ?? "";
      if (request.path === "/present") return `${(await rooms.presence("g")).map(({ info }) => info).join()}`;
      if (request.path === "/group") {
        return withChannel(request, (channel) => {
          channel.send(`pid ${process.pid}`);
          rooms.addToGroup("g", channel, undefined, {
            since: request.query.get("since") ?? "",
            presence: process.pid,
            onReset: () => channel.send("reset"),
          });
          // The next message waits until this one is there.
          channel.onMessage((message) => rooms.publish("g", message));
        });
      }
      return openSession(request, {
        open(channel) {
          const id = request.query.get("id") ?? "";
          channel.attachment = { id, sent: 0 };
          say("open", id, process.pid);
          rooms.addToGroup("sessions", channel);
        },
        message: receive,
        save: ({ attachment }) => (attachment as Counts).sent,
        restored(channel, sent) {
          channel.attachment = { id: request.query.get("id") ?? "", sent: Number(sent) };
          say("restored", countsOf(channel).id, process.pid);
        },
        close: (status, channel) => say("close", countsOf(channel).id, status.code),
      });
    },
    {
      ...{ host: "127.0.0.1", port: 0, sessions: processSessions(), stores: { rooms } },
      onError: (error, { source }) => say("error", "", [source, String(error)]),
      logger: { info() {}, warn() {}, error() {} },
    },
  );
  say("listens", "", server.port);
  return server;
}

interface Counts {
  readonly id: string;
  sent: number;
}

function countsOf(channel: Channel): Counts {
  return channel.attachment as Counts;
}

function receive(message: string | Uint8Array, channel: Channel): void {
  const counts = countsOf(channel);
  const text = typeof message === "string" ? message : Buffer.from(message).toString();
  say("got", counts.id, Number(/\d+/.exec(text)![0]));
  counts.sent += 1;
  channel.send(String(counts.sent));
}
