// Which pages may open a WebSocket: RFC 6455 §10.2.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { type AllowedOrigins, serve, withChannel } from "../../src/index.ts";

const CASES: [origin: string | undefined, host: string, allowed: AllowedOrigins | undefined, isAllowed: boolean][] = [
  [undefined, "a.example", undefined, true],
  ["http://a.example", "a.example", undefined, true],
  ["https://a.example", "a.example", undefined, true],
  ["http://A.example:8080", "a.EXAMPLE:8080", undefined, true],
  ["http://a.example", "a.example:80", undefined, true],
  ["https://a.example", "a.example:443", undefined, true],
  ["http://a.example", "a.example:443", undefined, false],
  ["http://a.example:8080", "a.example", undefined, false],
  ["http://b.example", "a.example", undefined, false],
  ["http://a.example.evil", "a.example", undefined, false],
  ["null", "a.example", undefined, false],
  ["http://[::1]:9090", "[::1]:9090", undefined, true],
  ["http://[::1]", "[::1]:80", undefined, true],
  ["http://[::1]:9090", "[::2]:9090", undefined, false],
  ["http://127.0.0.1", "localhost", undefined, false],
  ["ws://a.example", "a.example", undefined, false],
  ["http://a.example@evil.example", "a.example", undefined, false],
  ["http://a.example/", "a.example", undefined, false],
  ["http://b.example", "a.example", ["http://b.example"], true],
  ["https://b.example", "a.example", ["http://b.example"], false],
  ["https://x.b.example", "a.example", [/^https:\/\/[a-z]+\.b\.example$/], true],
  ["http://b.example", "a.example", "any", true],
  ["http://a.example", "a.example", () => false, false],
];

describe("the origin of a WebSocket", () => {
  for (const [origin, host, allowedOrigins, isAllowed] of CASES) {
    it(`${origin ?? "(none)"} for ${host} with ${String(allowedOrigins)} is ${isAllowed ? "allowed" : "refused: 403"}`, async () => {
      await using server = await serve((request) => withChannel(request, () => {}), {
        port: 0,
        host: "127.0.0.1",
        allowedOrigins,
      });
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, {
        headers: { host, ...(origin === undefined ? {} : { origin }) },
      });
      const [what] = await Promise.race([
        once(socket, "open").then(() => [101]),
        once(socket, "unexpected-response").then(([, response]) => [response.statusCode]),
      ]);
      assert.equal(what, isAllowed ? 101 : 403);
      socket.on("error", () => {});
      socket.terminate();
    });
  }
});
