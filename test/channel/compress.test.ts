// The option `compress` from one end to the other: our server, and `ws`, fetch and bare sockets as its clients.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, it } from "node:test";
import { constants, createGunzip, deflateRawSync, gunzipSync } from "node:zlib";
import WebSocket from "ws";
import {
  type Channel,
  type ChannelOptions,
  type ChannelRequest,
  type CloseStatus,
  createChannelStore,
  event,
  json,
  type ServeOptions,
  type Server,
  serve,
  withChannel,
} from "../../src/index.ts";
import { seeded } from "../support/random.ts";

const { randomBytes, randomInt } = seeded(7692);

let server: Server | undefined;
const clients: WebSocket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await server?.stop({ graceMs: 100 });
  server = undefined;
});

/** A server whose every request becomes a channel. */
async function start(
  setup: (channel: Channel, request: ChannelRequest) => unknown,
  compress: ChannelOptions["compress"],
  options: ServeOptions = {},
): Promise<Server> {
  const handler = (request: ChannelRequest): Channel =>
    withChannel(request, (channel) => setup(channel, request), { compress });
  server = await serve(handler, { port: 0, host: "127.0.0.1", ...options });
  return server;
}

const echo = (channel: Channel): void => void channel.onMessage((message) => channel.send(message));

async function open({ port }: Server, options: WebSocket.ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, options);
  clients.push(client);
  await once(client, "open");
  return client;
}

