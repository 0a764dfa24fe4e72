// Clients that still upload when their answer is complete, inside a server of node:http: they get it whole.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { describe, it, type TestContext } from "node:test";
import type { Attached, AttachOptions } from "../../../src/node.ts";
import { type AttachedSite, attaching, attachingTo } from "../../support/attached.ts";
import { certificate, noCertificate, request } from "../../support/serving.ts";
import { settled, turn, until } from "../../support/wait.ts";

/** A server whose handler reads bodies of up to 1,000 bytes. */
async function uploading(t: TestContext, isEncrypted: boolean, options: Partial<AttachOptions>): Promise<AttachedSite> {
  const http = isEncrypted ? createHttpsServer(certificate()) : createServer();
  const listener = (attached: Attached) => attached.listener(async (asked) => String((await asked.bytes()).length));
  return attachingTo(http, t, listener, { maxBodyBytes: 1000, ...options });
}

describe("a client that still uploads when it is answered", () => {
  for (const isEncrypted of [false, true]) {
    const skip = isEncrypted && noCertificate;
    const scheme = isEncrypted ? "https" : "http";
    for (const [what, head, piece] of [
      ["its length", "Content-Length: 50000000", "x".repeat(100_000)],
      ["its bytes", "Transfer-Encoding: chunked", `186a0\r\n${"x".repeat(100_000)}\r\n`],
    ] as const) {
      it(`gets 413 for ${what} over ${scheme}, also where it reads only when it has sent more`, { skip }, async (t) => {
        const site = await uploading(t, isEncrypted, {});
        const client = await site.connect();
        client.pause();
        client.write(request(`POST / HTTP/1.1\r\n${head}`));
        // RFC 9110 §15.5.14: unread bytes at the close of a socket become a reset, which destroys the response on its way.
        for (let i = 0; i < 80; i++) {
          client.write(piece);
          await turn();
        }
        await settled(() => client.socket.writableLength, 20);
        client.resume();
        const response = await client.response();
        assert.equal(response.status, 413);
        assert.deepEqual(response.headers.get("connection"), ["close"]);
        client.end();
        await client.until(() => client.isClosed, "the end of the connection");
      });
    }
  }

  it("gets 413, and is dropped when it still sends after closeTimeoutMs", async (t) => {
    const site = await uploading(t, false, { closeTimeoutMs: 100 });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 50000000", "x".repeat(100_000)));
    assert.equal((await client.response()).status, 413);
    const sending = setInterval(() => client.write("x"), 10);
    t.after(() => clearInterval(sending));
    await client.until(() => client.isClosed, "its connection is dropped");
    await until(() => site.attached.stats().connections === 0, "nothing is open");
  });

  it("gets 413, and does not delay a stop that comes then", async (t) => {
    const site = await uploading(t, false, { closeTimeoutMs: 60_000 });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 50000000", "x".repeat(100_000)));
    assert.equal((await client.response()).status, 413);
    assert.equal(client.isEnded, false);
    await site.attached.stop({ graceMs: 0 });
    await client.until(() => client.isEnded, "its connection is dropped");
  });

  it("gets an answer that does not wait for its body, also where it has asked for the end of its connection", async (t) => {
    const site = await attaching(t, (attached) => attached.listener(() => ({ status: 403, body: "no" })));
    const client = await site.connect();
    client.pause();
    client.write(request("POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 50000000"));
    for (let i = 0; i < 80; i++) {
      client.write("x".repeat(100_000));
      await turn();
    }
    await settled(() => client.socket.writableLength, 20);
    client.resume();
    assert.equal((await client.response()).status, 403);
    client.end();
    await client.until(() => client.isClosed, "the end of the connection");
  });
});
