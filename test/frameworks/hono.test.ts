import { frameworkSuite } from "./suite.ts";

frameworkSuite({
  name: "hono",
  program: "server.js",
  page: /a page of Hono/,
  otherUpgrade: { path: () => "/other", says: /^from Hono$/ },
  lacks: {},
});
