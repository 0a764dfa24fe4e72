// The response that a handler's result becomes on the wire: design §1.1, RFC 9110 §6.4, §8.6, §15, and http-kit's body and header tests.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runInNewContext } from "node:vm";
import { type ChannelError, json, type SendBody, type SendInit } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";

const UTF8 = new TextEncoder();
const MIB = 1024 * 1024;

async function* parts(...all: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const part of all) {
    await new Promise(setImmediate);
    yield part;
  }
}

describe("a handler's result", () => {
  const bodies: readonly (readonly [what: string, make: () => SendBody, text: string, framing: string])[] = [
    ["a string", () => "grüße", "grüße", "length"],
    ["bytes", () => UTF8.encode("bytes"), "bytes", "length"],
    ["an ArrayBuffer", () => UTF8.encode("buffer").buffer as ArrayBuffer, "buffer", "length"],
    ["a Blob", () => new Blob(["bl", "ob"]), "blob", "length"],
    ["a ReadableStream", () => new Blob(["stream"]).stream(), "stream", "chunked"],
    ["an async iterable", () => parts("a", UTF8.encode("b"), "c"), "abc", "chunked"],
    ["an iterable", () => ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "123456789", "chunked"],
    ["null", () => null, "", "length"],
    ["an empty string", () => "", "", "length"],
  ];

  for (const [what, make, text, framing] of bodies) {
    it(`may be ${what}`, async (t) => {
      const site = await serving(t, () => make());
      const response = await site.request("GET /");
      assert.deepEqual([response.status, response.text, response.framing], [200, text, framing]);
    });

    it(`may be { status, headers, body } with ${what}`, async (t) => {
      const site = await serving(t, async () => ({ status: 201, headers: { "X-A": "1" }, body: make() }));
      const response = await site.request("GET /");
      assert.deepEqual([response.status, response.text, response.framing], [201, text, framing]);
      assert.deepEqual(response.headers.get("x-a"), ["1"]);
    });
  }

  for (const [what, size, make] of [
    ["text", MIB, (text: string) => text],
    ["bytes", 8 * MIB, (text: string) => UTF8.encode(text)],
    ["a Blob", MIB, (text: string) => new Blob([text])],
    ["a stream", MIB, (text: string) => parts(...text.match(/.{65536}/g)!)],
  ] as const) {
    it(`may be ${size / MIB} MiB of ${what}`, async (t) => {
      const text = "0123456789abcdef".repeat(size / 16);
      const site = await serving(t, () => make(text));
      assert.ok((await site.request("GET /")).text === text, "the same");
    });
  }

  it("may be undefined: 404", async (t) => {
    const site = await serving(t, (r) => (r.path === "/late" ? Promise.resolve() : undefined));
    assert.equal((await site.request("GET /")).status, 404);
    assert.equal((await site.request("GET /late")).status, 404);
  });

  it("may have 5 to 39 headers and one of several values", async (t) => {
    const site = await serving(t, (r) => {
      const count = Number(r.path.slice(1));
      const headers = Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-Header-${i}`, `value ${i}`]));
      return {
        headers: { ...headers, "Set-Cookie": ["a=1; Path=/", "b=2"], "X-Number": 7, "X-None": undefined },
        body: "",
      };
    });
    const client = await site.connect();
    for (let count = 5; count < 40; count++) {
      client.write(request(`GET /${count}`));
      const { headers } = await client.response();
      for (let i = 0; i < count; i++) assert.deepEqual(headers.get(`x-header-${i}`), [`value ${i}`]);
      assert.deepEqual(headers.get("set-cookie"), ["a=1; Path=/", "b=2"]);
      assert.deepEqual(headers.get("x-number"), ["7"]);
      assert.equal(headers.has("x-none"), false);
    }
  });

  it("may bring its headers as a Fetch Headers or as pairs", async (t) => {
    const site = await serving(t, (r) => {
      const pairs = [
        ["X-A", "1"],
        ["x-b", "2"],
        ["X-B", "3"],
      ] as [string, string][];
      return { headers: r.path === "/pairs" ? pairs : new Headers(pairs), body: "ok" };
    });
    const { headers } = await site.request("GET /pairs");
    assert.deepEqual([headers.get("x-a"), headers.get("x-b")], [["1"], ["2", "3"]]);
    const fetched = (await site.request("GET /headers")).headers;
    assert.deepEqual([fetched.get("x-a"), fetched.get("x-b")?.join(", ")], [["1"], "2, 3"]);
  });

  it("has its wrong Content-Length corrected (http-kit #127)", async (t) => {
    const site = await serving(t, () => ({ headers: { "Content-Length": "9999" }, body: "hello" }));
    const response = await site.request("GET /");
    assert.deepEqual([response.text, response.headers.get("content-length")], ["hello", ["5"]]);
  });

  it("keeps the Content-Length of its stream, which then must be true", async (t) => {
    const site = await serving(t, (r) => ({
      headers: { "Content-Length": r.path.slice(1) },
      body: parts("he", "llo"),
    }));
    assert.deepEqual((await site.request("GET /5")).headers.get("content-length"), ["5"]);
    for (const wrong of ["4", "6"]) {
      const client = await site.connect();
      client.write(request(`GET /${wrong}`));
      assert.equal((await client.head()).framing, "length");
      const { length } = await client.takeRest();
      assert.ok(length < 6 && length <= Number(wrong), `the connection is cut: ${length} of ${wrong}`);
      assert.equal((site.takeReports()[0]!.error as ChannelError).code, "BODY_LENGTH_MISMATCH");
    }
  });

  for (const [what, prototype] of [
    ["a class", class {}.prototype],
    ["a function whose prototype is a literal", { render: () => "<p>" }],
    ["another realm", runInNewContext("Object.prototype")],
    ["no class at all", null],
  ] as const) {
    it(`may be an object with these parts and others, of ${what}`, async (t) => {
      const site = await serving(t, () => Object.assign(Object.create(prototype), { status: 201, body: "hi", own: 1 }));
      const response = await site.request("GET /");
      assert.deepEqual([response.status, response.text], [201, "hi"]);
    });
  }

  it("cannot set the framing: Transfer-Encoding is the server's", async (t) => {
    const site = await serving(t, () => ({ headers: { "Transfer-Encoding": "gzip" }, body: "hello" }));
    const response = await site.request("GET /");
    assert.deepEqual([response.text, response.headers.get("transfer-encoding")], ["hello", undefined]);
  });

  it("may be JSON", async (t) => {
    const site = await serving(t, () => json({ ok: true }, { status: 202 }));
    const response = await site.request("GET /");
    assert.deepEqual([response.status, response.text], [202, '{"ok":true}']);
    assert.deepEqual(response.headers.get("content-type"), ["application/json; charset=utf-8"]);
  });
});

describe("the fields of a response", () => {
  it("name text as text/plain that is not sniffed, and leave the application's type alone", async (t) => {
    const site = await serving(t, (r) =>
      r.path === "/own" ? { headers: { "content-type": "text/html" }, body: "<p>" } : "<p>",
    );
    const plain = (await site.request("GET /")).headers;
    assert.deepEqual(plain.get("content-type"), ["text/plain; charset=utf-8"]);
    assert.deepEqual(plain.get("x-content-type-options"), ["nosniff"]);
    const own = (await site.request("GET /own")).headers;
    assert.deepEqual(own.get("content-type"), ["text/html"]);
    assert.equal(own.has("x-content-type-options"), false);
  });

  it("have one Date in the form of RFC 9110 §5.6.7, and no Server", async (t) => {
    const site = await serving(t, () => "ok");
    const { headers } = await site.request("GET /");
    const [date, ...others] = headers.get("date")!;
    assert.match(
      date!,
      /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/,
    );
    assert.equal(new Date(date!).toUTCString(), date);
    assert.deepEqual(others, []);
    assert.equal(headers.has("server"), false);
  });

  it("have the Date and the Server of the application where it sets them", async (t) => {
    const own = { Date: "Mon, 03 Mar 2014 03:30:57 GMT", Server: "mine" };
    const site = await serving(t, () => ({ headers: own, body: "ok" }), { serverHeader: "unichannel" });
    const { headers } = await site.request("GET /");
    assert.deepEqual([headers.get("date"), headers.get("server")], [[own.Date], ["mine"]]);
  });

  it("have the Server of `serverHeader`, refusals too", async (t) => {
    const site = await serving(t, () => "ok", { serverHeader: "unichannel" });
    assert.deepEqual((await site.request("GET /")).headers.get("server"), ["unichannel"]);
    assert.deepEqual((await site.request("GET / HTTP/1.1\r\nHost: a b")).headers.get("server"), ["unichannel"]);
  });
});

describe("a response without a body", () => {
  for (const [what, body] of [
    ["text", () => "twelve bytes"],
    ["a stream", () => parts("twelve", " bytes")],
  ] as const) {
    it(`answers HEAD with the head that GET would have, for ${what}`, async (t) => {
      const site = await serving(t, () => ({ headers: { "X-A": "1" }, body: body() }));
      const client = await site.connect();
      client.write(request("HEAD /"));
      const head = await client.response("HEAD");
      if (what === "text") assert.deepEqual(head.headers.get("content-length"), ["12"]);
      client.write(request("GET /"));
      const get = await client.response();
      assert.deepEqual([head.status, head.text, get.text], [200, "", "twelve bytes"]);
      assert.deepEqual(head.headers.get("content-type"), get.headers.get("content-type"));
    });

    for (const status of [204, 205, 304]) {
      it(`has status ${status}, whatever ${what} was given, and its connection goes on`, async (t) => {
        const site = await serving(t, () => ({ status, body: body() }));
        const client = await site.connect();
        for (let i = 0; i < 2; i++) {
          client.write(request("GET /"));
          const response = await client.response();
          assert.deepEqual([response.status, response.text], [status, ""]);
          // RFC 9110 §15.3.6: a 205 says that there is nothing.
          if (status === 205) assert.deepEqual(response.headers.get("content-length"), ["0"]);
        }
      });
    }
  }

  it("may say what length a 304 stands for (RFC 9110 §8.6)", async (t) => {
    const site = await serving(t, () => ({
      status: 304,
      headers: { "Content-Length": "1234", ETag: '"a"' },
      body: null,
    }));
    assert.deepEqual((await site.request("GET /")).headers.get("content-length"), ["1234"]);
  });

  it("may say what length a HEAD stands for", async (t) => {
    const site = await serving(t, () => ({ headers: { "Content-Length": "1234" }, body: null }));
    assert.deepEqual((await site.request("HEAD /")).headers.get("content-length"), ["1234"]);
  });
});

describe("a result that cannot be sent is a 500 without a reason, and is reported", () => {
  const bad: readonly (readonly [what: string, result: () => unknown, code: string])[] = [
    ["CR and LF in a value", () => ({ headers: { "X-A": "secret\r\nX-Evil: 1" }, body: "" }), "BAD_HEADER"],
    ["a bare LF in a value", () => ({ headers: { "X-A": "secret\nX-Evil: 1" }, body: "" }), "BAD_HEADER"],
    ["NUL in a value", () => ({ headers: { "X-A": "secret\0" }, body: "" }), "BAD_HEADER"],
    ["a value that is not latin1", () => ({ headers: { "X-A": "secret €" }, body: "" }), "BAD_HEADER"],
    ["a blank in a name", () => ({ headers: { "X secret": "1" }, body: "" }), "BAD_HEADER"],
    ["CR and LF in a name", () => ({ headers: { "X-secret\r\nX-Evil": "1" }, body: "" }), "BAD_HEADER"],
    ["an empty name", () => ({ headers: { "": "secret" }, body: "" }), "BAD_HEADER"],
    ["headers that are no object", () => ({ headers: "X-A: secret", body: "" }), "BAD_HEADER"],
    ["status 199", () => ({ status: 199, body: "secret" }), "BAD_STATUS"],
    ["status 101", () => ({ status: 101, body: "secret" }), "BAD_STATUS"],
    ["status 600", () => ({ status: 600, body: "secret" }), "BAD_STATUS"],
    ["a status that is text", () => ({ status: "200", body: "secret" }), "BAD_STATUS"],
    ["a number", () => 42, "BAD_DATA"],
    ["an object with other keys", () => ({ secret: 1 }), "BAD_DATA"],
    ["a body that is none", () => ({ body: 42 }), "BAD_DATA"],
  ];

  for (const [what, result, code] of bad) {
    it(what, async (t) => {
      const site = await serving(t, () => result() as SendInit);
      const client = await site.connect();
      for (let i = 0; i < 2; i++) {
        client.write(request("GET /"));
        const response = await client.response();
        assert.equal(response.status, 500);
        assert.ok(!JSON.stringify([...response.headers, response.text]).match(/secret|Evil/i), "nothing leaks");
        assert.deepEqual(response.headers.get("content-type"), ["text/plain; charset=utf-8"]);
        assert.deepEqual(
          site.takeReports().map(({ error, source }) => [(error as ChannelError).code, source]),
          [[code, "handler"]],
        );
      }
    });
  }

  for (const [what, fail] of [
    [
      "throws",
      () => {
        throw new Error("a secret");
      },
    ],
    ["rejects", () => Promise.reject(new Error("a secret"))],
    [
      "throws no Error",
      () => {
        throw "a secret";
      },
    ],
  ] as const) {
    it(`a handler that ${what}`, async (t) => {
      const site = await serving(t, fail);
      const client = await site.connect();
      for (const method of ["GET", "HEAD", "GET"]) {
        client.write(request(`${method} /`));
        const response = await client.response(method);
        assert.equal(response.status, 500);
        assert.ok(!response.text.includes("secret"));
        assert.deepEqual(site.takeMessages(), ["handler: a secret"]);
      }
    });
  }

  it("a handler that returns it while an earlier stream holds the connection", async (t) => {
    const site = await serving(t, (r) => {
      if (r.path === "/boom") throw new Error("boom");
      return parts("a", "b");
    });
    const client = await site.connect();
    client.write(request("GET /") + request("GET /boom") + request("GET /"));
    assert.equal((await client.response()).text, "ab");
    assert.equal((await client.response()).status, 500);
    assert.equal((await client.response()).text, "ab");
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
  });
});

describe("a response that has no content: RFC 9110 §15.3.5, §15.3.6, §15.4.5", () => {
  const bodies: readonly (readonly [what: string, make: () => SendInit])[] = [
    ["an empty text", () => ({ body: "" })],
    ["a text", () => ({ body: "text" })],
    ["empty bytes", () => ({ body: new Uint8Array(0) })],
    ["a stream", () => ({ body: parts("a", "b") })],
    ["null", () => ({ body: null })],
    ["JSON", () => json({ a: 1 })],
  ];
  for (const [what, make] of bodies) {
    it(`has no fields that describe one, made of ${what}`, async (t) => {
      const site = await serving(t, (r) => ({ ...make(), status: Number(r.path.slice(1)), headers: { ETag: '"1"' } }));
      for (const status of [204, 205, 304]) {
        const client = await site.connect();
        client.write(request(`GET /${status}`));
        const head = await client.head();
        assert.deepEqual([head.status, head.headers.get("etag")], [status, ['"1"']]);
        for (const name of ["content-type", "x-content-type-options", "content-encoding", "transfer-encoding"]) {
          assert.equal(head.headers.get(name), undefined, `${status} ${name}`);
        }
        client.destroy();
      }
    });
  }

  it("keeps the Content-Type that the application gives", async (t) => {
    const site = await serving(t, () => ({ status: 304, headers: { "Content-Type": "text/css" }, body: "" }));
    assert.deepEqual((await site.request("GET /")).headers.get("content-type"), ["text/css"]);
  });

  it("leaves json() its type where there is content, and not where there is none", () => {
    assert.deepEqual(json(1, { status: 204 }).headers, []);
    assert.deepEqual(json(1).headers, [["Content-Type", "application/json; charset=utf-8"]]);
  });
});

describe("headers that are null", () => {
  it("are not sent, like those that are undefined", async (t) => {
    const headers = { A: null, B: undefined, C: ["1", null as unknown as string], D: 0 };
    const site = await serving(t, () => ({ headers, body: "x" }));
    const sent = (await site.request("GET /")).headers;
    assert.deepEqual(
      [sent.get("a"), sent.get("b"), sent.get("c"), sent.get("d")],
      [undefined, undefined, ["1"], ["0"]],
    );
  });
});
