// Clients that begin TLS and never finish it.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { reset } from "../../fuzz/reset.ts";
import { certificate, noCertificate, request, type Site, serving } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";

const TIMEOUT_MS = 500;

/** A TCP connection to a server that expects TLS. */
function dial(t: TestContext, site: Site): Socket {
  const socket = connect(site.target.port!, "127.0.0.1").on("error", () => {});
  t.after(() => socket.destroy());
  socket.resume();
  return socket;
}

/** A client that means well may come too early, or be too late for the short timeout of these tests as well. */
async function answers(site: Site): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const answer = await site.request(request("GET /")).catch((error: unknown) => error);
    if (!(answer instanceof Error)) return assert.equal((answer as { text: string }).text, "ok");
    if (attempt === 100) throw answer;
    await turn();
  }
}

describe("A TLS handshake that does not come to its end", { skip: noCertificate }, () => {
  const hello = Buffer.from("160301020001", "hex");

  for (const [what, tls] of [
    ["tlsHandshakeTimeoutMs", {}],
    ["tls.handshakeTimeout, where it is set", { handshakeTimeout: TIMEOUT_MS }],
  ] as const) {
    it(`is ended at ${what}, whatever of it has come`, async (t) => {
      const site = await serving(t, () => "ok", {
        tlsHandshakeTimeoutMs: "handshakeTimeout" in tls ? 60_000 : TIMEOUT_MS,
        tls: { ...certificate(), ...tls },
      });
      const sockets = Array.from({ length: 100 }, () => dial(t, site));
      for (const [index, socket] of sockets.entries()) socket.write(hello.subarray(0, index % (hello.length + 1)));
      await until(() => sockets.every((socket) => socket.closed), "all are ended");
      await answers(site);
    });
  }

  it("takes no more room than maxConnections", async (t) => {
    const site = await serving(t, () => "ok", {
      tls: certificate(),
      maxConnections: 10,
      tlsHandshakeTimeoutMs: 60_000,
    });
    const sockets = Array.from({ length: 50 }, () => dial(t, site));
    await until(() => sockets.filter((socket) => socket.closed).length === 40, "40 of 50 are dropped");
    for (const socket of sockets) reset(socket);
    await answers(site);
  });

  it("does not disturb the server when it is reset, or is not TLS", async (t) => {
    const site = await serving(t, () => "ok", { tls: certificate(), tlsHandshakeTimeoutMs: TIMEOUT_MS });
    const sockets = Array.from({ length: 60 }, () => dial(t, site));
    for (const [index, socket] of sockets.entries()) {
      if (index % 3 === 0) socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      else socket.write(hello, () => (index % 3 === 1 ? reset(socket) : socket.end()));
    }
    await answers(site);
    await until(() => sockets.every((socket) => socket.closed), "all are ended");
    await answers(site);
    await until(() => site.server.stats().connections === 0, "nothing of them is left");
  });
});
