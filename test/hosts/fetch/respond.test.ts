// `createFetchHost` where a server passes requests alone: answers, streams that are pulled, clients that leave, bad input, stops.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { createFetchHost, type FetchHost, type HostOptions } from "../../../src/fetch-host.ts";
import { type Channel, type ChannelHandlers, type CloseStatus, type Handler, openChannel } from "../../../src/index.ts";
import { deferred, turn, until } from "../../support/wait.ts";

const URL = "http://127.0.0.1/live?a=b";
const KIB = 1024;

interface Reported {
  readonly host: FetchHost;
  readonly errors: string[];
}

function hosting(t: TestContext, options: HostOptions = {}): Reported {
  const errors: string[] = [];
  const host = createFetchHost({
    logger: { info() {}, warn() {}, error() {} },
    onError: (error, { source }) => void errors.push(`${source}: ${(error as Error).message}`),
    ...options,
  });
  // Nothing else keeps the process awake: there is no socket.
  const awake = setInterval(() => {}, 60_000);
  t.after(async () => {
    clearInterval(awake);
    await host.stop({ graceMs: 0 });
  });
  return { host, errors };
}

/** Opens a channel, and returns it with the response that carries it. */
async function opening(
  host: FetchHost,
  { close }: ChannelHandlers = {},
  init: RequestInit = { headers: { Accept: "text/event-stream" } },
): Promise<{ channel: Channel; response: Response }> {
  let channel: Channel | undefined;
  const handlers = close === undefined ? {} : { close };
  const answer = host.respond(
    new Request(URL, init),
    undefined,
    (request) => (channel = openChannel(request, handlers)),
  );
  await until(() => channel !== undefined, "the channel is there");
  await turn();
  return { channel: channel!, response: await answer };
}

