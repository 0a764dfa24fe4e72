// CORS on every answer of every carrier, option by option, as it stands on the wire: WHATWG Fetch §3.2.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type ChannelRequest,
  createChannelStore,
  openSession,
  pollGroup,
  type ServeOptions,
  serve,
  withChannel,
} from "../../src/index.ts";
import type { RawHead } from "../support/raw-client.ts";
import { type Site, serving } from "../support/serving.ts";

const APP = "https://app.example";

/** The answers whose fields a page may have to read: what is asked, and the fields of the request beside `Origin`. */
const ANSWERS: Readonly<Record<string, string>> = {
  "a returned text": "GET /text",
  "a returned Response": "GET /response",
  "a returned stream": "GET /returned-stream",
  "an answer without content": "GET /204",
  "an answer to HEAD": "HEAD /text",
  "a channel's answer": "GET /channel",
  "a channel that streams": "GET /stream",
  "an event stream": "GET /stream\r\nAccept: text/event-stream",
  "a group's poll": "GET /group",
  "a session's poll": "GET /session?mode=poll",
  "a session's stream": "GET /session\r\nAccept: text/event-stream",
  "a session's POST": "POST /session?session=x&from=1\r\nContent-Length: 0",
  "a session's refusal": "GET /session",
  "a 401 of the handler": "GET /401",
  "a 404": "GET /nothing",
  "a 500": "GET /throws",
};

interface Given {
  /** Fields that the application sets itself, on every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

async function site(t: TestContext, options: ServeOptions, { headers = {} }: Given = {}): Promise<Site> {
  const store = createChannelStore();
  t.after(() => store.close());
  const handler = (r: ChannelRequest): unknown => {
    switch (r.path) {
      case "/text":
        return { headers, body: "text" };
      case "/response":
        return new Response("text", { headers });
      case "/returned-stream":
        return { headers, body: new Blob(["text"]).stream() };
      case "/204":
        return { status: 204, headers };
      case "/channel":
        return withChannel(r, (channel) => channel.send("hi"), { headers });
      case "/stream":
        return withChannel(
          r,
          (channel) => {
            channel.send("hi", false);
            channel.close();
          },
          { headers },
        );
      case "/group":
        return pollGroup(r, store, "g", { headers });
      case "/session":
        return openSession(r, {}, { headers });
      case "/401":
        return { status: 401, headers, body: "log in first" };
      case "/throws":
        throw new Error("of the application");
      default:
        return undefined;
    }
  };
  return await serving(t, handler as never, { onError() {}, ...options });
}

async function headOf(from: Site, text: string, fields: string): Promise<RawHead> {
  const [line, ...more] = text.split("\r\n");
  const client = await from.connect();
  client.write(
    [`${line} HTTP/1.1`, "Host: our.example", ...more, fields, "", ""]
      .filter((_, i, all) => i >= all.length - 2 || _ !== "")
      .join("\r\n"),
  );
  const head = await client.head(line!.slice(0, line!.indexOf(" ")));
  client.destroy();
  return head;
}

/** The CORS fields of an answer, each of which must stand there once. */
function corsOf({ headers }: RawHead): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, values] of headers) {
    if (!/^access-control-|^vary$/.test(name)) continue;
    assert.equal(values.length, 1, `${name}: ${values}`);
    found[name.replace("access-control-", "")] = values[0]!;
  }
  return found;
}

