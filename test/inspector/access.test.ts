// Tests who may look at an inspector, and where it does not start: SECURITY.md, "The inspector".

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { describe, it } from "node:test";
import { type ChannelError, type ServeOptions, serve } from "../../src/index.ts";
import { type Inspector, type InspectorAction, inspector } from "../../src/inspector.ts";
import { attach } from "../../src/node.ts";
import { inspected, openPage, VIEW } from "./inspected.ts";

const LOCAL: ServeOptions = { host: "127.0.0.1", port: 0 };

describe("an inspector without authorize", () => {
  const refused: readonly [why: string, options: ServeOptions][] = [
    ["listens on all addresses", { port: 0 }],
    ["listens on 0.0.0.0", { host: "0.0.0.0", port: 0 }],
    ["trusts a proxy", { ...LOCAL, trustedProxies: ["loopback"] }],
  ];
  for (const [why, options] of refused) {
    it(`does not start where the server ${why}`, async (t) => {
      const server = await serve(() => "hello", options);
      t.after(() => server.stop());
      assert.throws(() => inspector(server), { code: "BAD_OPTION", message: /authorize/ });
      inspector(server, { authorize: () => true }).close();
    });
  }

  it("does not start inside a server of node:http, whose address is the application's", (t) => {
    const attached = attach(createServer(), { upgrades: "/" });
    t.after(() => attached.stop());
    assert.throws(() => inspector(attached), { code: "BAD_OPTION", message: /loopback/ });
  });

  it("does not start in production", async (t) => {
    const server = await serve(() => "hello", LOCAL);
    t.after(() => server.stop());
    const before = process.env["NODE_ENV"];
    t.after(() => {
      if (before === undefined) delete process.env["NODE_ENV"];
      else process.env["NODE_ENV"] = before;
    });
    process.env["NODE_ENV"] = "production";
    assert.throws(() => inspector(server), { code: "BAD_OPTION", message: /production/ });
  });

  it("starts on a loopback address, and answers this machine under its own names alone", async (t) => {
    let inspect: Inspector | undefined;
    const server = await serve((r) => inspect!(r), LOCAL);
    t.after(() => server.stop());
    inspect = inspector(server);
    const { port } = server;
    const status = async (headers: Record<string, string>): Promise<number | undefined> => {
      const sent = request({ host: "127.0.0.1", port, path: "/inspect/", headers }).end();
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    for (const host of ["localhost", `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`])
      assert.equal(await status({ host }), 200, host);
    for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "127.0.0.1.evil.example"])
      assert.notEqual(await status({ host }), 200, host);
    const fields = ["x-forwarded-for", "x-forwarded-port", "forwarded", "via", "x-real-ip", "cf-connecting-ip"];
    for (const field of [...fields, "x-client-ip", "x-original-host", "x-envoy-external-address", "cdn-loop"])
      assert.equal(await status({ host: "localhost", [field]: "192.0.2.1" }), 403, field);
  });
});

