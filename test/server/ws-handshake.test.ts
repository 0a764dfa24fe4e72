// The opening handshake over sockets: RFC 6455 §4.2, http-kit's handshake tests, and bytes in the same segment.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, type ChannelOptions, type Handler, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, settled, until } from "../support/wait.ts";
import { HANDSHAKE, textFrame, upgradeRequest, WsClient } from "../support/ws-client.ts";

/** The handshake with some lines changed: `from` to `to`, or dropped. */
function changed(line: string, change: Record<string, string>): string {
  const fields = HANDSHAKE.flatMap((field) => {
    const name = field.slice(0, field.indexOf(":"));
    if (!(name in change)) return [field];
    return change[name] === "" ? [] : [`${name}: ${change[name]}`];
  });
  return [line, ...fields, "", ""].join("\r\n");
}

const GET = "GET / HTTP/1.1";

const echo: Handler = (r) => withChannel(r, (channel) => channel.onMessage((message) => channel.send(message)));

describe("a handshake is accepted", () => {
  for (const [what, bytes] of [
    ["as browsers send it", changed(GET, {})],
    ["whatever the case of its tokens", changed(GET, { Upgrade: "WebSocket", Connection: "UPGRADE" })],
    ["with lists of tokens", changed(GET, { Upgrade: "foo, websocket", Connection: "keep-alive, Upgrade" })],
    ["with another key", changed(GET, { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==" })],
    ["with extensions that we do not have", upgradeRequest("/", ["Sec-WebSocket-Extensions: permessage-foo; bar=1"])],
  ] as const) {
    it(what, async (t) => {
      const site = await serving(t, echo);
      const client = await site.connect();
      client.write(bytes);
      const { status, headers } = await client.head();
      assert.equal(status, 101);
      assert.deepEqual(headers.get("upgrade"), ["websocket"]);
      assert.match(headers.get("connection")![0]!, /^upgrade$/i);
      assert.equal(headers.has("sec-websocket-extensions"), false);
      assert.equal(headers.has("sec-websocket-protocol"), false);
    });
  }

  it("the 101 has the accept value of RFC 6455 §1.3, and messages follow", async (t) => {
    const site = await serving(t, echo);
    const client = await WsClient.open(t, site.target);
    assert.deepEqual(client.head.headers.get("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    client.send("hello");
    assert.equal(await client.message(), "hello");
  });

  for (const [what, options, offered, chosen] of [
    ["the server's first choice of those offered", { protocols: ["b", "a"] }, ["Sec-WebSocket-Protocol: a, b"], ["b"]],
    [
      "one of several field lines",
      { protocols: ["c"] },
      ["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: c"],
      ["c"],
    ],
    ["none where none fits", { protocols: ["c"] }, ["Sec-WebSocket-Protocol: a, b"], undefined],
    ["none where none is offered", { protocols: ["c"] }, [], undefined],
    ["none where the server has none", {}, ["Sec-WebSocket-Protocol: a"], undefined],
    [
      "what a function chooses",
      { protocols: (all: readonly string[]) => all.at(-1) },
      ["Sec-WebSocket-Protocol: a, b"],
      ["b"],
    ],
  ] as const) {
    it(`the 101 has the sub-protocol: ${what} (http-kit #64)`, async (t) => {
      const site = await serving(t, (r) => withChannel(r, () => {}, options as ChannelOptions));
      const client = await WsClient.open(t, site.target, { fields: offered });
      assert.deepEqual(client.head.headers.get("sec-websocket-protocol"), chosen);
    });
  }

  it("the 101 has headers of the application", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { headers: { "Set-Cookie": ["a=1", "b=2"] } }));
    const client = await WsClient.open(t, site.target);
    assert.deepEqual(client.head.headers.get("set-cookie"), ["a=1", "b=2"]);
  });

  it("frames in the segment of the handshake are the first messages", async (t) => {
    const site = await serving(t, echo);
    const client = await WsClient.open(t, site.target, { first: Buffer.concat([textFrame("one"), textFrame("two")]) });
    assert.deepEqual([await client.message(), await client.message()], ["one", "two"]);
  });

  it("half a frame in the segment of the handshake waits for its rest", async (t) => {
    const site = await serving(t, echo);
    const whole = textFrame("in two halves");
    const client = await WsClient.open(t, site.target, { first: whole.subarray(0, 7) });
    client.raw.write(whole.subarray(7));
    assert.equal(await client.message(), "in two halves");
  });

  it("later, by an async handler that authenticates first (http-kit #285)", async (t) => {
    const gate = deferred();
    const site = await serving(t, async (r) => {
      await gate.promise;
      return echo(r);
    });
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(upgradeRequest()), textFrame("early")]));
    await settled(() => client.peek().length);
    assert.equal(client.peek().length, 0);
    gate.resolve();
    assert.equal((await client.head()).status, 101);
    assert.equal((await client.take(7)).toString("latin1"), "\x81\x05early");
  });

  it("a handshake after pipelined requests is accepted after their answers", async (t) => {
    const site = await serving(t, (r) => (r.isWebSocket ? echo(r) : r.path));
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(request("GET /a") + upgradeRequest()), textFrame("hello")]));
    assert.equal((await client.response()).text, "/a");
    assert.equal((await client.head()).status, 101);
    assert.equal((await client.take(7)).toString("latin1"), "\x81\x05hello");
  });
});

