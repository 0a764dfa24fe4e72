// The log of a server: docs/reference/server.md, "Logging". The logger is pino itself.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { pino } from "pino";
import { type Channel, jsonMessages, type Logger, openChannel, serve, withChannel } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A real pino that writes to memory. */
function logging(level = "info"): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const options = { level, base: null, timestamp: false, formatters: { level: (label: string) => ({ level: label }) } };
  return { logger: pino(options, { write: (line: string) => void lines.push(JSON.parse(line)) }), lines };
}

describe("the logger", () => {
  it("gets a line at info when the server listens, is stopping and has stopped, and none per request", async () => {
    const { logger, lines } = logging("trace");
    const server = await serve(() => "ok", { port: 0, host: "127.0.0.1", logger });
    assert.equal(await (await fetch(server.url)).text(), "ok");
    await until(() => server.stats().responses["2xx"] === 1, "it is answered");
    const { connections } = server.stats();
    await server.stop({ graceMs: 0 });
    const { durationMs } = lines.at(-1) as unknown as { durationMs: number };
    assert.ok(durationMs >= 0);
    assert.deepEqual(lines, [
      { level: "info", url: server.url, msg: "unichannel: listening" },
      { level: "info", graceMs: 0, connections, channels: 0, msg: "unichannel: stopping" },
      { level: "info", durationMs, msg: "unichannel: stopped" },
    ]);
  });

  it("gets the error of a handler, with the request's id and path, but not its query", async (t) => {
    const { logger, lines } = logging("warn");
    const ids: string[] = [];
    const options = { onError: undefined, logger };
    const site = await serving(
      t,
      (r) => {
        ids.push(r.id);
        throw new Error("boom");
      },
      options,
    );
    await site.request("GET /a?token=secret");
    const [{ err, ...rest } = {} as Line] = lines;
    assert.deepEqual(rest, {
      level: "error",
      source: "handler",
      requestId: ids[0],
      method: "GET",
      path: "/a",
      msg: "unichannel: error in handler",
    });
    const { type, message, stack } = err as { type: string; message: string; stack: string };
    assert.deepEqual([type, message], ["Error", "boom"]);
    assert.match(stack, /log\.test/);
    assert.doesNotMatch(JSON.stringify(lines), /secret/);
  });

  it("gets the error of a callback, with the channel's id", async (t) => {
    const { logger, lines } = logging("warn");
    const channels: Channel[] = [];
    const site = await serving(
      t,
      (r) =>
        withChannel(r, (channel) => {
          channels.push(channel);
          channel.onMessage(() => {
            throw new Error("boom");
          });
        }),
      { onError: undefined, logger },
    );
    const client = await WsClient.open(t, site.target);
    client.send("x");
    await until(() => lines.length > 0, "it is logged");
    const { level, source, channelId, transport } = lines[0]!;
    assert.deepEqual([level, source, channelId, transport], ["error", "message", channels[0]!.id, "websocket"]);
    client.raw.destroy();
  });

  it("gets a line at warn for a slow client that was closed, and none for a dropped message", async (t) => {
    const { logger, lines } = logging("warn");
    const channels: Channel[] = [];
    const site = await serving(
      t,
      (r) => {
        const onOverflow = r.path === "/drop" ? "drop" : "close";
        return withChannel(r, (channel) => void channels.push(channel), { onOverflow, maxBufferedBytes: 1 });
      },
      { onError: undefined, logger },
    );
    for (const path of ["/drop", "/close"]) {
      const client = await WsClient.open(t, site.target, { path });
      const channel = channels.at(-1)!;
      channel.send("fills it");
      assert.equal(channel.send("finds it full"), false);
      client.raw.destroy();
    }
    const [{ err, ...rest } = {} as Line, ...others] = lines;
    assert.deepEqual(rest, {
      level: "warn",
      source: "send",
      channelId: channels[1]!.id,
      transport: "websocket",
      msg: "unichannel: error in send",
    });
    assert.equal((err as { code: string }).code, "BUFFER_OVERFLOW");
    assert.deepEqual(others, []);
  });

  it("gets no errors where there is an onError", async (t) => {
    const { logger, lines } = logging("warn");
    const site = await serving(
      t,
      () => {
        throw new Error("boom");
      },
      { logger },
    );
    await site.request("GET /");
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
    assert.deepEqual(lines, []);
  });

  it("may be the console", async (t) => {
    const said: unknown[][] = [];
    for (const level of ["info", "error"] as const) {
      t.mock.method(console, level, (...args: unknown[]) => void said.push([level, ...args]));
    }
    const fail = (): never => {
      throw new Error("boom");
    };
    const server = await serve(fail, { port: 0, host: "127.0.0.1", logger: console });
    assert.equal((await fetch(server.url)).status, 500);
    await server.stop({ graceMs: 0 });
    assert.deepEqual(
      said.map(([level, , message]) => [level, message]),
      [
        ["info", "unichannel: listening"],
        ["error", "unichannel: error in handler"],
        ["info", "unichannel: stopping"],
        ["info", "unichannel: stopped"],
      ],
    );
  });

  it("may throw, and the server goes on", async (t) => {
    const broken = (): never => {
      throw new Error("the log is full");
    };
    const site = await serving(t, broken, {
      onError: undefined,
      logger: { info: broken, warn: broken, error: broken },
    });
    assert.equal((await site.request("GET /")).status, 500);
    await site.server.stop();
  });
});

