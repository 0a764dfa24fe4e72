// RFC 6455 §4.2: the server's half of the opening handshake, and the parts of §4.1 and §4.4 that it has to read.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, type TestContext } from "node:test";
import { withChannel } from "../../src/index.ts";
import type { RawHead } from "../support/raw-client.ts";
import { certificate, noCertificate, serving } from "../support/serving.ts";
import { HANDSHAKE, textFrame, upgradeRequest, WsClient } from "../support/ws-client.ts";
import { echo, isAlive, may, must, should } from "./clause.ts";

/** The handshake with the named fields changed, or left out where there is nothing to say. */
function handshake(changes: Readonly<Record<string, string>>, line = "GET /chat HTTP/1.1"): string {
  const fields = HANDSHAKE.filter((field) => !(field.slice(0, field.indexOf(":")) in changes));
  for (const [name, value] of Object.entries(changes)) if (value !== "") fields.push(`${name}: ${value}`);
  return [line, ...fields, "", ""].join("\r\n");
}

async function answer(t: TestContext, bytes: string, options: Parameters<typeof echo>[1] = {}): Promise<RawHead> {
  const client = await (await echo(t, options)).connect();
  client.write(bytes);
  return client.head();
}

async function refused(t: TestContext, all: readonly string[], status = 400): Promise<void> {
  const site = await echo(t);
  for (const bytes of all) {
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(bytes), textFrame("behind it")]));
    assert.equal((await client.response()).status, status, bytes);
    await client.ended();
  }
}

