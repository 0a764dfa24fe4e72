// Hosts, origins and CORS: one rule, asked before the handler.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AllowedHosts, type AllowedOrigins, openSession, serve, withChannel } from "../../src/index.ts";
import { certificate, noCertificate, serving } from "../support/serving.ts";

const APP = "https://app.example";
const OPTIONS = { allowedOrigins: [APP] };

describe("origins", () => {
  const connect = (origin: string, more = ""): string =>
    `GET /\r\nHost: our.example\r\nOrigin: ${origin}\r\n${more}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  const cases: [AllowedOrigins, string, number][] = [
    [[/https:\/\/[a-z]+\.b\.example/], "https://x.b.example.evil.example", 403],
    [[/https:\/\/a|https:\/\/ab/], "https://ab", 101],
    [["HTTPS://App.example:443"], APP, 101],
    [[/.*/], "null", 403],
    [["null"], "null", 101],
    [[], "chrome-extension://our.example", 403],
  ];
  for (const [allowedOrigins, origin, status] of cases) {
    it(`${origin} with ${String(allowedOrigins)} gets ${status}`, async (t) => {
      const site = await serving(t, (r) => withChannel(r, () => {}), { allowedOrigins });
      assert.equal((await site.request(connect(origin))).status, status);
    });
  }

  it("a pattern with the flag g or y allows its origins each time", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}), {
      allowedOrigins: [/https:\/\/b/g, /https:\/\/c/y],
    });
    for (const name of ["b", "b", "c", "c"]) assert.equal((await site.request(connect(`https://${name}`))).status, 101);
  });

  it("an origin of http is different if a trusted proxy says that ours is https", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}), { trustedProxies: ["loopback"] });
    const proto = "X-Forwarded-Proto: https\r\n";
    assert.equal((await site.request(connect("http://our.example", proto))).status, 403);
    assert.equal((await site.request(connect("https://our.example", proto))).status, 101);
  });

  it("an origin of http is different if our server has TLS, for WebSockets and for answers that pages read", {
    skip: noCertificate,
  }, async (t) => {
    const site = await serving(t, (r) => (r.isWebSocket ? withChannel(r, () => {}) : openSession(r, {})), {
      tls: certificate(),
      allowedOrigins: [APP],
    });
    assert.equal((await site.request(connect("http://our.example"))).status, 403);
    assert.equal((await site.request(connect("https://our.example"))).status, 101);
    const poll = (origin: string): string => `GET /?mode=poll\r\nHost: our.example\r\nOrigin: ${origin}`;
    const refused = await site.request(poll("http://our.example"));
    assert.deepEqual([refused.status, refused.headers.get("access-control-allow-credentials")], [403, undefined]);
    assert.equal((await site.request(poll("https://our.example"))).status, 200);
    assert.equal((await site.request(poll("http://app.example"))).status, 403);
  });

  it("are refused by a function that returns a promise or throws, and the error is reported", async (t) => {
    for (const allows of [async () => true, () => assert.fail("no")]) {
      const allowedOrigins = allows as unknown as () => boolean;
      const site = await serving(t, (r) => withChannel(r, () => {}), { allowedOrigins });
      assert.equal((await site.request(connect(APP))).status, 403);
      assert.equal(site.takeReports().length, 1);
    }
  });

  it("an origin that no browser sends is BAD_OPTION, with the correct form", async () => {
    for (const [entry, text] of [
      ["*", /"any"/],
      ["app.example", /no scheme/],
      [`${APP}/`, /write "https:\/\/app\.example"/],
      ["wss://app.example", /write "https:/],
      ["https://*.app.example", /pattern/],
    ] as const) {
      await assert.rejects(
        serve(() => "", { port: 0, allowedOrigins: [entry] }),
        { code: "BAD_OPTION", message: text },
      );
    }
  });
});

