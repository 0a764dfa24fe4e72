// Values of what `unichannel/testing`, `unichannel/metrics` and `jsonMessages` are given.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { jsonMessages } from "../../src/index.ts";
import { collectMetrics } from "../../src/metrics.ts";
import { testServer, VirtualClock } from "../../src/testing/index.ts";
import { each, INFINITE, type Loose, NO_AMOUNT, NO_FUNCTION, NO_OBJECT, NOT_A_NUMBER } from "../support/bad-values.ts";

const BAD = { code: "BAD_OPTION" };

describe("what testServer is given", () => {
  it("is BAD_OPTION for what is no handler, and for each bad value of an option", () => {
    const make = testServer as Loose;
    for (const handler of [undefined, null, 5, "x", {}, { fetc() {} }, { fetch: 5 }]) {
      assert.throws(() => make(handler), { ...BAD, message: /testServer takes a handler/ });
    }
    assert.throws(() => make({ fetch: () => new Response(), maxBodyBytes: 1 }), { ...BAD, message: /second/ });
    const table = {
      clock: [...NO_OBJECT, { now() {} }],
      random: NO_FUNCTION,
      tick: NO_FUNCTION,
      maxBodyBytes: NO_AMOUNT,
      onError: NO_FUNCTION,
    };
    for (const [name, value, text] of each(table)) {
      assert.throws(() => make(() => "", { [name]: value }), { ...BAD, message: new RegExp(name) }, `${name}: ${text}`);
    }
    for (const name of ["port", "host", "tls", "proxyProtocol"])
      assert.throws(() => make(() => "", { [name]: 1 }), BAD);
  });

  it("is BAD_OPTION for times, kinds and clients that make no sense, and the server goes on", async () => {
    await using app = testServer(() => "hello");
    const loose = app as Loose;
    for (const ms of [...NO_AMOUNT, INFINITE, undefined]) {
      await assert.rejects(loose.advance(ms), BAD);
      assert.throws(() => loose.clock.advance(ms), BAD);
    }
    for (const graceMs of NO_AMOUNT) {
      await assert.rejects(loose.stop({ graceMs }), BAD);
      await assert.rejects(loose.restart({ graceMs }), BAD);
    }
    await assert.rejects(loose.stop({ grace: 1 }), BAD);
    for (const kind of ["stream", null, 5]) {
      assert.throws(() => loose.network.block(kind), BAD);
      assert.throws(() => loose.network.unblock(kind), BAD);
    }
    for (const value of NO_AMOUNT) {
      assert.throws(() => loose.network.cutNextAfter(value), BAD);
      assert.throws(() => Object.assign(loose.network, { delayMs: value }), BAD);
      assert.throws(() => Object.assign(loose.network, { bytesPerSecond: value }), BAD);
    }
    for (const options of [{ protocols: "chat" }, { protocols: ["a b"] }, { headers: 5 }, { header: {} }, null]) {
      await assert.rejects(loose.websocket("/", options), BAD);
    }
    assert.equal(await (await app.fetch("/")).text(), "hello");
    for (const start of [NOT_A_NUMBER, INFINITE, "x", null]) assert.throws(() => new VirtualClock(start as Loose), BAD);
  });

  it("may be a stop without a limit, which ends when nothing runs any more", async () => {
    let isDone = false;
    const clock = new VirtualClock();
    const app = testServer(
      async () => {
        await new Promise<void>((resolve) => void clock.setTimer(resolve, 60_000));
        isDone = true;
        return "done";
      },
      { clock },
    );
    const answer = app.fetch("/").then((response) => response.text());
    await app.settle();
    await app.stop({ graceMs: INFINITE });
    assert.ok(isDone);
    assert.equal(await answer, "done");
  });
});

describe("what collectMetrics is given", () => {
  it("is BAD_OPTION for each bad value, and nothing is registered", () => {
    const register = new Registry();
    const server = { stats: () => assert.fail() };
    const table = {
      register: [...NO_OBJECT, {}],
      prefix: [5, null, "a b", "1x", "ü"],
      labels: [...NO_OBJECT, { "a b": "c" }, { site: {} }, { status: "mine" }],
    };
    for (const [name, value, text] of each(table)) {
      const collect = (): unknown => collectMetrics(server, { register, [name]: value } as Loose);
      assert.throws(collect, { ...BAD, message: new RegExp(name) }, `${name}: ${text}`);
    }
    for (const one of [undefined, null, 5, {}]) assert.throws(() => collectMetrics(one as Loose, { register }), BAD);
    assert.equal(register.getMetricsAsArray().length, 0);
    collectMetrics(server, { register, prefix: "", labels: { site: "a" } });
  });
});

describe("jsonMessages", () => {
  it("is BAD_OPTION for what is no schema", () => {
    const schema = { "~standard": { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } } as const;
    jsonMessages({ toServer: schema, toClient: schema });
    for (const wrong of [undefined, null, 5, {}, { parse() {} }, { "~standard": {} }] as Loose[]) {
      assert.throws(() => jsonMessages({ toServer: wrong, toClient: schema }), { ...BAD, message: /toServer/ });
      assert.throws(() => jsonMessages({ toServer: schema, toClient: wrong }), { ...BAD, message: /toClient/ });
    }
    assert.throws(() => jsonMessages(undefined as Loose), BAD);
  });
});