describe("a page of an allowed origin may read", () => {
  for (const [what, text] of Object.entries(ANSWERS)) {
    it(`${what}, and a page of another origin may not`, async (t) => {
      const ours = await site(t, { allowedOrigins: [APP] });
      const readable = {
        "allow-origin": APP,
        "allow-credentials": "true",
        "expose-headers": "Retry-After",
        vary: "Origin",
      };
      assert.deepEqual(corsOf(await headOf(ours, text, `Origin: ${APP}`)), readable);
      assert.deepEqual(corsOf(await headOf(ours, text, "")), { vary: "Origin" });
      const foreign = await headOf(ours, text, "Origin: https://evil.example");
      // A session refuses it, which it may read, without credentials.
      const isRefused = text.includes("/session");
      const refusal = isRefused ? { "allow-origin": "https://evil.example" } : {};
      assert.deepEqual(corsOf(foreign), { ...refusal, vary: "Origin" });
      assert.equal(foreign.status === 403, isRefused);
    });
  }

  for (const [what, allowedOrigins] of [
    ["a list", [APP]],
    ["a pattern", [/https:\/\/[a-z]+\.example/]],
    ["a function", (origin: string) => origin === APP],
  ] as const) {
    it(`what ${what} allows`, async (t) => {
      const ours = await site(t, { allowedOrigins });
      assert.equal(corsOf(await headOf(ours, "GET /text", `Origin: ${APP}`))["allow-origin"], APP);
      for (const origin of [`${APP}.evil.test`, "http://app.example", "https://app.example:8443", "null"]) {
        assert.equal(corsOf(await headOf(ours, "GET /text", `Origin: ${origin}`))["allow-origin"], undefined, origin);
      }
    });
  }

  it('anything without credentials where "any" may connect', async (t) => {
    const ours = await site(t, { allowedOrigins: "any" });
    for (const text of Object.values(ANSWERS)) {
      const { "allow-origin": origin, "allow-credentials": credentials } = corsOf(
        await headOf(ours, text, "Origin: https://who.example"),
      );
      assert.deepEqual([origin, credentials], ["https://who.example", undefined], text);
    }
  });

  it('as a sandboxed frame ("null") by that name alone, and without credentials', async (t) => {
    const ours = await site(t, { allowedOrigins: ["null"] });
    assert.deepEqual(corsOf(await headOf(ours, "GET /text", "Origin: null")), {
      "allow-origin": "null",
      "expose-headers": "Retry-After",
      vary: "Origin",
    });
    const others = await site(t, { allowedOrigins: [/.*/] });
    assert.equal(corsOf(await headOf(others, "GET /text", "Origin: null"))["allow-origin"], undefined);
  });

  it("a function that returns a promise, throws, or returns anything but true allows nothing", async (t) => {
    for (const allows of [async () => true, () => assert.fail("no"), () => 1, () => "yes", () => ({})]) {
      const ours = await site(t, { allowedOrigins: allows as unknown as () => boolean });
      const head = await headOf(ours, "GET /text", `Origin: ${APP}`);
      assert.deepEqual([head.status, corsOf(head)["allow-origin"]], [200, undefined]);
    }
  });

  it("why its body is too large, by its length or while it comes", async (t) => {
    const ours = await serving(t, (r) => r.text(), { allowedOrigins: [APP], maxBodyBytes: 4 });
    for (const [origin, readable] of [
      [APP, APP],
      ["https://evil.example", undefined],
    ] as const) {
      for (const rest of ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"]) {
        const client = await ours.connect();
        client.write(`POST /text HTTP/1.1\r\nHost: our.example\r\nOrigin: ${origin}\r\n${rest}`);
        const head = await client.head("POST");
        assert.deepEqual([head.status, corsOf(head)["allow-origin"]], [413, readable], rest);
        client.destroy();
      }
    }
  });
});

