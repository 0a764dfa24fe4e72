// Clients of HTTP/2 that attack: each limit from both sides, with the end of the attacker and the answer to another client.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Handler, type ServeOptions, withChannel } from "../../src/index.ts";
import { Http2Client } from "../support/http2-client.ts";
import { block, FLAG, FRAME, FrameClient, frame, GET, headers, uint32 } from "../support/http2-frames.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate, type Site, serving } from "../support/serving.ts";
import { deferred, settled, until } from "../support/wait.ts";

const [REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM] = [7, 8, 11];
const MIB = 1024 * 1024;
const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION } = FRAME;
const POST = [":method", "POST", ":scheme", "https", ":authority", "localhost", ":path", "/"];

function start(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<Site> {
  return serving(t, handler, { tls: certificate(), http2: true, ...options });
}

/** Another client is served. */
async function serves(t: TestContext, site: Site): Promise<void> {
  const client = await Http2Client.connect(t, site.target);
  assert.equal((await client.request({ ":path": "/other" })).status, 200);
}

/** Client streams of one connection have the numbers 1, 3, 5, … */
const streams = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => 2 * (first + i) + 1);

/** A client that has acknowledged the server's settings: from then on they must be kept. */
async function acknowledged(t: TestContext, site: Site): Promise<FrameClient> {
  const client = await FrameClient.connect(t, site.target);
  await client.frame(({ type, flags }) => type === SETTINGS && (flags & FLAG.ACK) === 0, "the settings");
  client.write(frame(SETTINGS, FLAG.ACK, 0));
  await client.handled();
  return client;
}

