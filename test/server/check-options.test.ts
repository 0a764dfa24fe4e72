// Values of the options of `serve` and `stop`: a wrong one is refused, and no server listens, or goes on as before.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServeOptions, serve } from "../../src/index.ts";
import { LIMITS, SERVE_CHECKS } from "../../src/server/options.ts";
import {
  each,
  INFINITE,
  type Loose,
  NO_AMOUNT,
  NO_BOOLEAN,
  NO_FUNCTION,
  NO_STRING,
  NOT_A_NUMBER,
  type Table,
} from "../support/bad-values.ts";
import { serving } from "../support/serving.ts";
import { deferred, turn } from "../support/wait.ts";

const NO_INTEGER: readonly unknown[] = [...NO_AMOUNT, 1.5, INFINITE];

const SERVE: Table = {
  ...Object.fromEntries(Object.keys(LIMITS).map((name) => [name, NO_AMOUNT])),
  port: [...NO_INTEGER, "80x", "80", 65_536],
  host: [...NO_STRING, ""],
  path: [...NO_STRING, ""],
  fd: [...NO_INTEGER, 2 ** 31],
  listenFds: NO_BOOLEAN,
  backlog: [...NO_INTEGER, 2 ** 31],
  allowedOrigins: [5, null, {}, true, "https://app.example", [5], ["app.example"], [null]],
  allowedHosts: [5, null, {}, true, "app.example", [], [5], () => true],
  cors: [
    5,
    null,
    "yes",
    { maxAgeMs: NOT_A_NUMBER },
    { maxAgeMs: "5" },
    { allowMethods: "PUT" },
    { credentials: "yes" },
  ],
  upgrade: NO_FUNCTION,
  serverHeader: [...NO_STRING, "a\nb"],
  tls: [5, null, "x", true, [], {}, { cert: "x" }],
  // Without tls, true is refused, too.
  http2: [
    5,
    null,
    "yes",
    [],
    true,
    {},
    { maxConcurrentStreams: 0 },
    { maxResetsPerSecond: "5" },
    { maxSessionBytes: 1 },
  ],
  trustedProxies: [5, null, {}, true, "10.0.0.0/8", [5], ["nonsense"], ["10.0.0.0/33"], [null]],
  proxyHeaders: [5, null, {}, true, "Forwarded", [5], ["X-Foo"], ["Forwarded", "X-Forwarded-For"]],
  onRateExceeded: [5, null, {}, true, "pause", "Close"],
  proxyProtocol: [5, null, {}, true, "on", "required"],
  sessions: [5, null, {}, true, "redis", { put() {} }],
  // Without sessions, right values are refused, too.
  relay: [
    5,
    null,
    {},
    true,
    "10.0.0.5",
    { host: "" },
    { port: 4100 },
    { host: "127.0.0.1", port: 65_536 },
    { host: "127.0.0.1" },
  ],
  stores: [5, null, {}, true, "rooms", [], { rooms: {} }, { rooms: null }],
  logger: [5, null, {}, true, "x", { info() {} }, { info() {}, warn() {}, error: 5 }],
  onError: NO_FUNCTION,
};

const hello = (): string => "hello";
const fetch = (): Response => new Response("fetched");
const looseServe = serve as Loose;
const LOCAL = { port: 0, host: "127.0.0.1" };

/** An application as frameworks have it: an object of a class, with fields and methods of its own. */
class Application {
  readonly routes: readonly string[] = [];
  readonly fetch = fetch;
  /** Hono's: it registers a handler, and is no reporter of errors. */
  readonly onError = (): never => assert.fail("the application's own method was called");
}

async function textOf(server: { url: string; stop(): Promise<void> }): Promise<string> {
  try {
    return await (await globalThis.fetch(server.url)).text();
  } finally {
    await server.stop();
  }
}