/** The response of one HTTP client, not decoded. */
async function raw({ port }: Server, headers: Record<string, string> = {}, method = "GET"): Promise<IncomingMessage> {
  const request = httpRequest({ port, host: "127.0.0.1", headers, method });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return response;
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** The head of the answer to a WebSocket handshake with these offers. */
async function handshake({ port }: Server, extensions: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extensions}\r\n`,
  );
  let text = "";
  for await (const part of socket) {
    text += String(part);
    if (text.includes("\r\n\r\n")) break;
  }
  socket.destroy();
  return text;
}

describe("compress: the handshake", () => {
  const OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

  it("RFC 7692 §5.1: answers an offer", async () => {
    const head = await handshake(await start(echo, true), OFFER);
    assert.match(
      head,
      /\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/,
    );
  });

  it("answers as the options say", async () => {
    const head = await handshake(await start(echo, { contextTakeover: true, windowBits: 11 }), OFFER);
    assert.match(
      head,
      /\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=11; client_max_window_bits=11\r\n/,
    );
  });

  it("takes the offers of several lines, in order", async () => {
    const head = await handshake(
      await start(echo, { contextTakeover: true, windowBits: 15 }),
      "Sec-WebSocket-Extensions: x-first, permessage-deflate; nonsense\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
    );
    assert.match(head, /\r\nSec-WebSocket-Extensions: permessage-deflate\r\n/);
  });

  for (const [what, offer, compress] of [
    ["without an offer", "", true],
    ["for an offer that cannot be accepted", "Sec-WebSocket-Extensions: permessage-deflate; nonsense\r\n", true],
    ["where it is off", OFFER, false],
    ["by default", OFFER, undefined],
  ] as const) {
    it(`agrees on nothing ${what}`, async () => {
      const head = await handshake(await start(echo, compress), offer);
      assert.match(head, /^HTTP\/1\.1 101 /);
      assert.doesNotMatch(head, /Extensions/);
    });
  }

  for (const compress of [true, undefined]) {
    it(`RFC 6455 §9.1: refuses a malformed field with 400, compress ${compress}`, async () => {
      const head = await handshake(await start(echo, compress), "Sec-WebSocket-Extensions: permessage-deflate; =\r\n");
      assert.match(head, /^HTTP\/1\.1 400 /);
    });
  }

  it("an option that makes no sense is the handler's error", async () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): unknown => errors.push((error as { code: string }).code);
    const head = await handshake(await start(echo, { level: 10 }, { onError }), OFFER);
    assert.match(head, /^HTTP\/1\.1 500 /);
    assert.deepEqual(errors, ["BAD_OPTION"]);
  });
});

/** Some text, some bytes; some that compress, some that do not; some empty. */
function randomMessage(): string | Buffer {
  const words = ["alpha", "beta", "gamma", "delta", "Größe", "漢字", "😀"];
  const length = randomInt(10) === 0 ? randomInt(20_000) : randomInt(300);
  if (randomInt(4) === 0) return randomBytes(length);
  let text = "";
  while (text.length < length) text += `${words[randomInt(words.length)]} `;
  return randomInt(3) === 0 ? Buffer.from(text) : text;
}

/** Sends them, in fragments now and then, and compares what comes back. */
async function exchangeMessages(client: WebSocket, count: number, extensions = "permessage-deflate"): Promise<void> {
  assert.equal(client.extensions, extensions);
  const expected: (string | Buffer)[] = [];
  const done = new Promise<void>((resolve, reject) => {
    client.on("close", (code) => reject(new Error(`closed with ${code}`)));
    client.on("message", (data: Buffer, isBinary) => {
      const sent = expected.shift()!;
      if (isBinary !== (typeof sent !== "string")) reject(new Error("another kind of message"));
      if (!data.equals(Buffer.from(sent as string))) reject(new Error("another message"));
      if (--count === 0) resolve();
    });
  });
  for (let i = count; i > 0; i--) {
    const message = randomMessage();
    expected.push(message);
    const binary = typeof message !== "string";
    const bytes = Buffer.from(message as string);
    if (randomInt(5) === 0) {
      const at = randomInt(bytes.length + 1);
      client.send(bytes.subarray(0, at), { binary, fin: false });
      client.send(bytes.subarray(at), { binary, fin: true });
    } else client.send(bytes, { binary });
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await done;
}

describe("compress: messages with ws", () => {
  it("two thousand messages go there and back without context takeover", async () => {
    const client = await open(await start(echo, { thresholdBytes: 0 }), { perMessageDeflate: { threshold: 0 } });
    await exchangeMessages(client, 2000);
  });

  it("two thousand messages go there and back with context takeover both ways", async () => {
    const compress = { contextTakeover: true, windowBits: 15 };
    const client = await open(await start(echo, compress), { perMessageDeflate: { threshold: 0 } });
    await exchangeMessages(client, 2000);
  });

  for (let windowBits = 8; windowBits <= 15; windowBits++) {
    it(`context is taken over with ${windowBits} bits, which the server asks for`, async () => {
      const compress = { contextTakeover: true, windowBits, level: 6 };
      const client = await open(await start(echo, compress), { perMessageDeflate: { threshold: 0 } });
      await exchangeMessages(client, 300);
    });
  }

  for (let bits = 8; bits <= 15; bits++) {
    it(`context is taken over with ${bits} bits, which the client asks for`, async () => {
      const perMessageDeflate = { threshold: 0, serverMaxWindowBits: bits, clientMaxWindowBits: bits };
      const compress = { contextTakeover: true, windowBits: 15, level: 9 };
      const client = await open(await start(echo, compress), { perMessageDeflate });
      await exchangeMessages(client, 300);
    });
  }

  for (const side of ["serverNoContextTakeover", "clientNoContextTakeover"]) {
    it(`context is taken over by one side only: ${side}`, async () => {
      const perMessageDeflate = { threshold: 0, [side]: true };
      const client = await open(await start(echo, { contextTakeover: true }), { perMessageDeflate });
      await exchangeMessages(client, 300);
    });
  }

  it("a client without compression gets plain messages", async () => {
    const client = await open(await start(echo, { thresholdBytes: 0 }), { perMessageDeflate: false });
    await exchangeMessages(client, 200, "");
  });

  it("large messages arrive whole", async () => {
    const client = await open(await start(echo, true, { maxMessageBytes: 1 << 23 }), { perMessageDeflate: true });
    for (const message of [Buffer.alloc(5_000_000, "abcdefg"), randomBytes(3_000_000)]) {
      client.send(message);
      const [back] = (await once(client, "message")) as [Buffer];
      assert.ok(back.equals(message));
    }
  });

  it("streams are sent as they come, not compressed", async () => {
    const parts = ["a".repeat(2000), "b".repeat(2000)];
    await start((channel) => channel.send(parts.values()), true);
    const client = new WebSocket(`ws://127.0.0.1:${server!.port}/`);
    clients.push(client);
    const [message] = (await once(client, "message")) as [Buffer];
    assert.equal(message.toString(), parts.join(""));
  });

  it("each member of a group gets a published message in the form that it agreed on", async () => {
    const store = createChannelStore();
    const options: WebSocket.ClientOptions[] = [{ perMessageDeflate: true }, { perMessageDeflate: false }];
    await start((channel) => store.addToGroup("g", channel), true);
    const members = await Promise.all([...options, ...options].map((option) => open(server!, option)));
    const text = "news ".repeat(1000);
    const all = Promise.all(members.map((member) => once(member, "message")));
    assert.equal(store.broadcast("g", text), 4);
    for (const [message] of await all) assert.equal(String(message), text);
  });
});

