// Only the servers of `serve` share their sessions: everything else says so, and does not begin.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { describe, it } from "node:test";
import { memorySessions } from "../../../src/backplane/memory-sessions.ts";
import { createChannelStore, type ServeOptions, serve } from "../../../src/index.ts";
import { attach } from "../../../src/node.ts";
import { testServer } from "../../../src/testing/index.ts";

const OPTIONS: Readonly<Record<string, object>> = {
  sessions: { sessions: memorySessions() },
  relay: { relay: { host: "127.0.0.1" } },
  stores: { stores: { chat: createChannelStore() } },
};

describe("the options of a service of several processes", () => {
  for (const [name, options] of Object.entries(OPTIONS)) {
    it(`are refused by attach, which has no ${name}`, () => {
      assert.throws(() => attach(createServer(), { upgrades: "/live", ...options } as never), {
        code: "BAD_OPTION",
        message: new RegExp(`attach has no ${name}.*serve`),
      });
    });

    it(`are refused by testServer, which has no ${name}`, () => {
      assert.throws(() => testServer(() => "hello", options as never), {
        code: "BAD_OPTION",
        message: new RegExp(`testServer has no ${name}.*serve`),
      });
    });
  }

  for (const name of ["relay", "stores"]) {
    it(`are refused by serve without sessions: ${name}`, async () => {
      await assert.rejects(
        serve(() => "hello", OPTIONS[name] as ServeOptions),
        { code: "BAD_OPTION", message: /only with sessions/ },
      );
    });
  }

  for (const [what, options] of [
    ["sessions that is no store", { sessions: {} }],
    ["sessions without a method", { sessions: { ...memorySessions(), take: undefined } }],
    ["relay without host", { sessions: memorySessions(), relay: {} }],
    ["relay with an empty host", { sessions: memorySessions(), relay: { host: "" } }],
    ["a port of relay below 0", { sessions: memorySessions(), relay: { host: "127.0.0.1", port: -1 } }],
    ["a port of relay above 65535", { sessions: memorySessions(), relay: { host: "127.0.0.1", port: 65_536 } }],
    ["a relay with another name", { sessions: memorySessions(), relay: { host: "127.0.0.1", prot: 1 } }],
    ["stores that is a store", { sessions: memorySessions(), stores: createChannelStore() }],
    ["stores with something else", { sessions: memorySessions(), stores: { a: {} } }],
  ] as const) {
    it(`are refused by serve: ${what}`, async () => {
      await assert.rejects(
        serve(() => "hello", options as never),
        { code: "BAD_OPTION" },
      );
    });
  }
});