describe("allowedHosts", () => {
  const cases: [AllowedHosts, string, number][] = [
    [["app.example"], "APP.example:9090", 200],
    [["app.example"], "app.example.evil.example", 421],
    [["app.example:80"], "app.example", 200],
    [["app.example:81"], "app.example", 421],
    [[".app.example"], "x.app.example", 200],
    [[".app.example"], "notapp.example", 421],
    [[/app[0-9]/g], "app1:80", 200],
    [[/app[0-9]/], "app1.evil.example", 421],
    [["::1"], "[::1]:80", 200],
  ];
  for (const [allowedHosts, host, status] of cases) {
    it(`${String(allowedHosts)} answer ${host} with ${status}`, async (t) => {
      const site = await serving(t, () => "here", { allowedHosts });
      assert.equal((await site.request(`GET /\r\nHost: ${host}`)).status, status);
      assert.equal((await site.request(`OPTIONS /\r\nHost: ${host}`)).status, status);
    });
  }

  it("refuse values that are not hosts at the start", async () => {
    for (const allowedHosts of [[], ["*"], ["http://app.example"], ["a b"]]) {
      await assert.rejects(
        serve(() => "", { port: 0, allowedHosts }),
        { code: "BAD_OPTION" },
      );
    }
  });
});

describe("a page of an allowed origin", () => {
  const origin = `Origin: ${APP}`;

  it("may read the answers of a channel, of a handler and of a refusal", async (t) => {
    const site = await serving(
      t,
      (r) => {
        if (r.path === "/channel") return withChannel(r, (channel) => channel.send("hi"));
        if (r.path === "/silent") return withChannel(r, (channel) => channel.close());
        if (r.path === "/401") return { status: 401 };
        if (r.path === "/500") throw new Error("no");
        return undefined;
      },
      OPTIONS,
    );
    for (const path of ["/channel", "/silent", "/401", "/404", "/500"]) {
      const { headers } = await site.request(`GET ${path}\r\n${origin}`);
      assert.deepEqual(headers.get("access-control-allow-origin"), [APP], path);
      assert.deepEqual(headers.get("access-control-allow-credentials"), ["true"]);
      assert.deepEqual(headers.get("access-control-expose-headers"), ["Retry-After"]);
      assert.deepEqual(headers.get("vary"), ["Origin"]);
      const foreign = await site.request(`GET ${path}\r\nOrigin: https://evil.example`);
      assert.equal(foreign.headers.get("access-control-allow-origin"), undefined);
    }
    assert.equal(site.takeReports().length, 2);
  });

  it("has its preflight answered before a handler that asks who it is", async (t) => {
    const site = await serving(t, () => ({ status: 401 }), OPTIONS);
    const asked = "Access-Control-Request-Headers: authorization\r\nAccess-Control-Request-Method:";
    const { status, headers } = await site.request(`OPTIONS /\r\n${origin}\r\n${asked} GET`);
    assert.equal(status, 204);
    assert.deepEqual(headers.get("access-control-allow-headers"), ["authorization"]);
    assert.equal((await site.request(`OPTIONS /\r\n${origin}\r\n${asked} DELETE`)).status, 401);
    assert.equal((await site.request(`OPTIONS /\r\n${origin}`)).status, 401);
    assert.equal((await site.request(`OPTIONS /\r\nOrigin: https://evil.example\r\n${asked} GET`)).status, 401);
  });

  it("gets no field twice that the application has set itself", async (t) => {
    const headers = { "access-control-allow-origin": APP, vary: "Accept", "cache-control": "private" };
    const site = await serving(
      t,
      (r) =>
        r.path === "/session" ? openSession(r, {}, { headers }) : withChannel(r, (c) => c.send("hi"), { headers }),
      OPTIONS,
    );
    for (const path of ["/channel", "/session?mode=poll"]) {
      const answer = await site.request(`GET ${path}\r\n${origin}`);
      for (const [name, values] of answer.headers) assert.equal(values.length, 1, name);
      assert.deepEqual(answer.headers.get("vary"), ["Accept, Origin"]);
    }
  });

  it("gets none of these fields with cors: false", async (t) => {
    const site = await serving(t, () => "hi", { ...OPTIONS, cors: false });
    const { headers } = await site.request(`GET /\r\n${origin}`);
    assert.equal(headers.get("access-control-allow-origin"), undefined);
  });
});

describe("a page that a session refuses", () => {
  it("may read the 403, without credentials", async (t) => {
    const site = await serving(t, (r) => openSession(r, {}));
    const { status, headers } = await site.request("GET /?mode=poll\r\nOrigin: https://evil.example");
    assert.equal(status, 403);
    assert.deepEqual(headers.get("access-control-allow-origin"), ["https://evil.example"]);
    assert.equal(headers.get("access-control-allow-credentials"), undefined);
  });
});
