// The results of an `upgrade` check: consent opens, an answer is sent, and anything else fails closed.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { ChannelError, withChannel } from "../../src/index.ts";
import type { Loose } from "../support/bad-values.ts";
import { serving } from "../support/serving.ts";
import { upgradeRequest } from "../support/ws-client.ts";

class Verdict {
  readonly headers = {};
}

const NEITHER: Record<string, () => unknown> = {
  "an Error": () => new Error("denied"),
  "an error with a status": () => Object.assign(new Error("denied"), { status: 401 }),
  "an object of a class": () => new Verdict(),
  "a Date": () => new Date(),
  "a Map": () => new Map([["user", "u"]]),
  "a Set": () => new Set(),
  "a Uint8Array": () => new Uint8Array(),
  "a Blob": () => new Blob(),
  "a Headers": () => new Headers(),
  "a URLSearchParams": () => new URLSearchParams(),
  "a ReadableStream": () => new ReadableStream(),
  "a Readable": () => Readable.from([]),
  "a generator": () => (function* () {})(),
  "an inherited consent": () => Object.create({ attachment: 1 }),
  "a literal with a symbol": () => ({ [Symbol("s")]: 1 }),
  "a literal with a hidden property": () => Object.defineProperty({}, "isDenied", { value: true }),
  null: () => null,
  false: () => false,
  true: () => true,
  "an empty string": () => "",
  "a list": () => [],
  "a function": () => () => {},
  "a literal with another name": () => ({ user: "u" }),
};

const CONSENT: Record<string, () => unknown> = {
  undefined: () => undefined,
  "an empty literal": () => ({}),
  "a literal without a prototype": () => Object.assign(Object.create(null), { attachment: "a" }),
  "headers and an attachment": () => ({ headers: { "X-A": "b" }, attachment: new Error("any value") }),
  "undefined parts": () => ({ status: undefined, body: undefined, headers: undefined }),
};

const ANSWERS: Record<string, () => unknown> = {
  "a status": () => ({ status: 403 }),
  "a body that is a stream": () => ({ status: 403, body: new Blob(["no"]).stream() }),
  "a Fetch Response": () => new Response("no", { status: 403 }),
};

describe("an upgrade check", () => {
  for (const isAsync of [false, true]) {
    const how = isAsync ? "resolves with" : "returns";
    const checkOf = (make: () => unknown): Loose => (isAsync ? async () => make() : make);

    it(`a check that ${how} neither consent nor an answer fails closed with 500`, async (t) => {
      for (const [what, make] of Object.entries(NEITHER)) {
        const site = await serving(t, () => assert.fail("the handler was asked"), { upgrade: checkOf(make) });
        assert.equal((await site.request(upgradeRequest().trimEnd())).status, 500, what);
        const [{ error, source } = assert.fail(what)] = site.takeReports();
        assert.ok(error instanceof ChannelError && error.code === "BAD_DATA", what);
        assert.equal(source, "upgrade");
        assert.equal(site.server.stats().channels.websocket, 0);
      }
    });

    it(`a check that ${how} consent lets the handler open the WebSocket`, async (t) => {
      for (const [what, make] of Object.entries(CONSENT)) {
        const site = await serving(t, (r) => withChannel(r, () => {}), { upgrade: checkOf(make) });
        const client = await site.connect();
        client.write(upgradeRequest());
        assert.equal((await client.head()).status, 101, what);
        client.destroy();
      }
    });

    it(`a check that ${how} an answer sends it`, async (t) => {
      for (const [what, make] of Object.entries(ANSWERS)) {
        const site = await serving(t, () => assert.fail("the handler was asked"), { upgrade: checkOf(make) });
        assert.equal((await site.request(upgradeRequest().trimEnd())).status, 403, what);
      }
    });
  }

  it("a check that returns a stream by mistake has it cancelled", async (t) => {
    let isCancelled = false;
    const stream = new ReadableStream({
      cancel() {
        isCancelled = true;
      },
    });
    const site = await serving(t, () => "", { upgrade: (() => stream) as Loose });
    assert.equal((await site.request(upgradeRequest().trimEnd())).status, 500);
    assert.ok(isCancelled);
    site.takeReports();
  });
});