describe("compress: what attackers send", () => {
  /** How a channel ended after one compressed frame. */
  async function endAfter(payload: Uint8Array, options: ServeOptions = {}): Promise<CloseStatus> {
    const closed = new Promise<CloseStatus>((resolve) => {
      void start((channel) => channel.onClose(resolve), true, options).then(async (running) => {
        const client = await open(running, { perMessageDeflate: true });
        client.on("error", () => {});
        // Around the compression of `ws`: the payload is what it is.
        const sender = (client as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
        const head = Buffer.alloc(14);
        head[0] = 0xc2;
        head[1] = 0xff;
        head.writeBigUInt64BE(BigInt(payload.length), 2);
        const short = Buffer.of(0xc2, 0x80 | payload.length, 0, 0, 0, 0);
        const middle = Buffer.of(0xc2, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0);
        const isShort = payload.length < 126;
        sender.write(Buffer.concat([isShort ? short : payload.length < 65_536 ? middle : head, payload]));
      });
    });
    return await closed;
  }

  it("a bomb closes with 1009", async () => {
    const bomb = deflateRawSync(Buffer.alloc(1 << 26), { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
    const { code, by } = await endAfter(bomb.subarray(0, -4), { maxMessageBytes: 1 << 20 });
    assert.deepEqual([code, by], [1009, "server"]);
  });

  it("a message that cannot be inflated closes with 1007", async () => {
    const { code, by, name } = await endAfter(Buffer.from("not deflate"));
    assert.deepEqual([code, by, name], [1007, "server", "invalid-payload"]);
  });
});

describe("compress: responses", () => {
  const LONG = { list: Array(200).fill("an entry") };

  it("an answer that is whole is compressed", async () => {
    await start((channel) => channel.send(json(LONG)), true);
    const response = await raw(server!, { "Accept-Encoding": "gzip" });
    const body = await bytesOf(response);
    assert.equal(response.headers["content-encoding"], "gzip");
    assert.equal(response.headers["vary"], "Accept-Encoding");
    assert.equal(response.headers["content-length"], String(body.length));
    assert.equal(response.headers["content-type"], "application/json; charset=utf-8");
    assert.deepEqual(JSON.parse(gunzipSync(body).toString()), LONG);
    // And as a browser would read it.
    assert.deepEqual(await (await fetch(server!.url.replace("localhost", "127.0.0.1"))).json(), LONG);
  });

  it("is plain for a client that does not ask, and where the option is not set", async () => {
    await start((channel) => channel.send(json(LONG)), true);
    const plain = await raw(server!);
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.headers["vary"], "Accept-Encoding");
    assert.deepEqual(JSON.parse(String(await bytesOf(plain))), LONG);
    await server!.stop();
    await start((channel) => channel.send(json(LONG)), undefined);
    const off = await raw(server!, { "Accept-Encoding": "gzip" });
    assert.equal(off.headers["content-encoding"], undefined);
    assert.equal(off.headers["vary"], undefined);
    await bytesOf(off);
  });

  it("HEAD has the fields and no body, and the connection is used again", async () => {
    await start((channel) => channel.send(json(LONG)), true);
    for (let i = 0; i < 2; i++) {
      const response = await raw(server!, { "Accept-Encoding": "gzip" }, "HEAD");
      assert.equal(response.headers["content-encoding"], "gzip");
      assert.equal((await bytesOf(response)).length, 0);
    }
  });

  it("a stream's declared length is dropped", async () => {
    const parts = ["a".repeat(1000), "b".repeat(1000)];
    const body = { headers: { "Content-Length": "2000" }, body: parts.values() };
    await start((channel) => channel.send(body, true), true);
    const response = await raw(server!, { "Accept-Encoding": "gzip" });
    assert.equal(response.headers["content-length"], undefined);
    assert.equal(response.headers["transfer-encoding"], "chunked");
    assert.equal(gunzipSync(await bytesOf(response)).toString(), parts.join(""));
  });

  for (const contextTakeover of [true, false]) {
    it(`each part of a stream arrives before the next is sent, contextTakeover ${contextTakeover}`, async () => {
      const got: Channel[] = [];
      await start((channel) => got.push(channel), { contextTakeover });
      const request = get({ port: server!.port, host: "127.0.0.1", headers: { "Accept-Encoding": "gzip" } });
      while (got.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      const channel = got[0]!;
      channel.send("one", false);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const gunzip = response.pipe(createGunzip());
      assert.equal(String((await once(gunzip, "data"))[0]), "one");
      for (const part of ["two", "three ".repeat(1000), "four"]) {
        channel.send(part, false);
        let text = "";
        while (text.length < part.length) text += String((await once(gunzip, "data"))[0]);
        assert.equal(text, part);
      }
      channel.close();
      await once(gunzip, "end");
    });
  }

  it("a buffer that is sent, changed and sent again in one turn arrives with both contents", async () => {
    const [one, two] = ["one ", "two "].map((text) => text.repeat(1000)) as [string, string];
    await start(
      (channel) => {
        const buffer = Buffer.from(one);
        channel.send(buffer, false);
        buffer.write(two);
        channel.send(buffer, false);
        channel.close();
      },
      { contextTakeover: false },
    );
    const response = await fetch(`http://127.0.0.1:${server!.port}/`);
    assert.equal(response.headers.get("content-encoding"), "gzip");
    assert.equal(await response.text(), one + two);
  });

  it("each event of an event stream arrives with fetch before the next is sent", async () => {
    const got: Channel[] = [];
    await start((channel) => {
      got.push(channel);
      channel.send(event({ id: "0", data: "begin" }));
    }, true);
    const response = await fetch(`http://127.0.0.1:${server!.port}/`, { headers: { Accept: "text/event-stream" } });
    assert.equal(response.headers.get("content-encoding"), "gzip");
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader.read()).value!, /data: ?begin\n\n$/);
    for (let i = 1; i < 20; i++) {
      got[0]!.send(event({ id: String(i), data: `event ${i}` }));
      assert.match((await reader.read()).value!, new RegExp(`data: ?event ${i}\n\n$`));
    }
    got[0]!.close();
    assert.equal((await reader.read()).done, true);
  });

  it("a stream that fails leaves no whole gzip file", async () => {
    await start(
      (channel) =>
        channel.send(
          (function* () {
            yield "a".repeat(100);
            throw new Error("no more");
          })(),
          true,
        ),
      true,
      { onError: () => {} },
    );
    const response = await raw(server!, { "Accept-Encoding": "gzip" });
    await assert.rejects(bytesOf(response), { code: "ECONNRESET" });
  });
});
