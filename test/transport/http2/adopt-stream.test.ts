// Requests of somebody else's node:http2 server, whose streams become exchanges of ours.

import assert from "node:assert/strict";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { describe, it, type TestContext } from "node:test";
import { type Handler, withChannel } from "../../../src/index.ts";
import { ExchangeServer } from "../../../src/server/exchange-server.ts";
import { type AdoptedRequest, adoptStream } from "../../../src/transport/http2/adopt-stream.ts";
import { Http2Client } from "../../support/http2-client.ts";
import { certificate, noCertificate } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";

interface Host {
  readonly exchanges: ExchangeServer;
  readonly client: Http2Client;
  /** Streams that are ours, and open. */
  readonly open: () => number;
}

/** A server of node:http2 with middleware that sets a header; its requests are ours, a WebSocket's too. */
async function host(t: TestContext, handler: Handler, body?: Uint8Array): Promise<Host> {
  const exchanges = new ExchangeServer(handler, { onError: () => {} });
  let open = 0;
  const adopt = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    response.setHeader("x-middleware", "1");
    const compatibilityApi = {
      presetFields: () => Object.entries(response.getHeaders()).flatMap(([name, value]) => [name, String(value)]),
      claimBody: () => {},
      responseBegins: () => {},
      responseEnded: () => undefined,
    };
    const stream = request.stream as unknown as AdoptedRequest["stream"];
    open += 1;
    const adopted = adoptStream({ stream, rawHeaders: request.rawHeaders, compatibilityApi, body }, exchanges, {
      remoteAddress: request.socket.remoteAddress,
      isEncrypted: true,
      buffered: exchanges.buffered,
      writeTimeoutMs: exchanges.limits.writeTimeoutMs,
      streamClosed: () => {
        open -= 1;
        exchanges.checkEmpty();
      },
    });
    exchanges.onExchange(adopted.exchange);
  };
  const server = createSecureServer({ ...certificate(), settings: { enableConnectProtocol: true } }, adopt);
  server.on("connect", adopt as never);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  exchanges.start();
  t.after(async () => {
    await exchanges.stop({ graceMs: 0 });
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { exchanges, client: await Http2Client.connect(t, { port: address.port }), open: () => open };
}

describe("A stream of somebody else's HTTP/2 server", { skip: noCertificate }, () => {
  it("is answered by us, with the fields that middleware has set", async (t) => {
    const { client, open } = await host(t, ({ path, remoteAddress }) => `${path} ${remoteAddress}`);
    const answer = await client.request({ ":path": "/x" });
    assert.deepEqual([answer.status, answer.text], [200, "/x 127.0.0.1"]);
    assert.deepEqual(answer.headers.get("x-middleware"), ["1"]);
    await until(() => open() === 0, "the stream is over");
  });

  it("carries an event stream and a WebSocket", async (t) => {
    const { client, exchanges, open } = await host(t, (request) =>
      withChannel(request, (channel) => {
        channel.send("hello", false);
        channel.onMessage((message) => channel.send(`echo ${message}`));
      }),
    );
    const events = client.open({ accept: "text/event-stream" });
    assert.equal((await events.chunk())?.toString(), "data: hello\n\n");
    assert.deepEqual((await events.head()).headers.get("x-middleware"), ["1"]);
    const ws = await client.webSocket();
    assert.deepEqual(ws.head.headers.get("x-middleware"), ["1"]);
    assert.equal(await ws.message(), "hello");
    ws.send("one");
    assert.equal(await ws.message(), "echo one");
    assert.deepEqual([exchanges.stats().channels.sse, exchanges.stats().channels.websocket], [1, 1]);
    events.end();
    ws.close(1000);
    ws.raw.end();
    await until(() => open() === 0 && exchanges.stats().channels.sse === 0, "both are over");
  });

  it("has its body from the stream, or from the parser that has read it", async (t) => {
    const own = await host(t, (request) => request.text());
    assert.equal((await own.client.request({ ":method": "POST" }, "the body")).text, "the body");
    const given = await host(t, (request) => request.text(), Buffer.from("parsed"));
    assert.equal((await given.client.request({ ":method": "POST" }, "the body")).text, "parsed");
  });
});