describe("a handshake is refused", () => {
  const BAD: readonly (readonly [what: string, bytes: string, status?: number])[] = [
    ["POST", changed("POST / HTTP/1.1", {})],
    ["HTTP/1.0", changed("GET / HTTP/1.0", {})],
    ["no Connection", changed(GET, { Connection: "" })],
    ["another Connection", changed(GET, { Connection: "keep-alive" })],
    ["Connection with a token that only contains upgrade", changed(GET, { Connection: "notupgrade" })],
    ["no version", changed(GET, { "Sec-WebSocket-Version": "" })],
    ["version 12", changed(GET, { "Sec-WebSocket-Version": "12" }), 426],
    ["version 013", changed(GET, { "Sec-WebSocket-Version": "013" }), 426],
    ["no key", changed(GET, { "Sec-WebSocket-Key": "" })],
    ["a key that is not base64", changed(GET, { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ" })],
    ["a key with characters that base64 has not", changed(GET, { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!==" })],
    ["a key that is not canonical", changed(GET, { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZR==" })],
    ["a key of 15 bytes", changed(GET, { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j" })],
    ["two keys", upgradeRequest("/", ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])],
  ];

  for (const [what, bytes, status = 400] of BAD) {
    it(`the answer to ${what} is ${status}, and no callback of the application runs`, async (t) => {
      const log: string[] = [];
      const channels: Channel[] = [];
      const site = await serving(t, (r) => {
        const channel = withChannel(r, (c) => {
          log.push("setup");
          c.onClose(() => log.push("close"));
        });
        channels.push(channel);
        return channel;
      });
      const client = await site.connect();
      client.write(bytes);
      const response = await client.response();
      assert.equal(response.status, status);
      assert.match(response.headers.get("connection")![0]!, /close/);
      // RFC 6455 §4.4: the client learns which version would do.
      if (status === 426) assert.deepEqual(response.headers.get("sec-websocket-version"), ["13"]);
      await client.ended();
      assert.deepEqual(log, []);
      assert.deepEqual([channels[0]!.isOpen, channels[0]!.send("x")], [false, false]);
    });
  }

  it("without Upgrade a refused handshake is an HTTP channel", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send(channel.transport)));
    const client = await site.connect();
    client.write(changed(GET, { Upgrade: "" }));
    assert.equal((await client.response()).text, "stream");
  });

  it("the application refuses with its own response; later requests are not run", async (t) => {
    const paths: string[] = [];
    const site = await serving(t, (r) => {
      paths.push(r.path);
      return { status: 403, body: "not you" };
    });
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(upgradeRequest("/ws")), textFrame("hello"), textFrame("again")]));
    const response = await client.response();
    assert.deepEqual([response.status, response.text], [403, "not you"]);
    assert.deepEqual(response.headers.get("connection"), ["close"]);
    await client.ended();
    assert.deepEqual(paths, ["/ws"]);
  });

  it("a refusal is complete even if a body of 2 MB and a second request follow (http-kit: drainsRejectedWebSocketUpgrade)", async (t) => {
    const paths: string[] = [];
    const site = await serving(t, (r) => {
      paths.push(r.path);
      return r.path === "/channel" ? withChannel(r, () => {}) : { status: 403, body: "not you" };
    });
    for (const [path, status] of [
      ["/plain", 403],
      ["/channel", 400],
    ] as const) {
      const client = await site.connect();
      client.write(changed(`POST ${path} HTTP/1.1`, { Host: "x\r\nContent-Length: 2000000" }));
      client.write("b".repeat(2_000_000)).write(request("GET /second"));
      assert.equal((await client.response("POST")).status, status);
      await client.ended();
    }
    assert.deepEqual(paths, ["/plain", "/channel"]);
  });

  it("a handler that throws before gets 500", async (t) => {
    const site = await serving(t, () => {
      throw new Error("boom");
    });
    const client = await site.connect();
    client.write(upgradeRequest());
    assert.equal((await client.response()).status, 500);
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
  });

  it("an invalid header in the options gets 500 and is reported", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { headers: { "X-A": "a\r\nb" } }));
    const client = await site.connect();
    client.write(upgradeRequest());
    assert.equal((await client.response()).status, 500);
    assert.equal(site.takeReports()[0]?.source, "handler");
  });
});

describe("a WebSocket's connection", () => {
  it("ends when its client leaves, also in the middle of a frame", async (t) => {
    const names: string[] = [];
    const site = await serving(t, (r) => withChannel(r, (c) => c.onClose(({ name }) => names.push(name))));
    const client = await WsClient.open(t, site.target);
    client.raw.write(textFrame("never whole").subarray(0, 5));
    client.raw.end();
    await client.ended();
    await until(() => names.length > 0, "it is noticed");
    assert.deepEqual(names, ["abnormal"]);
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });
});