describe("A client of HTTP/2 that opens and resets", { skip: noCertificate }, () => {
  it("may have 100 requests open, and the next one is refused unprocessed (maxConcurrentStreams)", async (t) => {
    let served = 0;
    const gate = deferred();
    const site = await start(t, async ({ path }) => {
      if (path === "/other") return "other";
      served += 1;
      await gate.promise;
      return "done";
    });
    const client = await FrameClient.connect(t, site.target);
    client.write(...streams(101).map((id) => headers(id)));
    assert.equal(await client.reset(201), REFUSED_STREAM);
    await client.handled();
    assert.equal(served, 100);
    gate.resolve();
    for (const id of streams(100)) assert.equal(await client.status(id), 200);
    client.write(headers(203));
    assert.equal(await client.status(203), 200);
  });

  it("has the number that `http2.maxConcurrentStreams` says", {
    skip: lacks("an HTTP/2 stream that is reset or refused alone"),
  }, async (t) => {
    const site = await start(t, () => new Promise<string>(() => {}), { http2: { maxConcurrentStreams: 3 } });
    const client = await Http2Client.connect(t, site.target);
    assert.equal(client.session.remoteSettings.maxConcurrentStreams, 3);
    const raw = await acknowledged(t, site);
    raw.write(...streams(4).map((id) => headers(id)));
    await raw.until(
      () => raw.isClosed || raw.frames.some(({ type, stream }) => type === RST_STREAM && stream === 7),
      "the refusal",
    );
    await until(() => site.server.stats().requests === 3, "three are served");
  });

  it("is refused new streams beyond maxSessionBytes of what node:http2 holds", {
    skip: lacks("a limit of the memory of an HTTP/2 session"),
  }, async (t) => {
    const gate = deferred();
    const site = await start(
      t,
      async ({ path }) => {
        if (path !== "/other") await gate.promise;
        return "done";
      },
      { http2: { maxSessionBytes: 1_000_000, maxConcurrentStreams: 10_000 } },
    );
    const client = await acknowledged(t, site);
    for (let i = 0; i < 400 && !client.isClosed && !client.frames.some(({ type }) => type === RST_STREAM); i++) {
      client.write(...streams(20, 20 * i).map((id) => headers(id)));
      await client.handled();
    }
    const refused = client.frames.find(({ type }) => type === RST_STREAM);
    assert.equal(refused?.payload.readUInt32BE(0), ENHANCE_YOUR_CALM);
    assert.ok((refused?.stream ?? 0) > 200, `stream ${refused?.stream}`);
    await serves(t, site);
    gate.resolve();
    assert.equal(await client.status(1), 200);
  });

  it("comes to no refusal by what its streams had not sent at their resets: it is told to open another connection", async (t) => {
    const site = await start(t, () => "x".repeat(200_000), {
      http2: { maxSessionBytes: 1_000_000, maxResetsPerSecond: 1000 },
    });
    let client = await Http2Client.connect(t, site.target);
    const first = client;
    for (let i = 0; i < 40; i++) {
      if (client.goaway !== undefined) client = await Http2Client.connect(t, site.target);
      const raw = client.open();
      assert.equal((await raw.head()).status, 200, `request ${i}`);
      await until(() => raw.peek().length > 65_000, "the window is full");
      raw.end();
      await raw.until(() => raw.isClosed, "it is reset");
      await client.handled();
    }
    assert.equal(first.goaway, 0);
    await first.closed;
  });

  it("may reset 200 streams in a second", async (t) => {
    const site = await start(t, () => new Promise<string>(() => {}));
    const client = await acknowledged(t, site);
    for (const id of streams(200)) client.write(headers(id), frame(RST_STREAM, 0, id, uint32(CANCEL)));
    await client.handled();
    assert.equal(client.isClosed, false);
    assert.equal(client.goawayCode, undefined);
  });

  for (const [name, isSplit] of [
    ["in the segment of its request", false],
    ["when its handler has begun", true],
  ] as const) {
    it(`is told to calm down for the 201st reset, ${name} (CVE-2023-44487)`, async (t) => {
      let begun = 0;
      const site = await start(t, ({ path }) => {
        if (path === "/other") return "other";
        begun += 1;
        return new Promise<string>(() => {});
      });
      const client = await acknowledged(t, site);
      for (let i = 0; i < 50 && !client.isClosed && client.goawayCode === undefined; i++) {
        const ids = streams(100, 100 * i);
        const resets = ids.map((id) => frame(RST_STREAM, 0, id, uint32(CANCEL)));
        client.write(...ids.map((id) => headers(id)), ...(isSplit ? [] : resets));
        if (isSplit) {
          await client.handled();
          client.write(...resets);
        }
        await client.handled();
      }
      await client.until(() => client.isClosed, "the end of the connection");
      assert.equal(client.goawayCode ?? ENHANCE_YOUR_CALM, ENHANCE_YOUR_CALM);
      assert.ok(begun <= 400, `${begun} handlers have begun`);
      await serves(t, site);
      await until(() => site.server.stats().connections === 1, "the connection is over");
    });
  }

  it("is told to calm down where its mistakes make the server reset (CVE-2025-8671)", async (t) => {
    const site = await start(t, ({ path }) => (path === "/other" ? "other" : new Promise<string>(() => {})));
    const client = await acknowledged(t, site);
    for (let i = 0; i < 50 && !client.isClosed && client.goawayCode === undefined; i++) {
      const ids = streams(100, 100 * i);
      // RFC 9113 §6.9.1: a window over 2^31-1 is an error of its stream.
      client.write(...ids.flatMap((id) => [headers(id), frame(WINDOW_UPDATE, 0, id, uint32(0x7fff_ffff))]));
      await client.handled();
    }
    await client.until(() => client.isClosed, "the end of the connection");
    await serves(t, site);
  });
});

