// The programs of docs/how-to/expiring-identities.md do what the page says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import { type CarrierKind, connect } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, blocks, program, run, write } from "./programs.ts";

const PAGE = "expiring-identities";
const CARRIERS: readonly CarrierKind[] = ["websocket", "sse", "poll"];
const KEY = "a key of 32 bytes, for this test..";

async function serverOf(t: TestContext, mark: string): Promise<Server> {
  process.env["JWT_KEY"] = KEY;
  t.after(() => delete process.env["JWT_KEY"]);
  const { server } = (await run(t, program(PAGE, mark))) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

function sign(subject: string, lifeS: number): Promise<string> {
  const token = new SignJWT().setProtectedHeader({ alg: "HS256" }).setSubject(subject);
  return token.setExpirationTime(Math.floor(Date.now() / 1000) + lifeS).sign(new TextEncoder().encode(KEY));
}

/** A program for a page, with functions of the test in the place of `fetch` and `connect`. */
async function paramsOf(
  t: TestContext,
  text: string,
  fetched: (path: string) => Promise<unknown>,
): Promise<() => Promise<Record<string, string>>> {
  const body = text.slice(text.indexOf("let "), text.indexOf("const live"));
  const own = text.includes("const live") ? body : text.slice(text.indexOf("let "), text.indexOf("connect("));
  const file = write(t, `export const make = (fetch) => {\n${own}\nreturn params;\n};`);
  const { make } = (await import(file)) as {
    make(fetch: unknown): () => Promise<Record<string, string>>;
  };
  return make(fetched);
}

describe("the guide to identities that end", () => {
  it("keeps clients that renew their JWT, on every carrier, and ends others with 4401", async (t) => {
    const server = await serverOf(t, "jwtVerify");
    const connections = CARRIERS.map((carrier) => {
      // A busy machine has 0.8 s at least for the renewal.
      const params = async (): Promise<Record<string, string>> => ({ token: await sign("ann", 8) });
      return connect(`${server.url}/live`, { WebSocket, carriers: [carrier], params });
    });
    t.after(() => {
      for (const connection of connections) connection.close();
    });
    const token = await sign("ann", 3);
    const other = connect(`${server.url}/live`, { WebSocket, headers: { Authorization: `Bearer ${token}` } });
    assert.equal((await other.closed).code, 4401);
    await new Promise((resolve) => setTimeout(resolve, 7000));
    for (const connection of connections) {
      assert.equal(connection.state, "open");
      const echoed = new Promise((resolve) => connection.onMessage(resolve));
      connection.send("still here");
      assert.equal(await echoed, "still here");
      connection.close();
    }
    assert.equal((await fetch(`${server.url}/live?mode=poll`)).status, 401);
  });

  it("asks the token endpoint of the page again when three quarters of a token are over", async (t) => {
    const lives = [3600, 0, 3600];
    let asked = 0;
    const answer = async (): Promise<unknown> => ({
      json: async () => ({ token: `t${asked}`, expiresInS: lives[asked++] }),
    });
    const params = await paramsOf(t, block(PAGE, "location.assign"), answer);
    assert.deepEqual(await params(), { token: "t0" });
    assert.deepEqual(await params(), { token: "t0" });
    asked = 1;
    const other = await paramsOf(t, block(PAGE, "location.assign"), answer);
    assert.deepEqual(await other(), { token: "t1" });
    assert.deepEqual(await other(), { token: "t2" });
    assert.deepEqual(await other(), { token: "t2" });
  });

  it("renews the cookie of the page with the first request", async (t) => {
    const paths: string[] = [];
    const params = await paramsOf(t, block(PAGE, '"/renew"'), async (path) => {
      paths.push(path);
      return { ok: true };
    });
    assert.deepEqual(await params(), {});
    assert.deepEqual(await params(), {});
    assert.deepEqual(paths, ["/renew"]);
  });

  it("lets a plain WebSocket live longer by a message", async (t) => {
    const server = await serverOf(t, '["second"');
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/?token=first`);
    t.after(() => socket.terminate());
    const texts: string[] = [];
    socket.on("message", (data) => texts.push(String(data)));
    await new Promise((resolve) => socket.once("open", resolve));
    for (const token of ["wrong", "second"]) socket.send(token);
    await until(() => texts.length === 2, "both are answered");
    const [before, after] = texts.map((text) => Number(text.slice("until ".length)));
    // The page's program reads the clock for each of the two dates.
    assert.ok(after! - before! >= 60_000 && after! - before! < 90_000 && before! > Date.now(), `${texts}`);
    assert.equal((await fetch(`${server.url}/?token=none`)).status, 401);
  });

  it("has no program that is not run here, and names its examples", () => {
    assert.equal(blocks(PAGE, "ts").length, 4);
    const text = readFileSync(`docs/how-to/${PAGE}.md`, "utf8");
    for (const name of ["jwt", "login-cookie"]) assert.ok(text.includes(`examples/${name}.js`));
  });
});
