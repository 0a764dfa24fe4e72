// Requests that come to one process and concern a session of another. The answer must be the one that the owner would have given.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { memorySessions } from "../../../src/backplane/memory-sessions.ts";
import { type Channel, type ChannelRequest, openSession, type ServeOptions } from "../../../src/index.ts";
import type { EngineServer } from "../../../src/server/engine-server.ts";
import type { OpenConnection } from "../../../src/server/exchange-source.ts";
import { Http2Client } from "../../support/http2-client.ts";
import { RawClient } from "../../support/raw-client.ts";
import { certificate, noCertificate, type Site, serving } from "../../support/serving.ts";
import {
  ack,
  ask,
  back,
  decodeEvents,
  type Endpoint,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../../support/session-client.ts";
import { until } from "../../support/wait.ts";
import { WsClient } from "../../support/ws-client.ts";

interface Process {
  readonly site: Site;
  readonly endpoint: Endpoint;
}

interface Service {
  readonly owner: Process;
  readonly other: Process;
  /** Requests as the handlers saw them. */
  readonly requests: ChannelRequest[];
  readonly channels: Channel[];
  /** Messages that arrived. */
  readonly messages: (string | Uint8Array)[];
  readonly closes: number[];
}

/** Two processes with one session store. `other` is asked for sessions of `owner`. */
async function service(t: TestContext, options: ServeOptions = {}, ofOther: ServeOptions = {}): Promise<Service> {
  const store = memorySessions();
  const requests: ChannelRequest[] = [];
  const channels: Channel[] = [];
  const messages: (string | Uint8Array)[] = [];
  const closes: number[] = [];
  const handler = (request: ChannelRequest): Channel => {
    requests.push(request);
    return openSession(
      request,
      {
        open: (channel) => void channels.push(channel),
        message(message) {
          messages.push(message);
          return message === "wait" ? new Promise(() => {}) : undefined;
        },
        close: ({ code }) => void closes.push(code),
      },
      { compress: true },
    );
  };
  const start = async (own: ServeOptions): Promise<Process> => {
    const site = await serving(t, handler, { sessions: store.share(), ...options, ...own });
    return { site, endpoint: { ...site.target, pathname: "/s" } };
  };
  const [owner, other] = [await start({}), await start(ofOther)];
  return { owner, other, requests, channels, messages, closes };
}

function relayedConnections({ site }: Process): readonly OpenConnection[] {
  return (site.server as EngineServer).exchanges.service!.snapshot();
}

/** Every request has had its answer, and no connection is left. */
async function assertNothingLeft({ owner, other }: Service): Promise<void> {
  for (const { site } of [owner, other]) {
    await until(() => site.server.stats().connections === 0, "all connections are gone");
    const before = performance.now();
    await site.server.stop({ graceMs: 20_000 });
    // A request that was never counted as ended would keep the stop until its limit.
    assert.ok(performance.now() - before < 15_000, "the stop did not wait in vain");
  }
}

describe("a session that is asked for at another process", () => {
  it("continues on a poll", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    all.channels[0]!.send("hello");
    const { records } = await poll(t, all.other.endpoint, back(open, 0));
    assert.deepEqual(records, [{ ...open, resumed: true }, text("hello")]);
    assert.equal(all.channels.length, 1);
    await assertNothingLeft(all);
  });

  it("continues on an event stream", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const stream = await StreamClient.open(t, all.other.endpoint, back(open, 0));
    assert.equal((await stream.opened()).resumed, true);
    for (const message of ["one", "two"]) {
      all.channels[0]!.send(message);
      assert.deepEqual(await stream.record(), text(message));
    }
    stream.drop();
    all.channels[0]!.terminate();
    await assertNothingLeft(all);
  });

  it("continues on a WebSocket, both ways, with compression", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const { ws } = await SocketClient.open(t, all.other.endpoint, back(open, 0));
    ws.raw.destroy();
    const compressed = await WsClient.open(t, all.other.endpoint, {
      path: `/s?session=${open.session}&after=0`,
      fields: ["Sec-WebSocket-Protocol: unichannel.v1", "Sec-WebSocket-Extensions: permessage-deflate"],
    });
    assert.match(String(compressed.head.headers.get("sec-websocket-extensions")), /^permessage-deflate/);
    compressed.raw.destroy();
    const socket = await SocketClient.open(t, all.other.endpoint, back(open, 0));
    assert.equal((await socket.opened()).resumed, true);
    socket.send(text("from the client"), { type: "message", data: Uint8Array.of(1, 2, 3) });
    await until(() => all.messages.length === 2, "both messages");
    assert.deepEqual(all.messages, ["from the client", Buffer.from([1, 2, 3])]);
    all.channels[0]!.send("from the server");
    const next = async (): Promise<unknown> => {
      for (;;) {
        const record = await socket.record();
        if (record.type === "message") return record.data;
      }
    };
    assert.equal(await next(), "from the server");
    socket.drop();
    all.channels[0]!.terminate();
    await assertNothingLeft(all);
  });

  it("takes its POSTs", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const { status, records } = await post(t, all.other.endpoint, open.session, 1, text("a"), text("b"));
    assert.deepEqual([status, records], [200, [ack(2)]]);
    assert.deepEqual(all.messages, ["a", "b"]);
    await assertNothingLeft(all);
  });

  it("is the session of the client's own address", async (t) => {
    const all = await service(t, { trustedProxies: ["127.0.0.1"] });
    const open = opened(await poll(t, all.owner.endpoint));
    const fields = ["X-Forwarded-For: 203.0.113.7"];
    await ask(t, all.other.endpoint, { query: { mode: "poll", park: 0, ...back(open, 0) }, fields });
    assert.equal(all.requests.at(-1)!.remoteAddress, "203.0.113.7");
    await ask(t, all.other.endpoint, { query: { mode: "poll", park: 0, ...back(open, 0) } });
    assert.equal(all.requests.at(-1)!.remoteAddress, "127.0.0.1");
    await assertNothingLeft(all);
  });

  it("has the client's scheme, which may not be that of the owner", { skip: noCertificate }, async (t) => {
    const all = await service(t, {}, { tls: certificate() });
    const open = opened(await poll(t, all.owner.endpoint));
    assert.equal(opened(await poll(t, all.other.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
    assert.match(all.requests.at(-1)!.toRequest().url, /^https:/);
    const socket = await SocketClient.open(t, all.other.endpoint, back(open, 0));
    assert.equal((await socket.opened()).resumed, true);
    socket.drop();
    await assertNothingLeft(all);
  });

  it("continues over HTTP/2: polls, POSTs, event streams and WebSockets", { skip: noCertificate }, async (t) => {
    const all = await service(t, {}, { tls: certificate(), http2: true });
    const open = opened(await poll(t, all.owner.endpoint));
    const client = await Http2Client.connect(t, all.other.site.target);
    const path = `/s?session=${open.session}`;
    const polled = await client.request({ ":path": `${path}&after=0&mode=poll&park=0` });
    assert.deepEqual(decodeEvents(Buffer.from(polled.text)), [{ ...open, resumed: true }]);
    const posted = await client.request({ ":path": `${path}&from=1`, ":method": "POST" }, "data: one\n\n");
    assert.equal(posted.status, 200, posted.text);
    assert.deepEqual(all.messages, ["one"]);
    const stream = client.open({ ":path": `${path}&after=0`, accept: "text/event-stream" });
    assert.equal((await stream.head()).status, 200);
    all.channels[0]!.send("over HTTP/2");
    let seen = "";
    while (!seen.includes("over HTTP/2")) seen += String(await stream.chunk());
    const ws = await client.webSocket({ ":path": `${path}&after=1`, "sec-websocket-protocol": "unichannel.v1" });
    assert.match(String(await ws.message()), /"resumed":true/);
    ws.send("mtwo");
    await until(() => all.messages.includes("two"), "a message over the WebSocket");
    client.session.destroy();
    all.channels[0]!.terminate();
    await assertNothingLeft(all);
  });

  it("drops a poll whose client has ended its side, as the owner does", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    for (const { endpoint } of [all.owner, all.other]) {
      const client = await RawClient.connect(t, endpoint);
      client.write(`GET /s?mode=poll&session=${open.session}&after=0 HTTP/1.1\r\nHost: x\r\n\r\n`);
      await delay(100);
      client.end();
      await client.ended();
      assert.doesNotMatch(client.peek().toString(), /HTTP\/1.1 [2-5]/);
    }
    all.channels[0]!.send("kept");
    const { records } = await poll(t, all.other.endpoint, { ...back(open, 0), park: 0 });
    assert.deepEqual(records[1], text("kept"));
    await assertNothingLeft(all);
  });

  it("answers a client of HTTP/1.0", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const client = await RawClient.connect(t, all.other.endpoint);
    client.write(`GET /s?mode=poll&park=0&session=${open.session}&after=0 HTTP/1.0\r\nHost: x\r\n\r\n`);
    const { status, body } = await client.response();
    assert.deepEqual([status, decodeEvents(body)], [200, [{ ...open, resumed: true }]]);
    client.destroy();
    await assertNothingLeft(all);
  });

  it("leaves the client's connection open for further requests, also for pipelined ones", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const client = await RawClient.connect(t, all.other.endpoint);
    const target = `/s?mode=poll&park=0&session=${open.session}&after=0`;
    client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3));
    for (let n = 0; n < 3; n++) assert.equal((await client.response()).status, 200);
    client.write(`HEAD ${target} HTTP/1.1\r\nHost: x\r\n\r\nDELETE ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assert.equal((await client.response("HEAD")).status, 405);
    assert.equal((await client.response("DELETE")).status, 405);
    client.destroy();
    await assertNothingLeft(all);
  });

  it("takes a POST in chunks, one that waits for 100 (Continue), and one of a megabyte", async (t) => {
    const all = await service(t, { maxBodyBytes: 100_000 });
    const open = opened(await poll(t, all.owner.endpoint));
    const client = await RawClient.connect(t, all.other.endpoint);
    const head = (from: number): string => `POST /s?session=${open.session}&from=${from} HTTP/1.1\r\nHost: x\r\n`;
    client.write(`${head(1)}Transfer-Encoding: chunked\r\n\r\n7\r\ndata: a\r\n2\r\n\n\n\r\n0\r\n\r\n`);
    assert.equal((await client.response("POST")).status, 200);
    client.write(`${head(2)}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n`);
    assert.equal((await client.head()).status, 100);
    client.write("data: b\n\n");
    assert.equal((await client.response("POST")).status, 200);
    client.destroy();
    const big = "x".repeat(1_000_000);
    assert.equal((await post(t, all.other.endpoint, open.session, 3, text(big))).status, 200);
    assert.deepEqual(all.messages, ["a", "b", big]);
    await assertNothingLeft(all);
  });

  it("has the owner's refusal for a POST whose body is not read", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const client = await RawClient.connect(t, all.other.endpoint);
    client.write(`POST /s?session=${open.session}&from=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`);
    assert.equal((await client.response("POST")).status, 400);
    client.destroy();
    await assertNothingLeft(all);
  });

  it("notices that its client has left a poll, an event stream, a WebSocket, or a POST", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const isAlone = (): Promise<void> =>
      until(() => relayedConnections(all.owner).length === 0, "the owner has no relayed connection");
    const waiting = await RawClient.connect(t, all.other.endpoint);
    waiting.write(`GET /s?mode=poll&session=${open.session}&after=0 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => all.requests.length === 2, "the poll");
    waiting.reset();
    await isAlone();
    (await StreamClient.open(t, all.other.endpoint, back(open, 0))).drop();
    await isAlone();
    (await SocketClient.open(t, all.other.endpoint, back(open, 0))).drop();
    await isAlone();
    const posting = await RawClient.connect(t, all.other.endpoint);
    posting.write(`POST /s?session=${open.session}&from=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ndata`);
    await until(() => all.requests.length === 5, "the POST");
    posting.reset();
    await isAlone();
    await assertNothingLeft(all);
  });

  it("holds a bounded number of bytes for a client that does not read", async (t) => {
    const all = await service(t, { maxBufferedBytes: 100_000_000, maxTotalBufferedBytes: 200_000_000 });
    const open = opened(await poll(t, all.owner.endpoint));
    const stream = await StreamClient.open(t, all.other.endpoint, back(open, 0));
    await stream.opened();
    stream.raw.pause();
    const part = "x".repeat(1_000_000);
    for (let n = 0; n < 40; n++) all.channels[0]!.send(part);
    await delay(500);
    // The system's buffers on the way take some megabytes.
    const passedOn = all.other.site.server.stats().bytesSent;
    assert.ok(passedOn < 20_000_000, String(passedOn));
    stream.raw.resume();
    for (let n = 0; n < 40; n++) assert.deepEqual(await stream.record(), text(part));
    stream.drop();
    all.channels[0]!.terminate();
    await assertNothingLeft(all);
  });

  it("makes a client wait that sends more than the application takes", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const socket = await SocketClient.open(t, all.other.endpoint, back(open, 0));
    await socket.opened();
    socket.send(text("wait"));
    await socket.ws.raw.clog(() => socket.send(text("x".repeat(60_000))));
    assert.deepEqual(all.messages, ["wait"]);
  });

  it("is over for its client when the owner's connection is cut, without a word", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    const stream = await StreamClient.open(t, all.other.endpoint, back(open, 0));
    await stream.opened();
    void all.owner.site.server.stop({ graceMs: 0 });
    await assert.rejects(stream.record(), "the answer ended within its body");
  });

  it("is unknown at each process once it is over: a GET gets a new one, a POST 410", async (t) => {
    const all = await service(t);
    const open = opened(await poll(t, all.owner.endpoint));
    all.channels[0]!.terminate();
    assert.equal((await post(t, all.other.endpoint, open.session, 1, text("a"))).status, 410);
    const { resumed, session } = opened(await poll(t, all.other.endpoint, back(open, 0)));
    assert.equal(resumed, false);
    assert.notEqual(session, open.session);
    await assertNothingLeft(all);
  });
});

describe("the listener for other processes", () => {
  const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

  for (const [what, bytes] of [
    ["without a header", REQUEST],
    ["with a header of text", `PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n${REQUEST}`],
    ["with a header without a secret", `${SIGNATURE}\x21\x00\x00\x00${REQUEST}`],
    ["of a proxy that asks for itself", `${SIGNATURE}\x20\x00\x00\x00${REQUEST}`],
    ["with a wrong secret", `${SIGNATURE}\x21\x00\x00\x2e\xe0\x00\x2b${"s".repeat(43)}${REQUEST}`],
  ] as const) {
    it(`drops a connection ${what}, and answers nothing`, async (t) => {
      const store = memorySessions();
      let isAsked = false;
      let address = "";
      await serving(
        t,
        () => {
          isAsked = true;
          return "hello";
        },
        {
          sessions: Object.assign(store.share(), {
            announce: async (_process: string, own: string) => void (address = own),
          }),
          relay: { host: "127.0.0.1" },
        },
      );
      const client = await RawClient.connect(t, { port: Number(/\d+$/.exec(address)![0]) });
      client.write(bytes);
      await client.ended();
      assert.equal(client.peek().length, 0);
      assert.equal(isAsked, false);
    });
  }
});
