// A process that is told to end (SIGTERM) while sessions are away, between polls, behind, and in the middle of requests.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { openSession } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { request } from "../support/serving.ts";
import {
  ack,
  ask,
  back,
  type Endpoint,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import { sessionOfPoll } from "../support/session-site.ts";
import { until, within } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

class StoppingProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  /** Its output so far. */
  readonly lines: string[];
  readonly #exit: Promise<unknown[]>;

  private constructor(child: ChildProcess, port: number, lines: string[]) {
    this.#child = child;
    this.port = port;
    this.lines = lines;
    this.#exit = once(child, "exit");
  }

  static async start(t: TestContext): Promise<StoppingProcess> {
    const path = fileURLToPath(new URL("../support/stopping-child.js", import.meta.url));
    const child = spawn(process.execPath, ["--enable-source-maps", path], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    const lines: string[] = [];
    createInterface(child.stdout).on("line", (line) => lines.push(line));
    await until(() => lines.length > 0, "it listens");
    return new StoppingProcess(child, Number(lines.shift()), lines);
  }

  endpoint(path: string): Endpoint {
    return { port: this.port, pathname: path };
  }

  said(line: string): Promise<void> {
    return until(() => this.lines.includes(line), `it says ${line}, not only ${this.lines.join(", ")}`);
  }

  terminate(): void {
    // Deno's `child.kill` reports its signal as the end of the child, whatever the child does with it.
    process.kill(this.#child.pid!, "SIGTERM");
  }

  async exited(): Promise<unknown[]> {
    return within(this.#exit, () => `its exit; it said ${this.lines.join(", ")}`);
  }
}

/** The code of the `close` that comes on a carrier of this kind; what comes before it is passed over. */
async function closeCode(carrier: SocketClient | StreamClient): Promise<number> {
  for (;;) {
    const record = await carrier.record();
    if (record?.type === "close") {
      assert.ok(record.retryMs !== undefined, "it says when to come back");
      return record.code;
    }
    assert.ok(record !== undefined, "close comes before the end");
  }
}

const RESTART = 1012;

describe("a process that gets SIGTERM", () => {
  it("closes connected sessions, ends those whose client is away, and exits by itself", async (t) => {
    const app = await StoppingProcess.start(t);
    const socket = await SocketClient.open(t, app.endpoint("/session/socket"));
    const { session } = await socket.opened();
    const stream = await StreamClient.open(t, app.endpoint("/session/stream"));
    await stream.opened();
    const parking = opened(await poll(t, app.endpoint("/session/parked")));
    const parked = poll(t, app.endpoint("/session/parked"), back(parking, 0));
    // Away: one that had a WebSocket, one that had a stream, one that polled, and one that never came back.
    const away = [
      await SocketClient.open(t, app.endpoint("/session/away-socket")),
      await StreamClient.open(t, app.endpoint("/session/away-stream")),
    ] as const;
    for (const carrier of away) {
      const open = await carrier.opened();
      const path = carrier instanceof SocketClient ? "/session/away-socket" : "/session/away-stream";
      assert.equal((await post(t, app.endpoint(path), open.session, 1, text("x"))).status, 200);
      carrier.drop();
    }
    const behind = await SocketClient.open(t, app.endpoint("/session/behind"));
    const behindOpen = await behind.opened();
    for (let i = 0; i < 200; i++) behind.send(text("x".repeat(1000)));
    behind.ws.ping("read");
    while ((await behind.ws.frame()).opcode !== OPCODE.PONG);
    const waiting = post(t, app.endpoint("/session/behind"), behindOpen.session, 201, text("y")).catch(() => undefined);
    const half = await RawClient.connect(t, app.endpoint("/"));
    const head = `POST /session/socket?session=${session}&from=1 HTTP/1.1\r\nHost: x\r\n`;
    half.write(`${head}Content-Length: 9\r\n\r\ndata: `);
    const events = await RawClient.connect(t, app.endpoint("/"));
    events.write(request("GET /plain/events\r\nAccept: text/event-stream"));
    await events.head();
    const chunks = await RawClient.connect(t, app.endpoint("/"));
    chunks.write(request("GET /plain/stream"));
    await chunks.head();
    const plainPoll = await RawClient.connect(t, app.endpoint("/"));
    plainPoll.write(request("GET /plain/poll"));
    const ws = await WsClient.open(t, app.endpoint("/"), { path: "/plain/socket" });
    const between = opened(await poll(t, app.endpoint("/session/between"), { park: 0 }));
    await poll(t, app.endpoint("/session/between"), { ...back(between, 0), park: 0 });
    await app.said("open /plain/poll");

    app.terminate();
    assert.equal(await closeCode(socket), RESTART);
    socket.send(ack(1));
    assert.equal(await closeCode(stream), RESTART);
    const last = (await parked).records.at(-1);
    assert.ok(last?.type === "close" && last.code === RESTART);
    assert.equal((await plainPoll.response()).status, 503);
    assert.equal((await ws.closed()).code, 1001);
    const [code, signal] = await app.exited();
    assert.deepEqual([code, signal], [0, null]);
    await waiting;
    const ended = app.lines.filter((line) => line.startsWith("close")).map((line) => line.split(" ")[1]);
    const begun = app.lines.filter((line) => line.startsWith("open")).map((line) => line.split(" ")[1]);
    assert.deepEqual(ended.sort(), begun.sort(), "each channel's end was told, once");
    assert.equal(app.lines.at(-1), "stopped 0");
    for (const client of [half, events, chunks, behind.ws.raw]) await client.takeRest();
  });

  it("waits a moment for a client between two polls, which gets the messages sent before", async (t) => {
    const app = await StoppingProcess.start(t);
    const endpoint = app.endpoint("/session/between");
    const open = opened(await poll(t, endpoint, { park: 0 }));
    const first = await poll(t, endpoint, { ...back(open, 0), park: 0 });
    assert.equal(first.records.length, 4);
    // A connection that was made before: afterwards the port is closed.
    const client = await RawClient.connect(t, endpoint);
    client.write(`GET ${endpoint.pathname}?mode=poll&session=${open.session}&after=0 HTTP/1.1\r\nHost: x`);
    app.terminate();
    await app.said("stopping");
    client.write("\r\n\r\n");
    const { status, text: body } = await client.response();
    assert.equal(status, 200);
    assert.match(body, /data: 2\n\nevent: close\ndata: \{"code":1012/);
    assert.deepEqual(await app.exited(), [0, null]);
  });
});

describe("a server that stops", () => {
  it("takes graceMs once: sessions that linger do not add to it", async (t) => {
    const app = testServer((request) =>
      openSession(request, { open: (channel) => [1, 2, 3].map((n) => channel.send(`${n}`)) }),
    );
    const first = await (await app.fetch("/?mode=poll&park=0")).text();
    const token = /"session":"([^"]+)"/.exec(first)![1];
    // Its client has polled twice, and is between two polls.
    await (await app.fetch(`/?mode=poll&park=0&session=${token}&after=0`)).text();
    const socket = await app.websocket("/", { protocols: ["unichannel.v1"] });
    t.after(() => socket.terminate());
    app.network.stall();
    const before = app.clock.now();
    await app.stop({ graceMs: 10_000 });
    assert.equal(app.clock.now() - before, 10_000);
  });

  it("answers a POST that waits for room with an ack, or ends it, and resolves", async (t) => {
    const { site, session } = await sessionOfPoll(t, { message: () => new Promise(() => {}) });
    await post(t, site.endpoint, session, 1, ...Array.from({ length: 70 }, () => text("x")));
    const waiting = ask(t, site.endpoint, { method: "POST", query: { session, from: 71 }, body: "data: y\n\n" });
    await until(() => site.site.server.stats().requests === 3, "it waits");
    await site.site.server.stop({ graceMs: 1000 });
    assert.equal((await waiting).status, 410);
  });
});