describe("A client of HTTP/2 that floods with frames", { skip: noCertificate }, () => {
  for (const [name, bytes] of [
    ["pings", frame(PING, 0, 0, Buffer.alloc(8))],
    ["settings", frame(SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0xff, 0xff))],
  ] as const) {
    it(`may send 900 ${name} in a second, and is told to calm down for more than 1000 (maxControlFramesPerSecond)`, async (t) => {
      const site = await start(t, () => "other");
      const client = await acknowledged(t, site);
      client.write(...Array.from({ length: 900 }, () => bytes));
      await client.handled();
      assert.equal(client.goawayCode, undefined);
      client.write(...Array.from({ length: 2000 }, () => bytes));
      await client.until(() => client.isClosed, "the end of the connection");
      assert.equal(client.goawayCode ?? ENHANCE_YOUR_CALM, ENHANCE_YOUR_CALM);
      await serves(t, site);
    });
  }

  for (const [name, bytes] of [
    ["PRIORITY", frame(PRIORITY, 0, 1, Buffer.of(0, 0, 0, 3, 16))],
    ["WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, uint32(1))],
    ["unknown frames", frame(0x42, 0, 0, Buffer.alloc(8))],
  ] as const) {
    it(`costs no memory with ${name}`, async (t) => {
      const site = await start(t, () => "other");
      const client = await acknowledged(t, site);
      const many = Buffer.concat(Array.from({ length: 5000 }, () => bytes));
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 20 && !client.isClosed; i++) {
        client.write(many);
        await client.handled();
      }
      await serves(t, site);
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < 100 * MIB, `${Math.round(grown / MIB)} MiB`);
    });
  }

  it("is ended for frames of DATA without data", async (t) => {
    const site = await start(t, ({ path }) => (path === "/other" ? "other" : new Promise<string>(() => {})));
    const client = await acknowledged(t, site);
    client.write(headers(1, POST, false));
    const many = Buffer.concat(Array.from({ length: 2000 }, () => frame(DATA, 0, 1)));
    for (let i = 0; i < 20 && !client.isClosed && client.goawayCode === undefined; i++) {
      client.write(many);
      await settled(() => client.frames.length, 3);
    }
    await client.until(() => client.isClosed || client.goawayCode !== undefined, "the end of the connection");
    await serves(t, site);
  });

  it("is ended for a header block that has no end (CVE-2024-27983)", async (t) => {
    let served = 0;
    const site = await start(t, ({ path }) => {
      if (path !== "/other") served += 1;
      return "other";
    });
    const client = await acknowledged(t, site);
    client.write(frame(HEADERS, FLAG.END_STREAM, 1, block(GET)));
    const piece = frame(CONTINUATION, 0, 1, block(["x", "y".repeat(100)]));
    // Node counts frames of a block, Bun its bytes: 64 KiB.
    for (let i = 0; i < 1000 && !client.isClosed && client.goawayCode === undefined; i++) {
      client.write(piece);
      await settled(() => client.frames.length, 2);
    }
    await client.until(() => client.isClosed || client.goawayCode !== undefined, "the end of the connection");
    assert.equal(served, 0);
    await serves(t, site);
  });
});

describe("The head of a request over HTTP/2", { skip: noCertificate }, () => {
  /** `head` just within its limit, and just over it. */
  async function both(t: TestContext, status: number, head: (more: number) => readonly string[]): Promise<void> {
    const site = await start(t, () => "taken");
    const client = await acknowledged(t, site);
    client.write(headers(1, head(0)), headers(3, head(1)));
    assert.equal(await client.status(1), 200);
    assert.equal(await client.status(3), status);
  }

  it("may have the fields of maxHeaderBytes", (t) => {
    // As much as the line "x: …" has, with its line end; "host: localhost" is there already.
    const rest = 16_384 - 2 * 5 - 8000;
    return both(t, 431, (more) => [...GET, "x", "a".repeat(8000), "y", "b".repeat(rest + more)]);
  });

  it("may have the number of fields of maxHeaderCount", (t) =>
    both(t, 431, (more) => [...GET, ...Array.from({ length: 100 + more }, () => ["x", "y"]).flat()]));

  it("may have a target of maxTargetBytes", (t) =>
    both(t, 414, (more) => [...GET.slice(0, 6), ":path", `/${"x".repeat(8191 + more)}`]));

  it("is reset unread where it is far over its limits", async (t) => {
    const site = await start(t, () => "other");
    const client = await acknowledged(t, site);
    client.write(headers(1, [...GET, ...Array.from({ length: 500 }, () => ["x", "y"]).flat()]));
    assert.equal(await client.reset(1), ENHANCE_YOUR_CALM);
    await serves(t, site);
  });

  it("cannot grow to megabytes from a few bytes of HPACK", async (t) => {
    let most = 0;
    const site = await start(t, (request) => {
      most = Math.max(most, [...request.headers].flat().join("").length);
      return "other";
    });
    const client = await acknowledged(t, site);
    // RFC 7541 §6.2.1: a literal with incremental indexing, and then its entry, 62, ten thousand times.
    const value = "v".repeat(4000);
    const length = Buffer.of(127, ((4000 - 127) % 128) + 128, Math.floor((4000 - 127) / 128));
    const literal = Buffer.concat([Buffer.of(0x40, 1), Buffer.from("x"), length, Buffer.from(value)]);
    const bomb = Buffer.concat([block(GET), literal, Buffer.alloc(10_000, 0x80 | 62)]);
    client.write(frame(HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, bomb));
    await client.until(
      () => client.isClosed || client.frames.some(({ stream }) => stream === 1),
      "an answer or the end",
    );
    await serves(t, site);
    assert.ok(most < 1000, `${most} bytes reached the handler`);
  });
});