describe("the options of serve", () => {
  it("are BAD_OPTION for each bad value of each option, and nothing listens", async () => {
    assert.deepEqual(Object.keys(SERVE).sort(), Object.keys(SERVE_CHECKS).sort());
    const before = process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
    for (const [name, value, text] of each(SERVE)) {
      for (const args of [[hello, { ...LOCAL, [name]: value }], [{ fetch, ...LOCAL, [name]: value }]]) {
        await assert.rejects(
          looseServe(...args),
          ({ code, message }) => code === "BAD_OPTION" && message.includes(name.slice(0, 4)),
          `${name}: ${text}`,
        );
      }
    }
    assert.equal(process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length, before);
  });

  it("are accepted at the limits of the allowed range", async () => {
    const good: readonly ServeOptions[] = [
      Object.fromEntries(Object.keys(LIMITS).map((name) => [name, INFINITE])),
      { pingIntervalMs: 0, closeTimeoutMs: 3e9, backlog: 0 },
      { allowedOrigins: [], trustedProxies: [], proxyProtocol: "off", cors: {} },
      { listenFds: false, serverHeader: "", logger: Object.create(console) },
      { upgrade: undefined, tls: undefined, path: undefined },
    ];
    for (const options of good) assert.equal(await textOf(await serve(hello, { ...LOCAL, ...options })), "hello");
  });

  it("let a getter throw before anything listens", async () => {
    for (const name of Object.keys(SERVE)) {
      const options = Object.defineProperty({ ...LOCAL }, name, {
        enumerable: true,
        get() {
          throw new RangeError("got");
        },
      });
      await assert.rejects(looseServe(hello, options), { name: "RangeError" }, name);
    }
  });

  it("leave systemd's variables alone where another option is wrong", async (t) => {
    process.env["LISTEN_PID"] = "1";
    t.after(() => delete process.env["LISTEN_PID"]);
    await assert.rejects(looseServe(hello, { listenFds: true, trustedProxies: ["nonsense"] }), { code: "BAD_OPTION" });
    assert.equal(process.env["LISTEN_PID"], "1");
  });
});

describe("serve for an application with fetch", () => {
  it("takes the options from the second argument", async () => {
    for (const first of [new Application(), { fetch }]) {
      assert.equal(await textOf(await serve(first, { ...LOCAL })), "fetched");
      await assert.rejects(looseServe(first, { ...LOCAL, prot: 1 }), { code: "BAD_OPTION", message: /"port"/ });
      await assert.rejects(looseServe(first, { port: "x" }), { code: "BAD_OPTION" });
      for (const second of [null, 5, "x", () => {}, []]) {
        await assert.rejects(looseServe(first, second), { code: "BAD_OPTION", message: /options of serve/ });
      }
    }
  });

  it("refuses options in both arguments", async () => {
    await assert.rejects(looseServe({ fetch, port: 0 }, { host: "127.0.0.1" }), {
      code: "BAD_OPTION",
      message: /port beside fetch.* in the second/,
    });
  });

  it("takes options from the fields of a class instance, but takes no method for an option", async () => {
    assert.equal(await textOf(await serve(Object.assign(new Application(), LOCAL))), "fetched");
    await assert.rejects(looseServe(Object.assign(new Application(), { ...LOCAL, allowedOrigin: "any" })), {
      message: /"allowedOrigins"/,
    });
    await assert.rejects(looseServe(Object.assign(new Application(), { port: "x" })), { code: "BAD_OPTION" });
  });
});

describe("stop", () => {
  it("rejects with BAD_OPTION for a bad graceMs, and the server goes on", async (t) => {
    const site = await serving(t, hello);
    for (const [name, value, text] of each({ graceMs: NO_AMOUNT })) {
      const stopped: unknown = (site.server.stop as Loose)({ [name]: value });
      assert.ok(stopped instanceof Promise, text);
      await assert.rejects(stopped, { code: "BAD_OPTION", message: /graceMs/ }, text);
    }
    for (const options of [null, 5, "x", []])
      await assert.rejects((site.server.stop as Loose)(options), { code: "BAD_OPTION" });
    assert.equal(site.server.status, "running");
    assert.equal((await site.request("GET /")).text, "hello");
  });

  for (const graceMs of [INFINITE, 3e9]) {
    it(`waits for running handlers with graceMs ${graceMs}`, async (t) => {
      const called = deferred();
      const running = deferred();
      const site = await serving(t, async () => {
        called.resolve();
        await running.promise;
        return "done";
      });
      const answer = site.request("GET /");
      await called.promise;
      const stopped = site.server.stop({ graceMs });
      // A timer of Node that overflows fires after 1 ms.
      for (let turns = 0; turns < 20; turns++) await turn();
      assert.equal(site.server.status, "stopping");
      running.resolve();
      assert.equal((await answer).text, "done");
      await stopped;
    });
  }
});
