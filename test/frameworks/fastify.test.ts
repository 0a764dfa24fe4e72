import { frameworkSuite } from "./suite.ts";

frameworkSuite({
  name: "fastify",
  program: "server.js",
  page: /a page of Fastify/,
  otherUpgrade: { path: () => "/other", says: /^from ws$/ },
  lacks: {},
});