describe("the opening handshake", () => {
  must("6455 §4.2.1 item 1", "the request is a GET of HTTP/1.1 or later", async (t) => {
    await refused(t, [handshake({}, "POST /chat HTTP/1.1"), handshake({}, "GET /chat HTTP/1.0")]);
  });

  must("6455 §4.2.1 item 2", "the request has a Host field", async (t) => {
    await refused(t, [handshake({ Host: "" })]);
  });

  must("6455 §4.2.1 item 3", "Upgrade holds the value websocket, in any case", async (t) => {
    for (const value of ["websocket", "WebSocket", "WEBSOCKET", "h2c, websocket"]) {
      assert.equal((await answer(t, handshake({ Upgrade: value }))).status, 101);
    }
    const site = await serving(t, ({ isWebSocket }) => `${isWebSocket}`);
    for (const value of ["websockets", "h2c", ""]) {
      const client = await site.connect();
      client.write(handshake({ Upgrade: value }));
      assert.equal((await client.response()).text, "false");
    }
  });

  must("6455 §4.2.1 item 4", "Connection holds the token Upgrade, in any case", async (t) => {
    for (const value of ["Upgrade", "upgrade", "keep-alive, Upgrade", "UPGRADE,keep-alive"]) {
      assert.equal((await answer(t, handshake({ Connection: value }))).status, 101);
    }
    await refused(t, [handshake({ Connection: "keep-alive" }), handshake({ Connection: "" })]);
  });

  must("6455 §4.2.1 item 5", "Sec-WebSocket-Key is 16 bytes in base64, once", async (t) => {
    const key = (length: number): string => Buffer.alloc(length, 7).toString("base64");
    await refused(t, [
      ...[0, 1, 15, 17, 32].map((length) => handshake({ "Sec-WebSocket-Key": key(length) })),
      handshake({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j*Q==" }),
      upgradeRequest("/", [`Sec-WebSocket-Key: ${key(16)}`]),
    ]);
  });

  must("6455 §4.2.1 item 6", "Sec-WebSocket-Version is 13", async (t) => {
    await refused(t, [handshake({ "Sec-WebSocket-Version": "" })]);
  });

  must("6455 §4.2.2 item 4, §4.4", "another version gets an HTTP error that names the version there is", async (t) => {
    for (const version of ["0", "7", "8", "12", "14", "25", "255"]) {
      const { status, headers } = await answer(t, handshake({ "Sec-WebSocket-Version": version }));
      assert.equal(status, 426);
      assert.deepEqual(headers.get("sec-websocket-version"), ["13"]);
    }
  });

  must("6455 §4.2.2 item 5.1", "the status line says 101, with Upgrade and Connection", async (t) => {
    const { version, status, headers } = await answer(t, handshake({}));
    assert.deepEqual([version, status], ["1.1", 101]);
    assert.deepEqual(headers.get("upgrade"), ["websocket"]);
    assert.deepEqual(headers.get("connection"), ["Upgrade"]);
  });

  must("6455 §4.2.2 item 5.4", "Sec-WebSocket-Accept is made of the key: that of §1.3, and any other", async (t) => {
    const { headers } = await answer(t, handshake({}));
    assert.deepEqual(headers.get("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    for (let byte = 0; byte < 256; byte += 15) {
      const key = Buffer.alloc(16, byte).toString("base64");
      const sha1 = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const response = await answer(t, handshake({ "Sec-WebSocket-Key": key }));
      assert.deepEqual(response.headers.get("sec-websocket-accept"), [sha1]);
    }
  });

  must("6455 §4.2.2 item 5.5", "the subprotocol is one of those offered, or there is none", async (t) => {
    const options = { channel: { protocols: ["chat.2", "chat.1"] } };
    const chosen = async (...offers: string[]): Promise<readonly string[] | undefined> => {
      const fields = offers.map((offer) => `Sec-WebSocket-Protocol: ${offer}`);
      return (await answer(t, upgradeRequest("/", fields), options)).headers.get("sec-websocket-protocol");
    };
    assert.deepEqual(await chosen("chat.1, chat.2"), ["chat.2"]);
    assert.deepEqual(await chosen("other", "chat.1"), ["chat.1"]);
    assert.equal(await chosen("other"), undefined);
    assert.equal(await chosen("CHAT.1"), undefined);
    assert.equal(await chosen(), undefined);
  });

  must("6455 §4.2.2 item 5.6", "only extensions that were offered are answered", async (t) => {
    const compress = { channel: { compress: true } };
    const extensions = async (...fields: string[]): Promise<readonly string[] | undefined> =>
      (await answer(t, upgradeRequest("/", fields), compress)).headers.get("sec-websocket-extensions");
    assert.equal(await extensions(), undefined);
    assert.equal(await extensions("Sec-WebSocket-Extensions: x-other, bbf-usp-protocol"), undefined);
    const [answered] = (await extensions("Sec-WebSocket-Extensions: x-other, permessage-deflate"))!;
    assert.match(answered!, /^permessage-deflate(;|$)/);
  });

  must("6455 §4.1 item 10", "subprotocols are unique tokens, not empty", async (t) => {
    await refused(t, [
      upgradeRequest("/", ["Sec-WebSocket-Protocol: a, a"]),
      upgradeRequest("/", ["Sec-WebSocket-Protocol: a b"]),
      upgradeRequest("/", ["Sec-WebSocket-Protocol: ,"]),
    ]);
  });

  must("6455 §4.2.2 item 4, §10.2", "a page of another origin gets 403, before anything is upgraded", async (t) => {
    assert.equal((await answer(t, upgradeRequest("/", ["Origin: http://evil.example"]))).status, 403);
    assert.equal((await answer(t, upgradeRequest("/", ["Origin: http://x"]))).status, 101);
  });

  may("6455 §4.2.2 item 2", "the application refuses with a status of its own (401, 404), or redirects", async (t) => {
    for (const status of [302, 401, 404, 503]) {
      const site = await serving(t, () => ({ status, headers: { Location: "/elsewhere" } }));
      const client = await site.connect();
      client.write(upgradeRequest());
      assert.equal((await client.response()).status, status);
      await client.ended();
    }
  });

  must("6455 §4.2.2", "field names are compared without their case, in any order", async (t) => {
    const fields = [...HANDSHAKE].reverse().map((field) => field.replace(/^[^:]+/, (name) => name.toUpperCase()));
    assert.equal((await answer(t, ["GET / HTTP/1.1", ...fields, "", ""].join("\r\n"))).status, 101);
  });

  may("6455 §4.2.1", "the request has other fields, which are left alone", async (t) => {
    const fields = ["Cookie: a=b", "User-Agent: x", "Sec-WebSocket-Foo: bar", "DNT: 1"];
    assert.equal((await answer(t, upgradeRequest("/", fields))).status, 101);
  });

  must("6455 §4.2.2", "frames behind the handshake, in its segment too, are the first that are read", async (t) => {
    const site = await echo(t);
    const client = await WsClient.open(t, site.target, { first: Buffer.concat([textFrame("1"), textFrame("2")]) });
    assert.deepEqual([await client.message(), await client.message()], ["1", "2"]);
  });

  must("6455 §4.2.2 item 5", "the handshake may come in any pieces", async (t) => {
    const client = await (await echo(t)).connect();
    for (const char of handshake({})) {
      client.write(char);
      await new Promise(setImmediate);
    }
    assert.equal((await client.head()).status, 101);
  });

  if (noCertificate === false) {
    should("6455 §4.2.2 item 1", "wss: the same over TLS", async (t) => {
      const site = await serving(t, (r) => withChannel(r, (c) => c.onMessage((m) => void c.send(m))), {
        tls: certificate(),
      });
      await isAlive(await WsClient.open(t, site.target));
    });
  }
});
