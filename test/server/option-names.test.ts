// Unknown names of options are refused wherever options are given, nested ones too, with what was probably meant.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Registry } from "prom-client";
import { connect } from "../../src/client/connect.ts";
import { ResumableWebSocket } from "../../src/client/resumable-web-socket.ts";
import {
  type ChannelRequest,
  createChannelStore,
  MemoryChannelStore,
  openChannel,
  openSession,
  pollGroup,
  type ServeOptions,
  serve,
  withChannel,
} from "../../src/index.ts";
import { collectMetrics } from "../../src/metrics.ts";
import { testServer } from "../../src/testing/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { certificate, noCertificate, serving } from "../support/serving.ts";
import { upgradeRequest } from "../support/ws-client.ts";

// biome-ignore lint/suspicious/noExplicitAny: options as plain JavaScript may pass them
type Loose = any;

/** Each function, called with options; and a wrong name, with the right one. */
const IN_A_HANDLER: Record<
  string,
  [call: (r: ChannelRequest, options: Loose) => unknown, wrong: string, right: string]
> = {
  withChannel: [(r, o) => withChannel(r, () => {}, o), "protocol", "protocols"],
  openChannel: [(r, o) => openChannel(r, {}, o), "onOverFlow", "onOverflow"],
  openSession: [(r, o) => openSession(r, {}, o), "identiy", "identity"],
  pollGroup: [(r, o) => pollGroup(r, createChannelStore(), "g", o), "parkMS", "parkMs"],
  "compress of withChannel": [(r, compress) => withChannel(r, () => {}, { compress }), "levle", "level"],
  "compress of openChannel": [(r, compress) => openChannel(r, {}, { compress }), "threshold", "thresholdBytes"],
  "compress of openSession": [(r, compress) => openSession(r, {}, { compress }), "windowbits", "windowBits"],
  "the handlers of openChannel": [(r, handlers) => openChannel(r, handlers), "mesage", "message"],
  "the handlers of openSession": [(r, handlers) => openSession(r, handlers), "resume", "resumed"],
};

const ANYWHERE: Record<string, [call: (options: Loose) => unknown, wrong: string, right: string]> = {
  serve: [(o) => serve(() => "", o), "allowedOrigin", "allowedOrigins"],
  "serve with fetch": [(o) => serve({ fetch: () => new Response(), ...o }), "maxHeaderByte", "maxHeaderBytes"],
  "cors of serve": [(cors) => serve(() => "", { cors }), "allowMethod", "allowMethods"],
  connect: [(o) => connect("http://a.example", o), "carrier", "carriers"],
  "backoff of connect": [(backoff) => connect("http://a.example", { backoff }), "firstMS", "firstMs"],
  ResumableWebSocket: [(o) => new ResumableWebSocket("http://a.example", [], o), "credential", "credentials"],
  createChannelStore: [(o) => createChannelStore(o), "histroy", "history"],
  MemoryChannelStore: [(o) => new MemoryChannelStore(o), "onjoin", "onJoin"],
  "history of createChannelStore": [(history) => createChannelStore({ history }), "ttlMS", "ttlMs"],
  addToGroup: [
    (o) => createChannelStore().addToGroup("g", new MemoryChannel().channel, undefined, o),
    "presense",
    "presence",
  ],
  publish: [(o) => (createChannelStore() as Loose).publish("g", "x", o), "expect", "except"],
  testServer: [(o) => testServer(() => "", o), "clocks", "clock"],
  collectMetrics: [(o) => collectMetrics({ stats: () => assert.fail() }, o), "registry", "register"],
};

/** The error of a call that throws or rejects. */
async function errorOf(call: () => unknown): Promise<{ code?: string; message: string }> {
  try {
    const made = (await call()) as { stop?(): Promise<void> } | undefined;
    await made?.stop?.();
  } catch (error) {
    return error as { message: string };
  }
  return assert.fail("nothing was refused");
}

async function refuses(call: (options: Loose) => unknown, wrong: string, right: string): Promise<void> {
  const { code, message } = await errorOf(() => call({ [wrong]: 1 }));
  assert.equal(code, "BAD_OPTION", message);
  assert.ok(message.includes(`"${wrong}"; did you mean "${right}"?`), message);
  for (const [what, options] of [
    ["with the value undefined", { [wrong]: undefined }],
    ["that is inherited", Object.create({ [wrong]: 1 })],
    ["without a prototype", Object.assign(Object.create(null), { [wrong]: 1 })],
  ] as const) {
    // Handlers may be an object of a class, which has what it likes.
    if (what !== "with the value undefined" && /Channel$|Session$/.test(call.name)) continue;
    assert.equal((await errorOf(() => call(options))).code, "BAD_OPTION", what);
  }
}

