// The programs of the short pages of docs/how-to run as they are printed, and have the right types. Only ports are put in.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { SignJWT } from "jose";
import { type Connection, connect } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { blocks, type Program, run, start } from "./programs.ts";

const PAGES = ["log-in", "cross-origin", "serve-files", "show-progress", "show-who-is-here", "deploy", "debug"];
const MEASURED = "size-a-service";
const FOLDER = "dist/test/how-to/types";

/** The program of a page that has `mark` in it. */
function programOf(page: string, mark: string): string {
  const found = blocks(page, "ts").filter((text) => text.includes(mark));
  assert.equal(found.length, 1, `programs of ${page} with ${mark}`);
  return found[0]!;
}

async function serverOf(t: TestContext, page: string, mark = "await serve("): Promise<Server> {
  const text = programOf(page, mark).replaceAll(/port: \d+/g, "port: 0");
  const { server } = (await run(t, text)) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

function client(
  t: TestContext,
  url: string,
  options: Parameters<typeof connect>[1] = {},
): Connection & { got: string[] } {
  const connection = connect(url, { carriers: ["sse"], ...options });
  t.after(() => connection.close());
  const got: string[] = [];
  connection.onMessage((message) => got.push(String(message)));
  return Object.assign(connection, { got });
}

/** A program of a page that is a client, in a process of its own. */
const startClient = (t: TestContext, page: string, port: number): Program =>
  start(t, programOf(page, "unichannel/client").replaceAll("127.0.0.1:9090", `127.0.0.1:${port}`));

describe("the short pages", () => {
  it("have programs with the right types", () => {
    mkdirSync(FOLDER, { recursive: true });
    const folder = resolve(mkdtempSync(`${FOLDER}/pages-`));
    try {
      for (const page of [...PAGES, MEASURED])
        for (const [at, text] of blocks(page, "ts").entries()) writeFileSync(join(folder, `${page}-${at}.mts`), text);
      const options = [
        "--strict",
        "--noUncheckedIndexedAccess",
        "--exactOptionalPropertyTypes",
        "--skipLibCheck",
        "--ignoreConfig",
      ];
      const files = [
        "--target",
        "es2023",
        "--module",
        "nodenext",
        "--lib",
        "es2023,dom",
        "--types",
        "node",
        "--noEmit",
      ];
      const programs = [...PAGES, MEASURED].flatMap((page) => blocks(page, "ts").map((_, at) => `${page}-${at}.mts`));
      assert.ok(programs.length >= 12);
      execFileSync(resolve("node_modules/.bin/tsc"), [...options, ...files, ...programs], {
        cwd: folder,
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (error) {
      assert.fail((error as { stdout?: string }).stdout ?? String(error));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("begin with what the reader will be able to do", () => {
    for (const page of [...PAGES, MEASURED]) {
      assert.match(readFileSync(`docs/how-to/${page}.md`, "utf8"), /^# .+\n\nAfter this page /);
    }
  });
});

describe("the page about logins", () => {
  it("lets in who has logged in with a cookie, and a logout ends all channels of the login", async (t) => {
    const { url } = await serverOf(t, "log-in", "randomUUID");
    const logIn = (password: string): Promise<Response> =>
      fetch(`${url}/login`, { method: "POST", body: new URLSearchParams({ user: "ann", password }) });
    assert.equal((await fetch(`${url}/live`, { headers: { Accept: "text/event-stream" } })).status, 401);
    assert.equal((await logIn("wrong")).status, 403);
    const [cookie = ""] = (await logIn("secret")).headers.get("set-cookie")!.split(";");
    const tabs = [client(t, `${url}/live`, { headers: { Cookie: cookie } })];
    tabs.push(client(t, `${url}/live`, { headers: { Cookie: cookie }, carriers: ["poll"] }));
    await until(() => tabs.every(({ got }) => got.join() === "hello ann"), "both tabs are greeted");
    const out = await fetch(`${url}/logout`, { method: "POST", headers: { Cookie: cookie } });
    assert.equal(out.status, 204);
    for (const { closed } of tabs) {
      const { by, code, reason } = await closed;
      assert.deepEqual([by, code, reason], ["server", 4001, "logged out"]);
    }
    assert.equal((await fetch(`${url}/live`, { headers: { Cookie: cookie } })).status, 401);
  });

  it("lets in who shows a JWT of this issuer, for this audience", async (t) => {
    process.env["JWT_KEY"] = "0123456789abcdef0123456789abcdef";
    t.after(() => delete process.env["JWT_KEY"]);
    const { url } = await serverOf(t, "log-in", "jwtVerify");
    const key = new TextEncoder().encode(process.env["JWT_KEY"]);
    const tokenFor = (audience: string): Promise<string> =>
      new SignJWT()
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("ann")
        .setIssuer("https://login.example")
        .setAudience(audience)
        .setExpirationTime("5m")
        .sign(key);
    const token = await tokenFor("chat");
    const statusOf = async (shown: string): Promise<number> => (await fetch(`${url}/?mode=poll&token=${shown}`)).status;
    assert.deepEqual(
      [await statusOf(""), await statusOf(`${token}x`), await statusOf(await tokenFor("shop"))],
      [401, 401, 401],
    );
    const inQuery = client(t, `${url}/live`, { params: async () => ({ token }) });
    const inField = client(t, `${url}/live`, { headers: { Authorization: `Bearer ${token}` } });
    await until(() => [inQuery, inField].every(({ got }) => got.join() === "hello ann"), "both are greeted");
  });
});

describe("the page about other origins", () => {
  it("has a server that its named origins may read, with cookies, and others may not", async (t) => {
    const { url } = await serverOf(t, "cross-origin");
    for (const [origin, status] of [
      ["https://app.example", 200],
      ["http://localhost:5173", 200],
      ["https://evil.example", 403],
    ] as const) {
      const answer = await fetch(`${url}/live?mode=poll`, { headers: { Origin: origin } });
      assert.equal(answer.status, status, origin);
      const allowed = [
        answer.headers.get("access-control-allow-origin"),
        answer.headers.get("access-control-allow-credentials"),
      ];
      if (status === 200) assert.deepEqual(allowed, [origin, "true"]);
      else assert.equal(allowed[1], null);
    }
    assert.match(programOf("cross-origin", "unichannel/client"), /credentials: "include"/);
  });
});

describe("the page about files", () => {
  it("serves the files of its folder beside a session, and nothing else", async (t) => {
    const folder = resolve(mkdtempSync("dist/test/how-to-files-"));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "public/assets"), { recursive: true });
    writeFileSync(join(folder, "public/index.html"), "<h1>home</h1>");
    writeFileSync(join(folder, "public/assets/app-1a2b.js"), "go();");
    writeFileSync(join(folder, "public/a b.svg"), "<svg/>");
    writeFileSync(join(folder, "secret.txt"), "secret");
    const text = programOf("serve-files", "await serve(")
      .replaceAll(/port: \d+/g, "port: 0")
      .replace('root = "public"', `root = ${JSON.stringify(join(folder, "public"))}`);
    const { server } = (await run(t, text)) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const get = async (path: string): Promise<(string | null)[]> => {
      const answer = await fetch(`${server.url}${path}`);
      return [await answer.text(), answer.headers.get("content-type"), answer.headers.get("cache-control")];
    };
    const home = ["<h1>home</h1>", "text/html; charset=utf-8", "no-cache"];
    for (const path of ["/", "/rooms/7", "/%2e%2e/secret.txt", "/..%2fsecret.txt"])
      assert.deepEqual(await get(path), home);
    assert.deepEqual(await get("/assets/app-1a2b.js"), [
      "go();",
      "text/javascript",
      "public, max-age=31536000, immutable",
    ]);
    assert.deepEqual((await get("/a%20b.svg")).slice(0, 2), ["<svg/>", "image/svg+xml"]);
    assert.equal((await fetch(server.url, { method: "PUT" })).status, 405);
    const echo = client(t, `${server.url}/live`);
    echo.send("hello");
    await until(() => echo.got.join() === "hello", "the session answers");
  });
});

describe("the page about progress", () => {
  it("shows a job to the end, also to a page that comes late", async (t) => {
    const server = await serverOf(t, "show-progress");
    const page = startClient(t, "show-progress", server.port);
    await page.printed(/^42$/m);
    assert.match(page.output(), /^100 %$/m);

    const { job } = (await (await fetch(`${server.url}/jobs`, { method: "POST" })).json()) as { job: string };
    const first = client(t, `${server.url}/jobs/${job}`);
    await until(() => first.got.length > 3, "the job goes on");
    const late = client(t, `${server.url}/jobs/${job}`);
    await until(() => late.got.length > 0, "a late page sees where it is");
    assert.ok(JSON.parse(late.got[0]!).percent > 0);
    late.send("cancel");
    for (const { got } of [first, late]) {
      await until(() => got.at(-1) === '{"isCancelled":true}', "both are told that it was cancelled");
    }
  });
});

describe("the page about who is here", () => {
  it("tells who comes, is away, and goes", async (t) => {
    const server = await serverOf(t, "show-who-is-here");
    const eve = client(t, `${server.url}/?room=tea&name=eve`);
    await until(() => eve.got.at(-1) === '["eve"]', "eve sees herself");
    const page = startClient(t, "show-who-is-here", server.port);
    await page.printed(/^\["ann","bob \(away\)","eve"\]$/m);
    await until(() => eve.got.at(-1) === '["ann","bob (away)","eve"]', "eve sees all");
    const dan = client(t, `${server.url}/?room=tea&name=dan`);
    await until(() => eve.got.at(-1)!.includes("dan"), "dan comes");
    dan.close();
    await until(() => !eve.got.at(-1)!.includes("dan"), "dan goes");
  });
});

describe("the page about deploys", () => {
  it("has a program that is not ready while it ends, and ends by SIGTERM", async (t) => {
    const port = await freePort();
    const env = { PORT: String(port), HOST: "127.0.0.1", DRAIN_MS: "300" };
    const program = start(t, programOf("deploy", "await serve("), env);
    await program.printed(/listening on port \d+/);
    const url = `http://127.0.0.1:${port}`;
    assert.equal(await (await fetch(`${url}/ready`)).text(), "ready\n");
    const echo = client(t, url);
    echo.send("hello");
    await until(() => echo.got.join() === "hello", "the session answers");
    const ended = program.stop();
    let status = 200;
    while (status === 200) ({ status } = await fetch(`${url}/ready`));
    assert.equal(status, 503);
    assert.equal(await ended, 0);
  });

  it("has a Dockerfile that starts node itself, with a port that the program takes by itself", () => {
    const [file = ""] = blocks("deploy", "dockerfile");
    assert.match(file, /^CMD \["node", "server\.ts"\]$/m);
    const [, port = ""] = /EXPOSE (\d+)/.exec(file)!;
    assert.match(programOf("deploy", "await serve("), new RegExp(`PORT = "${port}"`));
    assert.match(programOf("deploy", "await serve("), /^\/\/ server\.ts$/m);
  });
});

describe("the page about debugging", () => {
  it("has a client, a server and a command that say what the tables name", { skip: needs("curl") }, async (t) => {
    const port = await freePort();
    const server = start(t, programOf("debug", "await serve(").replace("9090", `${port}`).replace("5000", "100"), {
      NODE_DEBUG: "unichannel",
    });
    await server.printed(/listening/);
    const page = startClient(t, "debug", port);
    await page.printed(/^session: new$/m);
    await page.printed(/^state: open (?:websocket|sse)$/m);
    await server.printed(/session .{6}… opened/);
    await server.printed(/members: 1/);

    const wrong = start(t, programOf("debug", "unichannel/client").replace("9090/live", `${port}/wrong`));
    await wrong.printed(/^error: .*sse: HTTP 404; poll: HTTP 404$/m);

    const [line = ""] = blocks("debug", "sh").filter((text) => text.startsWith("curl"));
    const curl = line.trim().replace("9090", `${port}`).replace("curl", "curl --max-time 2 --silent");
    let output = "";
    try {
      output = execFileSync("sh", ["-c", curl], { encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    assert.match(output, /^HTTP\/1\.1 200 [\s\S]*^event: open$/m);
  });
});

describe("the page about sizes", () => {
  it("has a program that measures", async (t) => {
    const program = start(t, programOf(MEASURED, "await serve(").replaceAll(/port: \d+/g, "port: 0"));
    await program.printed(/^\d+\.\d kB for each pair/m);
    await program.printed(/^\d+\.\d µs of a core for each delivery/m);
  });

  it("has the numbers of the page about scaling out", () => {
    const [sizes, scaling] = [MEASURED, "scaling-out"].map((page) => readFileSync(`docs/how-to/${page}.md`, "utf8"));
    for (const number of ["180,000", "2,300,000"]) {
      assert.ok(sizes!.includes(number), number);
      assert.ok(scaling!.includes(number), number);
    }
  });
});
