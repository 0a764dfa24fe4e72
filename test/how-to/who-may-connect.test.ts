// The programs of docs/how-to/who-may-connect.md do what the page says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import type { Server } from "../../src/index.ts";
import { RawClient, type RawResponse } from "../support/raw-client.ts";
import { request } from "../support/serving.ts";
import { upgradeRequest, WsClient } from "../support/ws-client.ts";
import { blocks, program, run } from "./programs.ts";

const PAGE = "who-may-connect";
const APP = "Origin: https://app.example";

async function serverOf(t: TestContext, mark: string): Promise<number> {
  const { server } = (await run(t, program(PAGE, mark))) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  t.mock.method(console, "warn", () => {});
  return server.port;
}

async function ask(t: TestContext, port: number, text: string): Promise<RawResponse> {
  const client = await RawClient.connect(t, { port });
  client.write(request(text));
  const response = await client.response(text.slice(0, text.indexOf(" ")));
  client.destroy();
  return response;
}

/** The status of a WebSocket's handshake. */
const handshake = async (
  t: TestContext,
  port: number,
  target: string,
  fields: readonly string[] = [],
): Promise<number> => (await ask(t, port, upgradeRequest(target, fields).trimEnd())).status;

describe("the guide to who may connect", () => {
  it("asks in the handler, for every transport at once", async (t) => {
    const port = await serverOf(t, "userOf(request)");
    assert.equal((await ask(t, port, "GET /")).status, 404);
    for (const accept of ["text/plain", "text/event-stream"]) {
      assert.equal((await ask(t, port, `GET /live\r\nAccept: ${accept}`)).status, 401);
    }
    assert.equal(await handshake(t, port, "/live"), 401);
    const answer = await ask(t, port, "GET /live\r\nCookie: sid=s3cret");
    assert.deepEqual([answer.text, answer.headers.get("set-cookie")], ["hello ann\n", ["seen=1"]]);
    const client = await WsClient.open(t, { port }, { path: "/live", fields: ["Cookie: sid=s3cret"] });
    assert.equal(await client.message(), "hello ann\n");
    client.raw.destroy();
  });

  it("asks before the handler, for WebSockets only", async (t) => {
    const port = await serverOf(t, "upgrade: async");
    assert.equal(await handshake(t, port, "/?ticket=wrong"), 401);
    assert.equal(await handshake(t, port, "/?ticket=s3cret", ["Origin: https://evil.example"]), 403);
    assert.equal((await ask(t, port, "GET /")).text, "hello undefined\n");
    const client = await WsClient.open(t, { port }, { path: "/?ticket=s3cret" });
    assert.equal(await client.message(), "hello ann\n");
    client.raw.destroy();
  });

  it("lets pages of named origins in, and read what they are answered", async (t) => {
    const port = await serverOf(t, "allowedOrigins: [");
    const preflight = "Access-Control-Request-Headers: authorization\r\nAccess-Control-Request-Method";
    for (const method of ["GET", "PUT"]) {
      assert.equal((await ask(t, port, `OPTIONS /\r\n${APP}\r\n${preflight}: ${method}`)).status, 204);
    }
    assert.equal((await ask(t, port, `OPTIONS /\r\n${APP}\r\n${preflight}: DELETE`)).status, 401);
    const refused = await ask(t, port, `GET /?mode=poll\r\n${APP}`);
    assert.equal(refused.status, 401);
    assert.deepEqual(refused.headers.get("access-control-allow-origin"), ["https://app.example"]);
    const login = "Authorization: Bearer t";
    for (const origin of ["https://app.example", "https://eu-1.app.example"]) {
      const answer = await ask(t, port, `GET /?mode=poll\r\nOrigin: ${origin}\r\n${login}`);
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.headers.get("access-control-expose-headers"), ["Retry-After, X-Request-Id"]);
    }
    const foreign = await ask(t, port, `GET /?mode=poll\r\nOrigin: https://eu.app.example.evil\r\n${login}`);
    assert.equal(foreign.status, 403);
    assert.equal(foreign.headers.get("access-control-allow-credentials"), undefined);
  });

  it("answers for its own hosts alone", async (t) => {
    const port = await serverOf(t, "allowedHosts");
    for (const host of [`localhost:${port}`, "127.0.0.1", `[::1]:${port}`]) {
      assert.equal((await ask(t, port, `GET /\r\nHost: ${host}`)).text, "hello\n", host);
    }
    const rebound = "Host: evil.example:9090\r\nOrigin: http://evil.example:9090";
    assert.equal((await ask(t, port, `GET /\r\n${rebound}`)).status, 421);
    assert.equal((await ask(t, port, upgradeRequest("/").replace("Host: x", rebound).trimEnd())).status, 421);
  });

  it("has no program that is not run here, and names every option of cors", () => {
    assert.equal(blocks(PAGE, "ts").length, 4);
    const options = /export interface CorsOptions \{([\s\S]*?)\n\}/.exec(
      readFileSync("src/request/cors.ts", "utf8"),
    )![1]!;
    const text = readFileSync(`docs/how-to/${PAGE}.md`, "utf8");
    for (const [, name] of options.matchAll(/readonly (\w+)\?/g))
      assert.match(text, new RegExp(`\\| \`${name}\``), name);
  });
});
