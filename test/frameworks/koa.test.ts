import { frameworkSuite } from "./suite.ts";

frameworkSuite({
  name: "koa",
  program: "server.js",
  page: /a page of Koa/,
  otherUpgrade: { path: () => "/other", says: /^from ws$/ },
  lacks: {},
});
