// TLS: a certificate that is changed while the server runs, and ALPN (RFC 7301).

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { type Handler, type ServeOptions, serve } from "../../src/index.ts";
import { certificate, noCertificate, request, type Site, serving, socketPath } from "../support/serving.ts";

const PROXY = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
const ECHO: Handler = (r) => `${r.scheme} ${r.path}`;

const lastOffered = ({ protocols }: { protocols: string[] }): string | undefined => protocols.at(-1);

interface Greeting {
  readonly socket: TLSSocket;
  readonly name: string | string[] | undefined;
  readonly alpn: string | false | null;
}

/** What a client learns in its handshake. `first` is sent in the clear before it. */
async function greet(
  t: TestContext,
  { server }: Site,
  { first, alpn }: { first?: string | undefined; alpn?: string[] } = {},
): Promise<Greeting> {
  const where = server.url.startsWith("unix:")
    ? { path: server.url.slice(5) }
    : { port: server.port, host: "127.0.0.1" };
  let below: Socket | undefined;
  if (first !== undefined) {
    below = connectTcp(server.port, "127.0.0.1");
    await once(below, "connect");
    below.write(first);
  }
  const socket = connect({
    ...(below === undefined ? where : { socket: below }),
    rejectUnauthorized: false,
    ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
  } as ConnectionOptions);
  t.after(() => socket.destroy());
  // The server may drop it before the test does.
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return { socket, name: socket.getPeerCertificate().subject.CN, alpn: socket.alpnProtocol };
}

const WAYS: readonly (readonly [where: string, first: string | undefined, options: ServeOptions])[] = [
  ["on a port", undefined, {}],
  ["behind a PROXY header", PROXY, { trustedProxies: ["loopback"], proxyProtocol: "required" }],
];

describe("setTls", { skip: noCertificate }, () => {
  for (const [where, first, options] of WAYS) {
    it(`gives new connections the new certificate, and open ones go on, ${where}`, async (t) => {
      const site = await serving(t, ECHO, { ...options, tls: certificate("old.example") });
      const open = await greet(t, site, { first });
      assert.equal(open.name, "old.example");
      assert.match(await ask(open.socket, "/before"), /https \/before$/);
      site.server.setTls(certificate("new.example"));
      assert.equal((await greet(t, site, { first })).name, "new.example");
      assert.match(await ask(open.socket, "/after"), /https \/after$/);
      site.server.setTls(certificate("old.example"));
      assert.equal((await greet(t, site, { first })).name, "old.example");
    });
  }

  it("works on a Unix socket", async (t) => {
    const site = await serving(t, ECHO, { path: socketPath(t), tls: certificate("old.example") });
    site.server.setTls(certificate("new.example"));
    assert.equal((await greet(t, site)).name, "new.example");
  });

  it("changes nothing where certificate and key do not fit, and says why", async (t) => {
    const site = await serving(t, ECHO, { tls: certificate("old.example") });
    const { cert } = certificate("new.example");
    for (const bad of [
      { cert },
      { cert, key: certificate("old.example").key },
      { cert: "no certificate" },
      { cert, key: "no key" },
      { minVersion: "TLSv9" as "TLSv1.3" },
    ]) {
      assert.throws(
        () => site.server.setTls(bad),
        (error: Error & { code: string }) => {
          assert.equal(error.code, "BAD_OPTION");
          assert.ok(error.cause instanceof Error);
          assert.ok(error.message.endsWith(error.cause.message), error.message);
          return true;
        },
      );
      assert.equal((await greet(t, site)).name, "old.example");
    }
    site.server.setTls(certificate("new.example"));
    assert.equal((await greet(t, site)).name, "new.example");
  });

  it("keeps what it is not given", async (t) => {
    const site = await serving(t, ECHO, { tls: { ...certificate("old.example"), maxVersion: "TLSv1.2" } });
    site.server.setTls(certificate("new.example"));
    const socket = connect({ port: site.server.port, host: "127.0.0.1", rejectUnauthorized: false });
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    assert.deepEqual([socket.getProtocol(), socket.getPeerCertificate().subject.CN], ["TLSv1.2", "new.example"]);
  });

  it("is refused by a server without tls", async (t) => {
    const site = await serving(t, ECHO);
    assert.throws(() => site.server.setTls(certificate()), { code: "BAD_OPTION" });
  });
});

describe("a server with tls", { skip: noCertificate }, () => {
  for (const [where, first, options] of WAYS) {
    it(`answers ALPN with what it speaks, ${where}`, async (t) => {
      const site = await serving(t, ECHO, { ...options, tls: certificate() });
      for (const [offered, chosen] of [
        [["h2", "http/1.1"], "http/1.1"],
        [["http/1.0", "http/1.1"], "http/1.1"],
        [["http/1.0"], "http/1.0"],
        [undefined, false],
      ] as const) {
        assert.equal((await greet(t, site, { first, ...(offered && { alpn: [...offered] }) })).alpn, chosen);
      }
      await assert.rejects(greet(t, site, { first, alpn: ["h2"] }), /no application protocol/i);
    });
  }

  it("leaves ALPN to who says it", async (t) => {
    const own = await serving(t, ECHO, { tls: { ...certificate(), ALPNProtocols: ["acme-tls/1"] } });
    assert.equal((await greet(t, own, { alpn: ["acme-tls/1"] })).alpn, "acme-tls/1");
    const asked = await serving(t, ECHO, {
      tls: { ...certificate(), ALPNCallback: lastOffered },
    });
    assert.equal((await greet(t, asked, { alpn: ["a", "b"] })).alpn, "b");
  });

  it("rejects with BAD_OPTION for a certificate that is none", async () => {
    for (const proxied of [{}, { trustedProxies: ["loopback"], proxyProtocol: "required" } as const]) {
      const tls = { cert: "no certificate", key: "no key" };
      await assert.rejects(serve(ECHO, { port: 0, tls, ...proxied }), (error: Error & { code: string }) => {
        assert.deepEqual([error.code, error.cause instanceof Error], ["BAD_OPTION", true]);
        return true;
      });
    }
  });
});

/** The answer to one more request on the same connection. */
async function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(request(`GET ${path}`));
  let text = "";
  while (!text.endsWith(path)) text += String((await once(socket, "data"))[0]);
  return text;
}