describe("the log of errors that clients can cause at will", () => {
  /** 50 messages that the receiver refuses, as one client sends them, and what was logged by the time the server has stopped. */
  async function flood(t: TestContext, handle: (message: string) => never): Promise<Line[]> {
    const { logger, lines } = logging("warn");
    let received = 0;
    const site = await serving(
      t,
      (r) =>
        withChannel(r, (channel) => {
          channel.onMessage((message) => {
            received += 1;
            handle(String(message));
          });
        }),
      { onError: undefined, logger },
    );
    const client = await WsClient.open(t, site.target);
    for (let i = 0; i < 50; i++) client.send(`message ${i}`);
    await until(() => received === 50, "all have been received");
    assert.equal(site.server.stats().errors.message?.OTHER, 50);
    await site.server.stop({ graceMs: 0 });
    return lines;
  }

  it("has ten lines of a kind, and the number of those that were left out", async (t) => {
    const lines = await flood(t, () => {
      throw new Error("boom");
    });
    assert.deepEqual(
      lines.map(({ level }) => level),
      [...new Array(10).fill("error"), "warn"],
    );
    assert.deepEqual(lines.at(-1), {
      level: "warn",
      kind: "error in message (Error: boom)",
      leftOut: 40,
      windowMs: 10_000,
      msg: "unichannel: 40 more lines of error in message (Error: boom) were left out in 10 s",
    });
  });

  it("errors of another kind are still reported", async (t) => {
    const lines = await flood(t, (message) => {
      throw message === "message 49" ? new TypeError("the bug") : new Error("boom");
    });
    assert.equal(lines.filter(({ err }) => (err as { message?: string })?.message === "the bug").length, 1);
  });

  it("is not limited for an onError, which is told of each", async (t) => {
    const site = await serving(t, () => {
      throw new Error("boom");
    });
    for (let i = 0; i < 30; i++) await site.request("GET /");
    assert.equal(site.takeReports().length, 30);
  });

  it("has the bad messages of a typed channel ten times on the console, however many come", async (t) => {
    const said: string[] = [];
    t.mock.method(console, "error", (text: string) => void said.push(text));
    t.mock.method(console, "warn", (text: string) => void said.push(text));
    const anything = {
      "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) },
    } as const;
    const codec = jsonMessages({ toServer: anything, toClient: anything }).server;
    const site = await serving(t, (r) => openChannel(r, { message() {} }, { codec }), {
      onError: undefined,
      logger: undefined,
    });
    const client = await WsClient.open(t, site.target);
    for (let i = 0; i < 200; i++) client.send("no JSON");
    await until(() => site.server.stats().errors.message?.BAD_MESSAGE === 200, "all were refused");
    await site.server.stop({ graceMs: 0 });
    assert.deepEqual(said, [
      ...new Array(10).fill("unichannel: error in message"),
      "unichannel: 190 more lines of error in message (BAD_MESSAGE) were left out in 10 s",
    ]);
  });
});

describe("without a logger", () => {
  it("errors go to console.error, and nothing else is printed", async (t) => {
    const said: unknown[][] = [];
    for (const level of ["log", "info", "warn", "error"] as const) {
      t.mock.method(console, level, (...args: unknown[]) => void said.push([level, args[0]]));
    }
    const server = await serve(
      () => {
        throw new Error("boom");
      },
      { port: 0, host: "127.0.0.1" },
    );
    assert.equal((await fetch(server.url)).status, 500);
    await server.stop({ graceMs: 0 });
    assert.deepEqual(said, [["error", "unichannel: error in handler"]]);
  });
});