describe("a Fetch host", () => {
  it("answers what a handler returns, with the target as the client asked for it", async (t) => {
    const { host } = hosting(t);
    const response = await host.respond(
      new Request(URL),
      undefined,
      ({ method, url, host: own }) => `${method} ${url} ${own}`,
    );
    assert.equal(await response.text(), "GET /live?a=b 127.0.0.1");
    assert.equal(response.headers.get("content-length"), "23");
    assert.match(response.headers.get("content-type")!, /^text\/plain/);
  });

  it("begins a silent event stream with a comment, so that its head is sent", async (t) => {
    const { host } = hosting(t);
    const { response } = await opening(host);
    const reader = response.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), ": \n\n");
    await reader.cancel();
  });

  it("gives its server no more of a stream than it asks for, and counts the rest", async (t) => {
    const { host, errors } = hosting(t, { maxBufferedBytes: 256 * KIB });
    const { channel, response } = await opening(host);
    while (channel.send("x".repeat(64 * KIB))) await turn();
    assert.equal(channel.isOpen, false);
    assert.deepEqual(errors, ["send: unsent data exceeds maxBufferedBytes"]);
    await assert.rejects(response.text());
  });

  it("tells that all was taken, once the server has pulled it", async (t) => {
    const { host } = hosting(t);
    const { channel, response } = await opening(host);
    const reader = response.body!.getReader();
    await reader.read();
    for (let i = 0; i < 10; i++) channel.send("x".repeat(64 * KIB));
    await turn();
    assert.ok(channel.bufferedAmount > 500 * KIB);
    const drained = deferred();
    channel.onDrain(() => drained.resolve());
    let taken = 0;
    while (taken < 640 * KIB) taken += (await reader.read()).value!.length;
    await drained.promise;
    assert.equal(channel.bufferedAmount, 0);
    assert.equal(host.stats().bufferedBytes, 0);
    await reader.cancel();
  });

  it("sees the client leave by the stream that is cancelled", async (t) => {
    const { host } = hosting(t);
    const status = deferred<CloseStatus>();
    const { response } = await opening(host, { close: status.resolve });
    await response.body!.cancel();
    const { by, code } = await status.promise;
    assert.deepEqual([by, code], ["client", 1001]);
    assert.equal(host.stats().connections, 0);
  });

  it("sees the client of a parked poll leave by the signal of its request", async (t) => {
    const { host } = hosting(t);
    const status = deferred<CloseStatus>();
    const abort = new AbortController();
    const answer = host.respond(new Request(URL, { signal: abort.signal }), undefined, (request) =>
      openChannel(request, { close: status.resolve }),
    );
    await turn();
    abort.abort();
    assert.equal((await status.promise).code, 1001);
    assert.equal((await answer).status, 503);
  });

  it("breaks off a stream that its server asks nothing of for writeTimeoutMs", async (t) => {
    const { host } = hosting(t, { writeTimeoutMs: 50 });
    const status = deferred<CloseStatus>();
    const { channel, response } = await opening(host, { close: status.resolve });
    channel.send("x".repeat(KIB));
    const { by, code } = await status.promise;
    assert.deepEqual([by, code], ["network", 1006]);
    await assert.rejects(response.text());
  });

  for (const [bytes, status] of [
    [10, 200],
    [11, 413],
  ] as const) {
    it(`answers ${status} to a body of ${bytes} bytes where maxBodyBytes is 10`, async (t) => {
      const { host, errors } = hosting(t, { maxBodyBytes: 10 });
      const echo: Handler = (request) => request.text();
      const response = await host.respond(
        new Request(URL, { method: "POST", body: "x".repeat(bytes) }),
        undefined,
        echo,
      );
      assert.equal(response.status, status);
      assert.equal(await response.text(), status === 200 ? "xxxxxxxxxx" : "request body exceeds maxBodyBytes\n");
      assert.deepEqual(errors, []);
    });
  }

  it("says that other code has read the body", async (t) => {
    const { host, errors } = hosting(t);
    const request = new Request(URL, { method: "POST", body: "hello" });
    await request.text();
    const response = await host.respond(request, undefined, (own) => own.text());
    assert.equal(response.status, 500);
    assert.match(errors.join(), /^handler: request body was read already: .*pass the request on unread/);
  });

  it("answers 400 to a WebSocket where the server has none, and does not call the handler of its channel", async (t) => {
    const { host } = hosting(t);
    let opened = 0;
    const headers = {
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    };
    const request = new Request(URL, { headers });
    const response = await host.respond(request, undefined, (own) => openChannel(own, { open: () => (opened += 1) }));
    assert.equal(response.status, 400);
    assert.match(await response.text(), /this server has no WebSockets, or its second argument was not passed on/);
    assert.equal(opened, 0);
  });

  it("answers 421 for a host that it does not have, and 400 for none that is one", async (t) => {
    const { host } = hosting(t, { allowedHosts: ["example.com"] });
    const fetch = host.fetch(() => "never");
    assert.equal((await fetch(new Request(URL))).status, 421);
    const any = hosting(t).host.fetch(() => "never");
    assert.equal((await any(new Request(URL, { headers: { Host: "a, b" } }))).status, 400);
  });

  it("gives a page of an allowed origin its CORS fields", async (t) => {
    const { host } = hosting(t, { allowedOrigins: ["https://page.example"] });
    const response = await host.fetch(() => "hello")(new Request(URL, { headers: { Origin: "https://page.example" } }));
    assert.equal(response.headers.get("access-control-allow-origin"), "https://page.example");
  });

  it("ends its channels with a stop, and answers 503 afterwards", async (t) => {
    const { host } = hosting(t);
    const status = deferred<CloseStatus>();
    const { response } = await opening(host, { close: status.resolve });
    const text = response.text();
    await host.stop();
    assert.match(await text, /retry: \d+\n/);
    assert.equal((await status.promise).by, "server");
    assert.equal(host.status, "stopped");
    const late = await host.fetch(() => "never")(new Request(URL));
    assert.deepEqual([late.status, late.headers.get("retry-after")], [503, "1"]);
  });

  it("drops the connection of a request without an answer when its channel is terminated", async (t) => {
    const { host } = hosting(t);
    const answer = host.respond(new Request(URL), undefined, (request) => {
      const channel = openChannel(request, {});
      queueMicrotask(() => channel.terminate());
      return channel;
    });
    await assert.rejects((await answer).text());
  });
});

describe("misuse of a Fetch host", () => {
  it("throws NOT_OUR_REQUEST for the request of a framework", (t) => {
    const { host } = hosting(t);
    assert.throws(() => host.respond({ req: {} } as unknown as Request, undefined, () => "x"), {
      code: "NOT_OUR_REQUEST",
      message: /in Hono: c\.req\.raw/,
    });
  });

  it("throws ALREADY_ANSWERED for a request that was answered before, and the first answer stays", async (t) => {
    const { host } = hosting(t);
    const request = new Request(URL);
    const first = host.respond(request, undefined, () => "first");
    assert.throws(() => host.respond(request, undefined, () => "second"), {
      code: "ALREADY_ANSWERED",
      message: /answer it once/,
    });
    assert.equal(await (await first).text(), "first");
  });

  it("throws BAD_OPTION for a second argument of no server, for no handler, and for options of a listener", (t) => {
    const { host } = hosting(t);
    assert.throws(() => host.respond(new Request(URL), {}, () => "x"), { code: "BAD_OPTION", message: /Bun's server/ });
    assert.throws(() => host.fetch(1 as never), { code: "BAD_OPTION" });
    assert.throws(() => createFetchHost({ port: 1 } as HostOptions), {
      code: "BAD_OPTION",
      message: /the server is yours/,
    });
    assert.throws(() => createFetchHost({ maxUnreadBytes: -1 }), { code: "BAD_OPTION" });
  });
});
