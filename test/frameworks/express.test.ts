import { frameworkSuite } from "./suite.ts";

frameworkSuite({
  name: "express",
  program: "server.js",
  page: /a page of Express/,
  otherUpgrade: { path: () => "/other", says: /^from ws$/ },
  lacks: {},
});
