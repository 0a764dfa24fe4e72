// Exchanges of HTTP/2 whose stream goes at a bad moment: node:http2 says "close" later than it destroys a stream.

import assert from "node:assert/strict";
import { createSecureServer } from "node:http2";
import { describe, it, type TestContext } from "node:test";
import { ExchangeServer } from "../../../src/server/exchange-server.ts";
import { type AdoptedRequest, adoptStream } from "../../../src/transport/http2/adopt-stream.ts";
import type { Http2Exchange } from "../../../src/transport/http2/exchange.ts";
import { Http2Client } from "../../support/http2-client.ts";
import { certificate, noCertificate } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";

/** Destroys the stream of a request, calls `act` with its exchange in the same turn, and returns what the server was told. */
async function lose(t: TestContext, act: (exchange: Http2Exchange) => void): Promise<string[]> {
  const told: string[] = [];
  let thrown: unknown;
  const exchanges = new ExchangeServer(() => new Promise<string>(() => {}), {});
  const context = {
    ...{ http: exchanges.http, clock: exchanges.clock, flusher: exchanges.flusher, received: exchanges.received },
    ...{ closeTimeoutMs: exchanges.closeTimeoutMs, timeouts: exchanges.timeouts },
    onExchange: () => {},
    onExchangeEnd: (_: unknown, status: number) => void told.push(`end ${status}`),
    onExchangeCut: (_: unknown, status: number | undefined) => void told.push(`cut ${status}`),
    onRefusal: () => void told.push("refusal"),
  };
  let isClosed = false;
  const server = createSecureServer({ ...certificate(), settings: { enableConnectProtocol: true } });
  server.on("stream", (stream, _headers, _flags, ...rest) => {
    const rawHeaders = (rest as unknown as [string[]])[0];
    const { exchange } = adoptStream(
      {
        stream: stream as unknown as AdoptedRequest["stream"],
        rawHeaders,
        compatibilityApi: undefined,
        body: undefined,
      },
      context,
      {
        ...{ remoteAddress: undefined, isEncrypted: true, buffered: exchanges.buffered, writeTimeoutMs: 1000 },
        streamClosed: () => {
          isClosed = true;
        },
      },
    );
    exchange.listener = { onDrain() {}, onHalfClose() {}, onGone: () => void told.push("gone") };
    stream.destroy(new Error("gone"));
    try {
      act(exchange);
    } catch (error) {
      thrown = error;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const client = await Http2Client.connect(t, { port: address.port });
  const raw = client.open({ ":method": "POST", expect: "100-continue" }, false);
  await raw.until(() => raw.isClosed, "the end of the stream");
  await until(() => isClosed, "the server has seen it");
  client.session.destroy();
  assert.equal(thrown, undefined);
  return told;
}

describe("An exchange of HTTP/2 whose stream is destroyed, before it is told so", { skip: noCertificate }, () => {
  it("sends no response, and is cut off", async (t) => {
    assert.deepEqual(await lose(t, (exchange) => exchange.respond({ status: 200, fields: [] }, "body")), [
      "gone",
      "cut undefined",
    ]);
  });

  it("begins a response that nobody gets, and is cut off", async (t) => {
    const told = await lose(t, (exchange) => {
      assert.equal(exchange.start({ status: 201, fields: [] }), true);
      exchange.write("part");
      exchange.flush();
    });
    assert.deepEqual(told, ["gone", "cut 201"]);
  });

  it("hands over a WebSocket that is lost at once", async (t) => {
    const lost: number[] = [];
    const told = await lose(t, (exchange) => {
      const transport = exchange.acceptWebSocket([], { maxMessageBytes: 1, maxFragments: 1, closeTimeoutMs: 1 });
      const nothing = (): void => {};
      transport.listen({
        ...{ messageArrived: nothing, pingArrived: nothing, pongArrived: nothing, bufferEmptied: nothing },
        transportClosed: ({ code }) => void lost.push(code),
      });
      transport.open();
    });
    assert.deepEqual([told, lost], [["end 200"], [1006]]);
  });

  it("rejects its body with CLIENT_GONE", async (t) => {
    const codes: string[] = [];
    await lose(t, (exchange) => {
      exchange.readBody().catch(({ code }: { code: string }) => codes.push(code));
    });
    await until(() => codes.length > 0, "the body is rejected");
    assert.deepEqual(codes, ["CLIENT_GONE"]);
  });
});