describe("the option cors", () => {
  const preflight = (method: string, headers = ""): string =>
    `OPTIONS /text\r\nAccess-Control-Request-Method: ${method}${headers === "" ? "" : `\r\nAccess-Control-Request-Headers: ${headers}`}`;

  it("answers preflights before the handler, for GET, HEAD and POST, with the headers that are asked for", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP] });
    for (const method of ["GET", "HEAD", "POST"]) {
      const head = await headOf(ours, preflight(method, "authorization,content-type"), `Origin: ${APP}`);
      assert.equal(head.status, 204);
      assert.deepEqual(corsOf(head), {
        "allow-origin": APP,
        "allow-credentials": "true",
        "allow-methods": "GET, POST",
        "allow-headers": "authorization,content-type",
        "expose-headers": "Retry-After",
        "max-age": "600",
        vary: "Origin",
      });
      assert.equal(head.headers.get("content-length"), undefined);
      assert.equal(head.headers.get("content-type"), undefined);
    }
  });

  it("leaves preflights of other methods, of pages that may not connect, and what is no preflight, to the handler", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP] });
    assert.equal((await headOf(ours, preflight("PUT"), `Origin: ${APP}`)).status, 200);
    assert.equal((await headOf(ours, preflight("get"), `Origin: ${APP}`)).status, 200);
    assert.equal((await headOf(ours, preflight("GET"), "Origin: https://evil.example")).status, 200);
    assert.equal((await headOf(ours, preflight("GET"), "")).status, 200);
    assert.equal((await headOf(ours, "OPTIONS /text", `Origin: ${APP}`)).status, 200);
  });

  it("allowMethods: preflights of PUT and DELETE are answered, too", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP], cors: { allowMethods: ["PUT", "DELETE"] } });
    for (const method of ["PUT", "DELETE", "GET"]) {
      const head = await headOf(ours, preflight(method), `Origin: ${APP}`);
      assert.deepEqual([head.status, corsOf(head)["allow-methods"]], [204, "GET, POST, PUT, DELETE"]);
    }
    assert.equal((await headOf(ours, preflight("PATCH"), `Origin: ${APP}`)).status, 200);
  });

  it("allowHeaders: a preflight is told those, whatever it asks for", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP], cors: { allowHeaders: ["X-One", "X-Two"] } });
    const head = await headOf(ours, preflight("GET", "x-three"), `Origin: ${APP}`);
    assert.equal(corsOf(head)["allow-headers"], "X-One, X-Two");
    const none = await site(t, { allowedOrigins: [APP], cors: { allowHeaders: [] } });
    assert.equal(corsOf(await headOf(none, preflight("GET", "x-three"), `Origin: ${APP}`))["allow-headers"], undefined);
  });

  it("exposeHeaders: every answer tells them, beside Retry-After", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP], cors: { exposeHeaders: ["X-Request-Id", "ETag"] } });
    for (const text of Object.values(ANSWERS)) {
      const { "expose-headers": exposed } = corsOf(await headOf(ours, text, `Origin: ${APP}`));
      assert.equal(exposed, "Retry-After, X-Request-Id, ETag", text);
    }
  });

  it("credentials: false takes them away everywhere", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP], cors: { credentials: false } });
    for (const text of [...Object.values(ANSWERS), preflight("GET")]) {
      const fields = corsOf(await headOf(ours, text, `Origin: ${APP}`));
      assert.deepEqual([fields["allow-origin"], fields["allow-credentials"]], [APP, undefined], text);
    }
  });

  it("maxAgeMs: how long a preflight's answer may be remembered, in whole seconds, up to a day", async (t) => {
    for (const [maxAgeMs, seconds] of [
      [0, "0"],
      [1500, "1"],
      [Number.POSITIVE_INFINITY, "86400"],
    ] as const) {
      const ours = await site(t, { allowedOrigins: [APP], cors: { maxAgeMs } });
      assert.equal(corsOf(await headOf(ours, preflight("GET"), `Origin: ${APP}`))["max-age"], seconds);
    }
  });

  it("false adds no fields anywhere, not even for sessions, and preflights reach the handler", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP], cors: false });
    for (const text of [...Object.values(ANSWERS), preflight("GET")]) {
      for (const origin of [APP, "https://evil.example"]) {
        assert.deepEqual(corsOf(await headOf(ours, text, `Origin: ${origin}`)), {}, text);
      }
    }
  });

  it("makes no answer of a page without allowedOrigins readable but a session's 403", async (t) => {
    const ours = await site(t, {});
    for (const text of Object.values(ANSWERS)) {
      const fields = corsOf(await headOf(ours, text, `Origin: ${APP}`));
      const refusal = { "allow-origin": APP, vary: "Origin" };
      assert.deepEqual(fields, text.includes("/session") ? refusal : {}, text);
    }
  });

  for (const [cors, message] of [
    [{ allowMethods: "PUT" }, /cors\.allowMethods/],
    [{ allowMethods: ["PUT "] }, /cors\.allowMethods/],
    [{ allowHeaders: ["a b"] }, /cors\.allowHeaders/],
    [{ exposeHeaders: [1] }, /cors\.exposeHeaders/],
    [{ credentials: "include" }, /cors\.credentials/],
    [{ maxAgeMs: -1 }, /cors\.maxAgeMs/],
    [{ maxAgeMs: Number.NaN }, /cors\.maxAgeMs/],
    [{ maxAge: 5 }, /did you mean "maxAgeMs"/],
    [null, /cors is null/],
    ["yes", /cors is "yes"/],
  ] as const) {
    it(`is BAD_OPTION for ${JSON.stringify(cors)}`, async () => {
      const options = { port: 0, allowedOrigins: [APP], cors } as unknown as ServeOptions;
      await assert.rejects(
        serve(() => "", options),
        { code: "BAD_OPTION", message },
      );
    });
  }

  it('is BAD_OPTION for credentials where "any" may connect', async () => {
    await assert.rejects(
      serve(() => "", { port: 0, allowedOrigins: "any", cors: { credentials: true } }),
      { code: "BAD_OPTION", message: /every page act for its visitor/ },
    );
  });
});

