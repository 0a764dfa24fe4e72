// The programs of docs/how-to/observing.md, and the lines that it shows.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/connect.ts";
import type { Server } from "../../src/index.ts";
import { blocks, program, run, start } from "./programs.ts";

const PAGE = "observing";

async function serverOf(t: TestContext, mark: string): Promise<Record<string, Server>> {
  const servers = (await run(t, program(PAGE, mark))) as Record<string, Server>;
  t.after(() => Promise.all(Object.values(servers).map((server) => server.stop({ graceMs: 0 }))));
  return servers;
}

const textOf = async (url: string): Promise<string> => (await fetch(url)).text();

/** A line without what differs each time. */
function normal(line: string): string {
  return line
    .replace(/^UNICHANNEL \d+: /, "")
    .replaceAll(/\b[a-z0-9]{8}-[a-z0-9]+\b/g, "ID")
    .replaceAll(/session [\w-]+…/g, "session TOKEN")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST")
    .replaceAll(/\d+ bytes received, \d+ sent/g, "BYTES");
}

const normalLines = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map(normal);

describe("the guide to observing", () => {
  it("reads stats", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const log = t.mock.method(console, "log", () => {});
    const { server } = await serverOf(t, "bufferedBytes");
    assert.equal(await textOf(server!.url), "hello\n");
    t.mock.timers.tick(10_000);
    const [said] = log.mock.calls[0]!.arguments as unknown as [{ connections: number }];
    assert.deepEqual(Object.keys(said), ["connections", "websocket", "sse", "stream", "poll", "bufferedBytes"]);
  });

  it("has metrics on a port of their own", async (t) => {
    const { server, metrics } = await serverOf(t, "collectDefaultMetrics");
    assert.equal(await textOf(server!.url), "hello\n");
    const text = await textOf(`http://127.0.0.1:${metrics!.port}/metrics`);
    assert.match(text, /^unichannel_requests_total 1$/m);
    assert.match(text, /^process_cpu_seconds_total /m);
    assert.equal((await fetch(`http://127.0.0.1:${metrics!.port}/`)).status, 404);
  });

  it("logs with pino", async (t) => {
    const { printed } = start(t, program(PAGE, "  logger,\n"));
    const [, url] = await printed(/"url":"([^"]+)","msg":"unichannel: listening"/);
    assert.equal(await textOf(url!), "hello\n");
  });

  it("shows the lines that NODE_DEBUG prints, and those that the client prints", async (t) => {
    const server = start(t, program(PAGE, "openSession"), { NODE_DEBUG: "unichannel" });
    const [, port] = await server.printed(/listening: http:\/\/127\.0\.0\.1:(\d+)/);
    const sockets: WebSocket[] = [];
    class Kept extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    const said: string[] = [];
    const connection = connect(`http://127.0.0.1:${port}/chat`, {
      WebSocket: Kept as never,
      debug: (line) => said.push(line),
      backoff: { firstMs: 1 },
    });
    connection.send("hello");
    await new Promise<void>((done) => connection.onMessage((message) => done(void said.push(String(message)))));
    const [debugged, refused, printed] = blocks(PAGE, "text").map(normalLines) as [string[], string[], string[]];
    assert.deepEqual(said, printed);
    const resumed = new Promise<void>((done) => connection.onOpen(({ session }) => session === "resumed" && done()));
    sockets[0]!.terminate();
    await resumed;
    connection.close();
    await server.printed(/session \S+ closed/);
    const page = new WebSocket(`ws://127.0.0.1:${port}/chat`, ["unichannel.v1"], { origin: "https://app.example" });
    await new Promise((done) => page.on("error", done));
    await server.printed(/handshake refused/);
    await server.printed(/connection \S+ closed[\s\S]*connection \S+ closed/);
    const lines = normalLines(server.output());
    for (const line of [...debugged, ...refused]) assert.ok(lines.includes(line), `${line} in ${lines.join("\n")}`);
    const sessions = (all: string[]): string[] => all.filter((line) => line.startsWith("session"));
    assert.deepEqual(sessions(lines), sessions(debugged));
  });

  it("shows a client that is told to debug", async (t) => {
    const server = start(t, program(PAGE, "openSession"), { NODE_DEBUG: "unichannel" });
    const [, port] = await server.printed(/listening: http:\/\/127\.0\.0\.1:(\d+)/);
    const client = start(t, program(PAGE, "debug: true").replace("9090", port!));
    await client.printed(/open, session new\n(.*\n)*hello\n/);
  });

  it("writes a line and a measurement for each request", async (t) => {
    const text = program(PAGE, "app_request_seconds");
    const { printed } = start(
      t,
      `${text}\nsetInterval(async () => console.log(await (await import("prom-client")).register.metrics()), 50);`,
    );
    const [, url] = await printed(/^(http:\S+)$/m);
    assert.equal(await textOf(`${url}/a?token=hidden`), "hello\n");
    await printed(/"method":"GET","path":"\/a","status":200,"durationMs":\d+,"msg":"request"/);
    await printed(/app_request_seconds_count\{status="200"\} 1/);
  });

  it("has the request's id in lines below a handler", async (t) => {
    const { printed } = start(t, program(PAGE, "AsyncLocalStorage"));
    const [, url] = await printed(/^(http:\S+)$/m);
    assert.equal(await textOf(url!), "hello\n");
    await printed(/"requestId":"[a-z0-9]{8}-[a-z0-9]+","msg":"somewhere below the handler"/);
  });

  it("has no program that is not run here", () => {
    assert.equal(blocks(PAGE, "ts").length, 7);
  });
});
