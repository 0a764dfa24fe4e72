// Loaded by `bun test` before each test file: `node:test` is `recorded-test.js`. Deno does the same with an import map.
import { mock } from "bun:test";
import * as recorded from "./recorded-test.js";

const members = { ...recorded };
mock.module("node:test", () => members);