describe("fields that the application sets itself", () => {
  const OWN: readonly (readonly [given: Readonly<Record<string, string>>, expected: Record<string, string>])[] = [
    [{ "access-control-allow-origin": APP }, { "allow-origin": APP, "allow-credentials": "true" }],
    [{ "ACCESS-CONTROL-ALLOW-ORIGIN": "*" }, { "allow-origin": "*" }],
    [{ "Access-Control-Expose-Headers": "X-Own" }, { "allow-origin": APP, "expose-headers": "X-Own" }],
    [{ "access-control-allow-credentials": "true" }, { "allow-origin": APP, "allow-credentials": "true" }],
    [{ vary: "accept-encoding" }, { vary: "accept-encoding, Origin" }],
    [{ VARY: "origin" }, { vary: "origin" }],
    [{ Vary: "*" }, { vary: "*" }],
  ];
  for (const [headers, expected] of OWN) {
    it(`stand once on every answer: ${JSON.stringify(headers)}`, async (t) => {
      const ours = await site(t, { allowedOrigins: [APP] }, { headers });
      for (const [what, text] of Object.entries(ANSWERS)) {
        // The library answers these.
        if (/404|500|refusal/.test(what)) continue;
        const found = corsOf(await headOf(ours, text, `Origin: ${APP}`));
        for (const [name, value] of Object.entries(expected)) {
          // A session's 410 has none of the application's fields.
          if (!what.includes("POST")) assert.equal(found[name], value, `${what}: ${name}`);
        }
      }
    });
  }

  it("are never doubled with those of the library, in whatever case", async (t) => {
    const headers = {
      "CACHE-control": "private, max-age=1",
      "x-CONTENT-type-OPTIONS": "nosniff",
      "content-TYPE": "text/plain; charset=utf-8",
      "x-ACCEL-buffering": "no",
      vARY: "Cookie",
      "access-CONTROL-allow-ORIGIN": APP,
    };
    const ours = await site(t, { allowedOrigins: [APP] }, { headers });
    for (const [what, text] of Object.entries(ANSWERS)) {
      const { headers: found } = await headOf(ours, text, `Origin: ${APP}`);
      for (const [name, values] of found) assert.equal(values.length, 1, `${what}: ${name}: ${values}`);
    }
  });
});

