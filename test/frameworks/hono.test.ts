import assert from "node:assert/strict";
import { it } from "node:test";
import { download, events, textsOf } from "../examples/clients.ts";
import { frameworkSuite } from "./suite.ts";

frameworkSuite(
  {
    name: "hono",
    program: "server.js",
    page: /a page of Hono/,
    otherUpgrade: { path: () => "/other", says: /^from Hono$/ },
    lacks: {},
  },
  (app) => {
    it("answers a route that no middleware runs for: @hono/node-server sends its own responses another way there", async () => {
      assert.equal((await events(`${app().url}/bare`, {}, 3)).length, 3);
      assert.equal(textsOf(await download(`${app().url}/bare`)).join(""), "1\n2\n3\n");
    });
  },
);