describe("an inspector with authorize", () => {
  it("asks for the page, each file, each carrier and each posted message, with the purpose", async (t) => {
    const asked: string[] = [];
    const { app } = inspected(t, {
      authorize: (r, action) => {
        asked.push(`${action} ${r.method} ${r.path}`);
        return true;
      },
      allow: { close: true, publish: true },
    });
    await app.fetch("/inspect");
    await app.fetch("/inspect/");
    await app.fetch("/inspect/inspector/page/main.js");
    const page = await openPage(app);
    app.network.cut();
    await app.advance(2000);
    page.connection.close();
    const polls = app.connect("/inspect/live", { carriers: ["poll"] });
    await polls.opened;
    polls.send("{}");
    await app.settle();
    polls.close();
    assert.deepEqual(asked.slice(0, 5), [
      "view GET /inspect",
      "view GET /inspect/",
      "view GET /inspect/inspector/page/main.js",
      "view GET /inspect/live",
      "view GET /inspect/live",
    ]);
    assert.ok(asked.includes("view POST /inspect/live"), "a posted message, too");
  });

  it("answers nothing else where it says no", async (t) => {
    const { app } = inspected(t, { authorize: () => false, allow: { close: true, publish: true } });
    for (const path of ["", "/", "/inspector/page/main.js", "/client/index.js", "/live", "/live?mode=poll", "/x"])
      assert.equal((await app.fetch(`/inspect${path}`)).status, 403, path);
    assert.equal((await app.fetch("/inspect/live?session=x&from=1", { method: "POST", body: "" })).status, 403);
    await assert.rejects(app.websocket("/inspect/live"), { code: "BAD_HANDSHAKE" });
  });

  it("gives the answer that it returns, such as a question for a password", async (t) => {
    const answer = (): Response => new Response("who?", { status: 401, headers: { "WWW-Authenticate": "Basic" } });
    const { app } = inspected(t, { authorize: answer });
    const { status, headers } = await app.fetch("/inspect/");
    assert.equal(status, 401);
    assert.equal(headers.get("www-authenticate"), "Basic");
  });

  it("takes no other value for yes", async (t) => {
    for (const value of ["yes", 1, {}, undefined, null]) {
      const { app } = inspected(t, { authorize: () => value as never });
      assert.equal((await app.fetch("/inspect/")).status, 403, String(value));
    }
  });

  it("answers 500 where it throws, and reports that", async (t) => {
    const { app } = inspected(t, {
      authorize: () => {
        throw new Error("no database");
      },
    });
    const answer = await app.fetch("/inspect/");
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /database/);
    assert.deepEqual(app.takeErrors().map(String), ["Error: no database"]);
  });

  it("ends an open page that may not look any more", async (t) => {
    let isAllowed = true;
    const { app } = inspected(t, { authorize: (_: unknown, _action: InspectorAction) => isAllowed });
    const page = await openPage(app);
    await page.look({});
    await app.advance(31_000);
    assert.equal(page.connection.state, "open");
    isAllowed = false;
    await app.advance(31_000);
    const { code, by } = await page.connection.closed;
    assert.deepEqual({ code, by }, { code: 4401, by: "server" });
  });

  it("ends a page that may not look any more although it is paused, or has paused in between", async (t) => {
    let isAllowed = true;
    const { app } = inspected(t, { authorize: () => isAllowed });
    const [paused, alternating] = [await openPage(app), await openPage(app)];
    await paused.look({ isPaused: true });
    isAllowed = false;
    for (const isPaused of [false, true, false, true]) {
      alternating.connection.send(JSON.stringify({ ...VIEW, isPaused }));
      await app.advance(10_000);
    }
    assert.deepEqual([(await paused.connection.closed).code, (await alternating.connection.closed).code], [4401, 4401]);
  });

  it("takes no answer within 30 s for a no", async (t) => {
    let answer: boolean | Promise<boolean> = true;
    const { app } = inspected(t, { authorize: () => answer });
    const { connection, look } = await openPage(app);
    await look({});
    answer = new Promise(() => {});
    await app.advance(31_000);
    assert.equal(connection.state, "open", "it is being asked");
    await app.advance(30_000);
    assert.equal((await connection.closed).code, 4401);
  });

  it("lets nobody in, and does nothing, if it was closed while the application was asked", async (t) => {
    let answer: (value: boolean) => void = () => {};
    let isAsked = false;
    const { app, inspect, rooms } = inspected(t, {
      authorize: () => !isAsked || new Promise<boolean>((resolve) => (answer = resolve)),
      allow: { publish: true },
    });
    const { connection } = await openPage(app);
    isAsked = true;
    connection.send(JSON.stringify({ type: "publish", n: 1, store: "rooms", group: "lobby", form: "text", data: "x" }));
    await app.settle();
    const act = answer;
    const opening = app.fetch("/inspect/live?mode=poll&park=0");
    await app.settle();
    inspect.close();
    answer(true);
    act(true);
    assert.equal((await opening).status, 503);
    assert.deepEqual((await rooms.history("lobby")).messages, []);
  });

  it("does not let pages of other origins look or act, although they may use the application", async (t) => {
    const { app } = inspected(t, { allow: { close: true } }, { allowedOrigins: ["https://app.example"] });
    const origin = "https://app.example";
    assert.equal((await app.fetch("/chat?mode=poll", { headers: { origin } })).status, 200);
    for (const path of ["/", "/live?mode=poll", "/inspector/page/main.js"])
      assert.equal((await app.fetch(`/inspect${path}`, { headers: { origin } })).status, 403, path);
    for (const other of [origin, "null"]) {
      const posted = app.fetch("/inspect/live?session=x&from=1", {
        method: "POST",
        headers: { origin: other },
        body: "",
      });
      assert.equal((await posted).status, 403, other);
      await assert.rejects(app.websocket("/inspect/live", { headers: { origin: other } }), { code: "BAD_HANDSHAKE" });
    }
    const image = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    assert.equal((await app.fetch("/inspect/live?mode=poll", { headers: image })).status, 403);
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
    assert.equal((await app.fetch("/inspect/", { headers: link })).status, 200, "a link on another page");
    assert.equal((await app.fetch("/inspect/", { headers: { origin: app.url } })).status, 200, "its own origin");
    const rewritten = { origin: "https://public.example", "sec-fetch-site": "same-origin" };
    assert.equal((await app.fetch("/inspect/", { headers: rewritten })).status, 200, "a proxy in front changes Host");
    const named = { host: "a.example:80", origin: "http://a.example" };
    assert.equal((await app.fetch("/inspect/", { headers: named })).status, 200, "a default port that Host names");
  });

  it("takes a page of http for a foreign one where the server speaks https", async (t) => {
    const { app } = inspected(t, {}, { trustedProxies: ["192.0.2.1"] });
    const status = async (origin: string): Promise<number> =>
      (await app.fetch("/inspect/", { headers: { host: "a.example", origin, "x-forwarded-proto": "https" } })).status;
    assert.deepEqual([await status("https://a.example"), await status("http://a.example")], [200, 403]);
  });

  it("redirects to its own route alone, whatever the path is", async (t) => {
    const { app } = inspected(t);
    for (const name of ["https:evil.example", "javascript:alert(1)", "client", "base"]) {
      const { status, headers } = await app.fetch(`/inspect/client/${name}`);
      const location = headers.get("location") ?? "";
      assert.deepEqual(
        [status, new URL(location, `${app.url}/inspect/client/${name}`).href],
        [308, `${app.url}/inspect/client/${name}/`],
      );
    }
    assert.equal((await app.fetch("/inspect/client/none.js")).status, 404);
  });
});

describe("inspector()", () => {
  it("refuses wrong options and other servers", async (t) => {
    const { app } = inspected(t);
    const wrong: unknown[] = [
      { authorize: true },
      { allow: { close: 1 } },
      { allow: { open: true } },
      { stores: [1] },
      { store: 1 },
    ];
    for (const options of wrong) assert.throws(() => inspector(app.server, options as never), { code: "BAD_OPTION" });
    for (const server of [undefined, {}, { stats() {}, stop() {} }])
      assert.throws(
        () => inspector(server as never),
        (error: ChannelError) => error.code === "BAD_OPTION",
      );
  });
});
