// A browser over HTTP/2: all that a page opens shares one connection, WebSockets by RFC 8441 included.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { createChannelStore, type Handler, openSession, type Server, serve, withChannel } from "../../src/index.ts";
import { certificate, noCertificate } from "../support/serving.ts";
import { BLANK } from "./engines/rig.ts";
import { newPage, skip } from "./playwright.ts";

/** A certificate that nobody has signed is taken. */
const TRUSTING = { ignoreHTTPSErrors: true };

async function start(t: TestContext, handler: Handler): Promise<Server> {
  const server = await serve(handler, { host: "127.0.0.1", port: 0, tls: certificate(), http2: true });
  t.after(() => server.stop({ graceMs: 100 }));
  return server;
}

describe("A page over HTTP/2", { skip: skip || noCertificate }, () => {
  it("has 20 WebSockets and 30 event streams at once on at most two connections", async (t) => {
    const versions = new Set<string>();
    const room = createChannelStore();
    const server = await start(t, (request) => {
      versions.add(request.httpVersion);
      if (request.path !== "/live") return BLANK;
      return withChannel(request, (channel) => {
        room.addToGroup("all", channel);
        channel.onMessage((message) => channel.send(`echo ${message}`));
      });
    });
    const page = await newPage(t, TRUSTING);
    await page.goto(server.url);
    const opened = await page.evaluate(async () => {
      const got: string[] = [];
      const sockets = Array.from({ length: 20 }, (_, i) => {
        const socket = new WebSocket(`${location.origin.replace("http", "ws")}/live`);
        socket.onmessage = ({ data }) => got.push(`socket ${i}: ${data}`);
        return socket;
      });
      const sources = Array.from({ length: 30 }, (_, i) => {
        const source = new EventSource("/live");
        source.onmessage = ({ data }) => got.push(`source ${i}: ${data}`);
        return source;
      });
      const ready = (target: EventTarget): Promise<unknown> =>
        new Promise((resolve, reject) => {
          target.addEventListener("open", resolve);
          target.addEventListener("error", () => reject(new Error("it failed")));
        });
      await Promise.all([...sockets, ...sources].map(ready));
      for (const [i, socket] of sockets.entries()) socket.send(`${i}`);
      while (got.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
      Object.assign(window, { got, sockets, sources });
      return got.splice(0).sort();
    });
    assert.deepEqual(opened, Array.from({ length: 20 }, (_, i) => `socket ${i}: echo ${i}`).sort());
    const { connections, channels } = server.stats();
    assert.deepEqual({ websocket: channels.websocket, sse: channels.sse }, { websocket: 20, sse: 30 });
    assert.ok(connections <= 2, `${connections} connections`);
    assert.deepEqual([...versions], ["2.0"]);
    room.broadcast("all", "to all");
    const told = await page.evaluate(async () => {
      const { got } = window as unknown as { got: string[] };
      while (got.length < 50) await new Promise((resolve) => setTimeout(resolve, 5));
      return got;
    });
    assert.equal(told.filter((text) => text.endsWith(": to all")).length, 50);
    const code = await page.evaluate(async () => {
      const { sockets } = window as unknown as { sockets: WebSocket[] };
      const closed = new Promise<CloseEvent>((resolve) => {
        sockets[0]!.onclose = resolve;
      });
      sockets[0]!.close(4001, "enough");
      const { code: status, wasClean } = await closed;
      return [status, wasClean];
    });
    assert.deepEqual(code, [4001, true]);
  });

  it("has a session on each carrier", async (t) => {
    const server = await start(t, (request) => {
      if (request.path === "/chat") {
        return openSession(request, { message: (message, channel) => void channel.send(`echo ${message}`) });
      }
      const [, module] = /^\/unichannel\/([\w/-]+\.js)$/.exec(request.path) ?? [];
      if (module === undefined) return BLANK;
      return { headers: { "Content-Type": "text/javascript" }, body: readFileSync(`dist/src/${module}`) };
    });
    const page = await newPage(t, TRUSTING);
    await page.goto(server.url);
    for (const carrier of ["websocket", "sse", "poll"]) {
      // A string: tsc would rewrite the import.
      const seen = await page.evaluate(`(async () => {
        const { connect } = await import("/unichannel/client/index.js");
        const connection = connect("/chat", { carriers: ["${carrier}"] });
        const seen = [];
        connection.onMessage((message) => seen.push(message));
        for (let i = 0; i < 5; i++) connection.send(String(i));
        while (seen.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
        const { transport } = connection;
        connection.close();
        return [transport, ...seen];
      })()`);
      assert.deepEqual(seen, [carrier, ...Array.from({ length: 5 }, (_, i) => `echo ${i}`)]);
    }
    assert.ok(server.stats().connections <= 2, `${server.stats().connections} connections`);
  });
});