/** The options are given inside a handler of a server. */
async function inHandler(t: TestContext, test: (request: ChannelRequest) => Promise<void>): Promise<void> {
  const site = await serving(t, async (request) => {
    await test(request);
    return "done";
  });
  assert.equal((await site.request("GET /")).text, "done");
}

describe("an unknown name of an option", () => {
  for (const [owner, [call, wrong, right]] of Object.entries(IN_A_HANDLER)) {
    it(`an unknown name of ${owner} is BAD_OPTION, and the error suggests the name that was probably meant`, async (t) => {
      await inHandler(t, async (request) => {
        if (owner.startsWith("the handlers")) {
          const { code, message } = await errorOf(() => call(request, { [wrong]: () => {} }));
          assert.equal(code, "BAD_OPTION");
          assert.ok(message.includes(`no handler "${wrong}"; did you mean "${right}"?`), message);
        } else await refuses((options) => call(request, options), wrong, right);
      });
    });
  }

  for (const [owner, [call, wrong, right]] of Object.entries(ANYWHERE)) {
    it(`an unknown name of ${owner} is BAD_OPTION, and the error suggests the name that was probably meant`, async () => {
      if (owner === "serve with fetch") {
        const { code, message } = await errorOf(() => call({ [wrong]: 1 }));
        assert.equal(code, "BAD_OPTION");
        assert.ok(message.includes(`did you mean "${right}"?`), message);
      } else await refuses(call, wrong, right);
    });
  }

  it("an unknown name of tls and setTls is BAD_OPTION if it is similar to one of Node's, and passed to Node otherwise", {
    skip: noCertificate,
  }, async (t) => {
    const pair = certificate();
    const { code, message } = await errorOf(() =>
      (serve as Loose)(() => "", { port: 0, tls: { ...pair, cipers: "x" } }),
    );
    assert.deepEqual([code, /did you mean "ciphers"/.test(message)], ["BAD_OPTION", true]);
    const tls = { ...pair, somethingOfNode99: true } as ServeOptions["tls"];
    const site = await serving(t, () => "", { tls });
    assert.throws(() => site.server.setTls({ ...pair, Cert: pair.cert } as object), {
      code: "BAD_OPTION",
      message: /did you mean "cert"/,
    });
  });

  it("an unknown name in the result of an upgrade check is an error of the check, and nothing opens", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}), { upgrade: () => ({ attachement: 1 }) as object });
    assert.equal((await site.request(upgradeRequest().trimEnd())).status, 500);
    assert.match(site.takeMessages()[0]!, /did you mean "attachment"/);
  });
});

describe("known names of options", () => {
  it("may be inherited, or have the value undefined, beside symbols of others", async (t) => {
    const options = Object.assign(Object.create({ headers: { "X-Inherited": "yes" } }), {
      protocols: undefined,
      [Symbol("of a framework")]: 1,
    });
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send("hi"), options as object));
    assert.deepEqual((await site.request("GET /")).headers.get("x-inherited"), ["yes"]);
    collectMetrics(site.server, { register: new Registry(), prefix: undefined });
  });

  it("are read from an object: null and other values are BAD_OPTION", async (t) => {
    const calls = Object.entries(ANYWHERE).filter(([owner]) => !/of|fetch/.test(owner));
    for (const [owner, [call]] of calls) assert.equal((await errorOf(() => call(null))).code, "BAD_OPTION", owner);
    await inHandler(t, async (request) => {
      for (const [owner, [call]] of Object.entries(IN_A_HANDLER)) {
        assert.equal((await errorOf(() => call(request, null))).code, "BAD_OPTION", owner);
      }
    });
  });
});

describe("handlers", () => {
  it("may be an object of a class, with fields of its own", async (t) => {
    class Room {
      readonly name = "room";
      open(channel: { send(text: string): boolean }): void {
        channel.send(this?.name ?? "bare");
      }
    }
    const site = await serving(t, (r) => openChannel(r, new Room() as object));
    assert.equal((await site.request("GET /")).status, 200);
  });

  it("are BAD_OPTION if they are no functions", async (t) => {
    await inHandler(t, async (request) => {
      for (const open of [openChannel, openSession]) {
        assert.throws(() => (open as Loose)(request, { message: "x" }), {
          code: "BAD_OPTION",
          message: /handler message .* not a function/,
        });
      }
    });
  });
});