describe("A client of HTTP/2 that does not read", { skip: noCertificate }, () => {
  /** RFC 9113 §6.5.2: the windows of all streams are empty, so that no body is sent. */
  const NO_WINDOW = frame(SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0));

  it("costs what maxBufferedBytes allows for each stream, and its other streams go on", async (t) => {
    const closed: string[] = [];
    const site = await start(t, (request) =>
      withChannel(request, (channel) => {
        channel.onClose(({ code, reason }) => closed.push(`${request.path} ${code} ${reason}`));
        if (request.path === "/slow")
          for (let i = 0; i < 40 && channel.isOpen; i++) channel.send("x".repeat(65_536), false);
        else channel.send("here", false);
      }),
    );
    const client = await Http2Client.connect(t, site.target);
    const slow = client.open({ ":path": "/slow", accept: "text/event-stream" });
    slow.pause();
    const quick = client.open({ ":path": "/quick", accept: "text/event-stream" });
    assert.equal((await quick.chunk())?.toString(), "data: here\n\n");
    await until(() => closed.length > 0, "the slow one is closed");
    assert.match(closed.join(), /^\/slow 1013 /);
    assert.match(site.takeMessages().join(), /^send: .*maxBufferedBytes/);
    assert.equal(site.server.stats().channels.sse, 1);
    await until(() => site.server.stats().bufferedBytes === 0, "nothing is held");
  });

  it("is lost after writeTimeoutMs: a response, a stream and a WebSocket", async (t) => {
    const closed: string[] = [];
    const site = await start(
      t,
      (request) => {
        if (request.path === "/short") return "short";
        if (request.path === "/long") return "x".repeat(MIB);
        return withChannel(request, (channel) => {
          channel.onClose(({ by, code }) => closed.push(`${channel.transport} ${by} ${code}`));
          channel.send("x".repeat(1000), false);
        });
      },
      { writeTimeoutMs: 600, pingIntervalMs: 0 },
    );
    const client = await FrameClient.connect(t, site.target);
    client.write(NO_WINDOW);
    await client.handled();
    const events = [":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", "/live"];
    const connect = [":method", "CONNECT", ...events.slice(2), ":protocol", "websocket", "sec-websocket-version", "13"];
    const path = (target: string): readonly string[] => [...GET.slice(0, 6), ":path", target];
    client.write(headers(1, path("/short")), headers(3, path("/long")));
    client.write(headers(5, [...events, "accept", "text/event-stream"]), headers(7, connect, false));
    for (const id of [1, 3, 5, 7]) {
      assert.equal(await client.status(id), 200);
      assert.notEqual(await client.reset(id), 0);
      assert.equal(client.data(id).length, 0);
    }
    await until(() => closed.length === 2, "both channels are closed");
    assert.deepEqual(closed.sort(), ["sse network 1006", "websocket network 1006"]);
    await until(() => site.server.stats().bufferedBytes === 0, "nothing is held");
  });

  it("lives while it reads slowly", async (t) => {
    const site = await start(t, () => "x".repeat(400_000), { writeTimeoutMs: 1000 });
    const client = await FrameClient.connect(t, site.target);
    client.write(headers(1));
    await client.status(1);
    while (client.data(1).length < 400_000) {
      await until(() => client.data(1).length > 0, "bytes of the body");
      await new Promise((resolve) => setTimeout(resolve, 250));
      assert.ok(!client.frames.some(({ type }) => type === RST_STREAM), "it is not reset");
      client.write(frame(WINDOW_UPDATE, 0, 0, uint32(65_536)), frame(WINDOW_UPDATE, 0, 1, uint32(65_536)));
    }
  });
});