describe("an object of headers with a name in two spellings", () => {
  const two = {
    "content-type": "text/x",
    "Content-Type": "text/y",
    "CACHE-CONTROL": "private",
    "cache-control": "max-age=1",
    "ACCESS-control-allow-origin": "https://first.example",
    "Access-Control-Allow-Origin": APP,
    vary: "A",
    Vary: "B",
    "set-cookie": "a=1",
    "Set-Cookie": ["b=2", "c=3"],
  };
  for (const [what, text] of Object.entries({
    "an answer": "GET /text",
    "a channel": "GET /channel",
    "a session": "GET /session?mode=poll",
  })) {
    it(`sends the last one, with all cookies and all of Vary (${what})`, async (t) => {
      const ours = await site(t, { allowedOrigins: [APP] }, { headers: two as never });
      const { headers } = await headOf(ours, text, `Origin: ${APP}`);
      for (const [name, values] of headers) if (name !== "set-cookie") assert.equal(values.length, 1, name);
      assert.match(headers.get("cache-control")![0]!, /max-age=1$/);
      assert.deepEqual(headers.get("access-control-allow-origin"), [APP]);
      assert.deepEqual(headers.get("vary"), ["A, B, Origin"]);
      assert.deepEqual(headers.get("set-cookie"), ["a=1", "b=2", "c=3"]);
      if (what !== "a session") assert.deepEqual(headers.get("content-type"), ["text/y"]);
    });
  }

  it("sends each value of an array, and each pair, as its own line", async (t) => {
    const ours = await serving(t, (r) => ({
      headers:
        r.path === "/array"
          ? { Link: ["<a>", "<b>"] }
          : [
              ["Link", "<a>"],
              ["link", "<b>"],
            ],
    }));
    for (const path of ["/array", "/pairs"]) {
      assert.deepEqual((await headOf(ours, `GET ${path}`, "")).headers.get("link"), ["<a>", "<b>"]);
    }
  });
});

describe("odd origins", () => {
  it("are refused without an answer that repeats them, where they are several, empty or no text", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP] });
    for (const fields of [
      `Origin: ${APP}\r\nOrigin: ${APP}`,
      `Origin: ${APP}, https://evil.example`,
      `Origin: https://evil.example\r\nOrigin: ${APP}`,
      "Origin:",
      "Origin: \xff\xfe",
      `Origin: ${APP}\t`.replace("\t", " x"),
      `Origin: ${APP}/`,
      `Origin: ${APP}:443`,
      `Origin: ${"https://a".repeat(1000)}`,
    ]) {
      const head = await headOf(ours, "GET /text", fields);
      assert.equal(corsOf(head)["allow-origin"], undefined, fields.slice(0, 80));
      assert.equal((await headOf(ours, "GET /session?mode=poll", fields)).status, 403, fields.slice(0, 80));
    }
  });

  it("are the same in upper case", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP] });
    assert.equal((await headOf(ours, "GET /session?mode=poll", "Origin: HTTPS://App.Example")).status, 200);
  });
});

describe("a preflight for a private network", () => {
  const asked = "OPTIONS /text\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Private-Network: true";

  it("is granted if the page's origin is listed", async (t) => {
    const ours = await site(t, { allowedOrigins: [APP] });
    const head = await headOf(ours, asked, `Origin: ${APP}`);
    assert.deepEqual([head.status, corsOf(head)["allow-private-network"]], [204, "true"]);
    const other = await headOf(ours, asked, "Origin: https://evil.example");
    assert.equal(corsOf(other)["allow-private-network"], undefined);
  });

  it('is not told so where "any" may connect, nor where it did not ask', async (t) => {
    const any = await site(t, { allowedOrigins: "any" });
    assert.equal(corsOf(await headOf(any, asked, `Origin: ${APP}`))["allow-private-network"], undefined);
    const ours = await site(t, { allowedOrigins: [APP] });
    const head = await headOf(ours, asked.replace("Private-Network: true", "Private-Network: false"), `Origin: ${APP}`);
    assert.equal(corsOf(head)["allow-private-network"], undefined);
  });
});
