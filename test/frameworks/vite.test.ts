import assert from "node:assert/strict";
import { it } from "node:test";
import { frameworkSuite } from "./suite.ts";

frameworkSuite(
  {
    name: "vite",
    program: "server.js",
    page: /a page of Vite/,
    // The path and the token that Vite gives to its pages.
    otherUpgrade: {
      path: async ({ url }) => {
        const client = await (await fetch(`${url}/@vite/client`)).text();
        return `/?token=${/const wsToken = "([^"]+)"/.exec(client)![1]}`;
      },
      protocol: "vite-hmr",
      says: /"connected"/,
    },
    lacks: {},
  },
  (app) => {
    it("serves the client's module as Vite bundles it", async () => {
      const main = await (await fetch(`${app().url}/main.js`)).text();
      const path = /from "([^"]*client[^"]*)"/.exec(main)?.[1];
      assert.ok(path !== undefined, main);
      assert.match(await (await fetch(`${app().url}${path}`)).text(), /connect/);
    });
  },
);