describe("A client of HTTP/2 that sends much, or nothing", { skip: noCertificate }, () => {
  it("sends no more of a body than the window while nobody reads it", async (t) => {
    const gate = deferred();
    const site = await start(t, async (request) => {
      await gate.promise;
      return `${(await request.bytes()).length}`;
    });
    const client = await acknowledged(t, site);
    client.write(headers(1, POST, false));
    for (let i = 0; i < 4; i++) client.write(frame(DATA, 0, 1, Buffer.alloc(16_000)));
    await client.handled();
    await settled(() => client.frames.length);
    const granted = (): number =>
      client.frames
        .filter(({ type, stream }) => type === WINDOW_UPDATE && stream === 1)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    assert.ok(granted() <= 65_536, `${granted()} bytes are granted beyond the first 65,535`);
    gate.resolve();
    await until(() => granted() >= 32_000, "the window opens with the reader");
    client.write(frame(DATA, FLAG.END_STREAM, 1));
    assert.equal(await client.status(1), 200);
    await client.until(() => client.data(1).length > 0, "the body");
    assert.equal(client.data(1).toString(), "64000");
  });

  it("is answered with 413 for a body over maxBodyBytes, announced or not", async (t) => {
    let served = 0;
    const site = await start(
      t,
      async (request) => {
        served += 1;
        return `${(await request.bytes()).length}`;
      },
      { maxBodyBytes: 20_000 },
    );
    const client = await Http2Client.connect(t, site.target);
    const announced = (length: number): Record<string, string> => ({
      ":method": "POST",
      "content-length": `${length}`,
    });
    assert.equal((await client.request(announced(20_000), Buffer.alloc(20_000))).text, "20000");
    assert.equal(served, 1);
    assert.equal((await client.request(announced(20_001), Buffer.alloc(20_001))).status, 413);
    assert.equal(served, 1);
    assert.equal((await client.request({ ":method": "POST" }, Buffer.alloc(20_000))).text, "20000");
    assert.equal((await client.request({ ":method": "POST" }, Buffer.alloc(20_001))).status, 413);
    assert.deepEqual(site.takeReports(), []);
  });

  it("is answered with 408 for a body that does not come (requestTimeoutMs)", async (t) => {
    const site = await start(t, async (request) => `${(await request.bytes()).length}`, { requestTimeoutMs: 600 });
    const client = await FrameClient.connect(t, site.target);
    client.write(headers(1, POST, false), frame(DATA, 0, 1, Buffer.from("abc")));
    assert.equal(await client.status(1), 408);
  });

  it("is refused with 503 for what it has sent unread, when all clients have sent too much", async (t) => {
    const site = await start(
      t,
      async (request) => (request.path === "/other" ? "other" : `${(await request.bytes()).length}`),
      { maxTotalReceivedBytes: 100_000 },
    );
    const client = await acknowledged(t, site);
    const isRefused = (): boolean => client.frames.some(({ type }) => type === HEADERS);
    client.write(...streams(10).map((id) => headers(id, POST, false)));
    for (const [i, id] of streams(10).entries()) {
      // RFC 9113 §6.9: no more than the window of the connection.
      await client.until(
        () => isRefused() || client.isClosed || client.window >= 16_000 * (i + 1),
        "room in the window",
      );
      client.write(frame(DATA, 0, id, Buffer.alloc(16_000)));
    }
    await client.until(isRefused, "a refusal");
    const refused = client.frames.find(({ type }) => type === HEADERS)!.stream;
    assert.equal(await client.status(refused), 503);
    await serves(t, site);
  });

  it("is sent away when it has asked for nothing for keepAliveTimeoutMs, whatever it pings", async (t) => {
    const site = await start(t, () => "served", { keepAliveTimeoutMs: 700 });
    const client = await FrameClient.connect(t, site.target);
    client.write(headers(1));
    assert.equal(await client.status(1), 200);
    while (client.goawayCode === undefined && !client.isClosed) {
      client.write(frame(PING, 0, 0, Buffer.alloc(8)));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(client.goawayCode, 0);
    await client.until(() => client.isClosed, "the end of the connection");
    await until(() => site.server.stats().connections === 0, "the server has closed it");
  });

  it("is sent away where node:http2 has said GOAWAY for its mistake and the client stays", async (t) => {
    const site = await start(t, () => new Promise<string>(() => {}), { keepAliveTimeoutMs: 700 });
    const client = await FrameClient.connect(t, site.target);
    client.write(frame(RST_STREAM, 0, 1, uint32(CANCEL)));
    assert.notEqual(await client.goaway(), 0);
    await client.until(() => client.isClosed, "the end of the connection");
    await until(() => site.server.stats().connections === 0, "the server has closed it");
  });

  it("is sent away with half a head, and without a preface", async (t) => {
    const site = await start(t, () => "served", { keepAliveTimeoutMs: 700 });
    const slow = await FrameClient.connect(t, site.target);
    slow.write(frame(HEADERS, FLAG.END_STREAM, 1, block(GET)));
    const silent = await FrameClient.connect(t, site.target, { isSilent: true });
    await slow.until(() => slow.isClosed, "the end of the slow one");
    await silent.until(() => silent.isClosed, "the end of the silent one");
    assert.equal(site.server.stats().requests, 0);
  });
});
