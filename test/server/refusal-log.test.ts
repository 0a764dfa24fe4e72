// Refused origins and hosts are logged once, with the option to set.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Logger, openSession, type ServeOptions, withChannel } from "../../src/index.ts";
import { type Site, serving } from "../support/serving.ts";

interface Line {
  readonly level: string;
  readonly details: object;
  readonly message: string;
}

interface LoggedSite {
  readonly site: Site;
  readonly lines: Line[];
}

async function logged(t: TestContext, options: ServeOptions = {}): Promise<LoggedSite> {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (details: object, message: string): void =>
      void lines.push({ level, details, message });
  const logger: Logger = { info() {}, warn: at("warn"), error: at("error") };
  const site = await serving(
    t,
    (r) => (r.path === "/session" ? openSession(r, {}) : withChannel(r, (channel) => channel.close())),
    { logger, ...options },
  );
  return { site, lines };
}

const handshake = (origin: string, more = ""): string =>
  `GET /chat?token=secret\r\nHost: our.example\r\nOrigin: ${origin}\r\nCookie: id=secret\r\n${more}Connection: Upgrade\r\n` +
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

describe("a refused origin", () => {
  it("is logged once at warn, with what to set and without secrets", async (t) => {
    const { site, lines } = await logged(t);
    for (let i = 0; i < 3; i++) assert.equal((await site.request(handshake("https://app.example"))).status, 403);
    assert.deepEqual(lines, [
      {
        level: "warn",
        details: { origin: "https://app.example", host: "our.example", path: "/chat" },
        message:
          'unichannel: a page of "https://app.example" was refused: the request was for "our.example"; if the page may connect, ' +
          'set allowedOrigins: ["https://app.example"]',
      },
    ]);
  });

  for (const [what, text] of [
    ["a session's poll", "GET /session?mode=poll"],
    ["a session's stream", "GET /session\r\nAccept: text/event-stream"],
    ["a session's POST", "POST /session?session=x&from=1\r\nContent-Length: 0"],
    [
      "a WebSocket that an upgrade check would be asked for",
      handshake("https://app.example").replace(/Origin.*?\r\n/, ""),
    ],
  ] as const) {
    it(`is logged for ${what}`, async (t) => {
      const { site, lines } = await logged(t, { upgrade: () => undefined });
      assert.equal((await site.request(`${text}\r\nOrigin: https://app.example`)).status, 403);
      assert.equal(lines.length, 1);
      assert.match(lines[0]!.message, /set allowedOrigins: \["https:\/\/app\.example"\]/);
    });
  }

  it("is logged with other advice where no list would help", async (t) => {
    for (const [origin, options, advice] of [
      ["null", {}, /sandboxed frame or a file; .* allowedOrigins: \["null"\]/],
      ["app.example", {}, /no browser sends such an origin/],
      ["https://app.example/path", {}, /no browser sends such an origin/],
      ["https://app.example", { allowedOrigins: () => false }, /the function allowedOrigins did not return true/],
      ["https://app.example, https://b.example", {}, /no browser sends such an origin/],
    ] as const) {
      const { site, lines } = await logged(t, options);
      assert.equal((await site.request(handshake(origin))).status, 403);
      assert.match(lines[0]!.message, advice);
      assert.equal(lines.length, 1);
    }
  });

  it("is not logged where a plain answer is given, nor for an image that a session refuses", async (t) => {
    const { site, lines } = await logged(t, { allowedOrigins: ["https://other.example"] });
    assert.equal((await site.request("GET /\r\nOrigin: https://app.example")).status, 204);
    assert.equal((await site.request("GET /session?mode=poll\r\nSec-Fetch-Site: cross-site")).status, 403);
    assert.deepEqual(lines, []);
  });

  it("is printed with console.warn where there is no logger, also beside an onError", async (t) => {
    const warn = t.mock.method(console, "warn", () => {});
    const site = await serving(t, (r) => withChannel(r, () => {}), { logger: undefined });
    assert.equal((await site.request(handshake("https://app.example"))).status, 403);
    assert.equal(warn.mock.callCount(), 1);
    assert.match(String(warn.mock.calls[0]!.arguments[0]), /allowedOrigins: \["https:\/\/app\.example"\]/);
  });

  it("is logged for a hundred origins at most; then the log says that no more follow", async (t) => {
    const { site, lines } = await logged(t);
    const client = await site.connect();
    const poll = (origin: string): string =>
      `GET /session?mode=poll HTTP/1.1\r\nHost: our.example\r\nOrigin: ${origin}\r\n\r\n`;
    for (let i = 0; i < 250; i++) {
      client.write(poll(`https://a${i}.example`));
      assert.equal((await client.response()).status, 403);
    }
    assert.equal(lines.length, 101);
    assert.match(lines.at(-1)!.message, /100 refused origins and hosts have been named; no more will be/);
  });

  it("is not logged if it is longer than any origin", async (t) => {
    const { site, lines } = await logged(t);
    assert.equal((await site.request(handshake(`https://${"a".repeat(4000)}.example`))).status, 403);
    assert.deepEqual(lines, []);
  });

  it("cannot inject lines into the log", async (t) => {
    const warn = t.mock.method(console, "warn", () => {});
    const site = await serving(t, (r) => withChannel(r, () => {}), { logger: undefined });
    assert.equal((await site.request(handshake('https://a"\x80\xff.example\t!'))).status, 403);
    const [text] = warn.mock.calls[0]!.arguments;
    assert.doesNotMatch(String(text), /[\n\t]/);
  });
});

describe("a refused host", () => {
  it("is logged once at warn, with what to set", async (t) => {
    const { site, lines } = await logged(t, { allowedHosts: ["our.example"] });
    for (let i = 0; i < 3; i++)
      assert.equal((await site.request("GET /a?b=secret\r\nHost: evil.example:81")).status, 421);
    assert.deepEqual(lines, [
      {
        level: "warn",
        details: { host: "evil.example:81", path: "/a" },
        message:
          'unichannel: a request for the host "evil.example:81" was refused: if it is yours, add it to allowedHosts: ["evil.example:81"]',
      },
    ]);
  });
});
