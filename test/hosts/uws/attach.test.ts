// `attachUws`: requests, bodies, a stop, and misuse.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CloseStatus, openChannel } from "../../../src/index.ts";
import { type AttachUwsOptions, attachUws, type UwsApp } from "../../../src/uws.ts";
import { request } from "../../support/serving.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";
import { deferred } from "../../support/wait.ts";

const APP = { any() {}, ws() {} } as unknown as UwsApp;

describe("channels inside uWebSockets.js", { skip: noUws }, () => {
  it("get a request as the client sent it", async (t) => {
    const site = await servingInUws(t, ({ method, url, host, remoteAddress, headers }) =>
      [method, url, host, remoteAddress, headers.get("x-own")].join(" "),
    );
    const { text } = await site.request("GET /a/%2e?b=c\r\nHost: example.com\r\nX-Own: yes");
    assert.equal(text, "GET /a/%2e?b=c example.com 127.0.0.1 yes");
  });

  for (const [bytes, status] of [
    [300_000, 200],
    [300_001, 413],
  ] as const) {
    it(`answer ${status} to a body of ${bytes} bytes where maxBodyBytes is 300,000, however late it is read`, async (t) => {
      const site = await servingInUws(
        t,
        async (own) => {
          // The host has stopped reading by then.
          await new Promise((resolve) => setTimeout(resolve, 50));
          return String((await own.bytes()).length);
        },
        { maxBodyBytes: 300_000 },
      );
      const client = await site.connect();
      client.write(request(`POST /\r\nContent-Length: ${bytes}`, "x".repeat(bytes)));
      const response = await client.response();
      assert.equal(response.status, status);
      assert.equal(response.text, status === 200 ? "300000" : "request body exceeds maxBodyBytes\n");
    });
  }

  it("have no Content-Length in a 204, and one in the answer to a HEAD", async (t) => {
    const site = await servingInUws(t, ({ path }) => (path === "/none" ? { status: 204 } : "hello"));
    assert.equal((await site.request("GET /none")).headers.has("content-length"), false);
    assert.deepEqual((await site.request("HEAD /")).headers.get("content-length"), ["5"]);
  });

  it("are answered with fields of one byte for each character, and with Connection once", async (t) => {
    const site = await servingInUws(t, () => ({
      status: 200,
      headers: { "X-Own": "ü", Connection: "close" },
      body: "a",
    }));
    const { headers } = await site.request("GET /");
    assert.deepEqual([headers.get("x-own"), headers.get("connection")], [["ü"], ["close"]]);
  });

  it("are answered with 400 for two fields Host", async (t) => {
    const site = await servingInUws(t, () => "hello");
    const { status, text } = await site.request("GET /\r\nHost: a.example\r\nHost: b.example");
    assert.deepEqual([status, text], [400, "malformed HTTP request: Host\n"]);
  });

  it("end with a stop, after which their routes answer 503", async (t) => {
    const status = deferred<CloseStatus>();
    const site = await servingInUws(t, (own) => openChannel(own, { close: status.resolve }));
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream"));
    await client.head();
    await site.attached.stop();
    assert.equal((await status.promise).by, "server");
    assert.equal((await site.request("GET /")).status, 503);
  });
});

describe("misuse of attachUws", () => {
  it("throws BAD_OPTION for what is no application, no pattern or no handler", () => {
    assert.throws(() => attachUws({} as UwsApp), { code: "BAD_OPTION", message: /uWS\.App\(\)/ });
    const attached = attachUws(APP);
    assert.throws(() => attached.route("live", () => "x"), { code: "BAD_OPTION", message: /begins with "\/"/ });
    assert.throws(() => attached.route("/live", 1 as never), { code: "BAD_OPTION" });
    void attached.stop();
  });

  it("throws BAD_OPTION for options of a listener, and for an isEncrypted that is neither true nor false", () => {
    assert.throws(() => attachUws(APP, { tls: {} } as AttachUwsOptions), {
      code: "BAD_OPTION",
      message: /attachUws has no tls/,
    });
    assert.throws(() => attachUws(APP, { isEncrypted: "yes" } as never), { code: "BAD_OPTION" });
  });
});
