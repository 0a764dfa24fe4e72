// TLS: a certificate that is changed while the server runs, and ALPN (RFC 7301).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket, type TlsOptions } from "node:tls";
import { type Handler, type ServeOptions, serve } from "../../src/index.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate, request, type Site, serving, socketPath } from "../support/serving.ts";

const PROXY = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
const ECHO: Handler = (r) => `${r.scheme} ${r.path}`;

const lastOffered = ({ protocols }: { protocols: string[] }): string | undefined => protocols.at(-1);

interface Greeting {
  readonly socket: TLSSocket;
  readonly name: string | string[] | undefined;
  readonly alpn: string | false | null;
}

/** The facts that a client learns in its handshake. `first` is sent in the clear before it. */
async function greet(
  t: TestContext,
  { server }: Site,
  { first, alpn, ...more }: { first?: string | undefined; alpn?: string[] } & ConnectionOptions = {},
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
    ...more,
  } as ConnectionOptions);
  t.after(() => socket.destroy());
  // The server may drop it before the test does.
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return { socket, name: socket.getPeerCertificate().subject?.CN, alpn: socket.alpnProtocol };
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

  it("changes nothing where certificate and key do not fit, and says why", {
    skip: lacks("errors of a certificate and its key"),
  }, async (t) => {
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

  it("refuses options that cannot handshake, says what to do, and the old certificate stays", {
    skip: lacks("errors of a certificate and its key"),
  }, async (t) => {
    const site = await serving(t, ECHO, { tls: certificate("old.example") });
    const { cert, key } = certificate("new.example");
    for (const [text, renewal] of refused({ cert, key })) {
      assert.throws(
        () => site.server.setTls(renewal as TlsOptions),
        { code: "BAD_OPTION", message: text },
        String(text),
      );
      assert.equal((await greet(t, site)).name, "old.example");
    }
  });

  it("takes undefined for an option that is not given: the old certificate stays beside a new option", async (t) => {
    const site = await serving(t, ECHO, { tls: certificate("old.example") });
    site.server.setTls({ cert: undefined, key: undefined, maxVersion: "TLSv1.2" });
    const greeting = await greet(t, site);
    assert.deepEqual([greeting.name, greeting.socket.getProtocol()], ["old.example", "TLSv1.2"]);
  });

  it("takes an option away with null", async (t) => {
    const site = await serving(t, ECHO, { tls: { ...certificate("old.example"), maxVersion: "TLSv1.2" } });
    site.server.setTls({ maxVersion: null });
    assert.equal((await greet(t, site)).socket.getProtocol(), "TLSv1.3");
    assert.throws(() => site.server.setTls({ key: null }), { code: "BAD_OPTION", message: /cert without its key/ });
    assert.throws(() => site.server.setTls({ cert: null, key: null }), { message: /has no certificate/ });
    assert.equal((await greet(t, site)).name, "old.example");
  });

  it("replaces cert and key by a pfx, and a pfx by them", async (t) => {
    const site = await serving(t, ECHO, { tls: certificate("old.example") });
    site.server.setTls({ pfx: pfx("new.example", "secret"), passphrase: "secret" });
    assert.equal((await greet(t, site)).name, "new.example");
    assert.throws(() => site.server.setTls({ passphrase: "wrong" }), { code: "BAD_OPTION" });
    assert.equal((await greet(t, site)).name, "new.example");
    site.server.setTls(certificate("old.example"));
    assert.equal((await greet(t, site)).name, "old.example");
  });

  it("serves another client, openssl, before and after a refusal", async (t) => {
    const site = await serving(t, ECHO, { tls: certificate("old.example") });
    assert.match(await sClient(site), /CN ?= ?old\.example/);
    assert.throws(() => site.server.setTls({ cert: "", key: "" }), { code: "BAD_OPTION" });
    assert.match(await sClient(site), /CN ?= ?old\.example/);
    site.server.setTls(certificate("new.example"));
    assert.match(await sClient(site), /CN ?= ?new\.example/);
  });

  it("takes a certificate that is not valid now, and warns of it", async (t) => {
    const warnings: string[] = [];
    const logger = { info() {}, error() {}, warn: (_details: object, text: string) => warnings.push(text) };
    const site = await serving(t, ECHO, { tls: certificate("old.example"), logger });
    assert.deepEqual(warnings, []);
    site.server.setTls(expiredCertificate());
    assert.match(warnings.join(), /^unichannel: the TLS certificate has expired on \w+/);
    assert.equal((await greet(t, site)).name, "expired.example");
  });

  it("keeps options that are not given", async (t) => {
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
    it(`answers ALPN with the protocols that it speaks, ${where}`, async (t) => {
      const site = await serving(t, ECHO, { ...options, tls: certificate() });
      for (const [offered, chosen] of [
        [["h2", "http/1.1"], "http/1.1"],
        [["http/1.0", "http/1.1"], "http/1.1"],
        [["http/1.0"], "http/1.0"],
        [undefined, false],
      ] as const) {
        assert.equal((await greet(t, site, { first, ...(offered && { alpn: [...offered] }) })).alpn, chosen);
      }
      await assert.rejects(greet(t, site, { first, alpn: ["h2"] }), /no[ _]?application[ _]?protocol/i);
    });
  }

  it("leaves ALPN to the options that set it", async (t) => {
    const own = await serving(t, ECHO, { tls: { ...certificate(), ALPNProtocols: ["acme-tls/1"] } });
    assert.equal((await greet(t, own, { alpn: ["acme-tls/1"] })).alpn, "acme-tls/1");
    const asked = await serving(t, ECHO, {
      tls: { ...certificate(), ALPNCallback: lastOffered },
    });
    assert.equal((await greet(t, asked, { alpn: ["a", "b"] })).alpn, "b");
  });

  it("rejects with BAD_OPTION, which says what to do, where no handshake could succeed", {
    skip: lacks("errors of a certificate and its key"),
  }, async () => {
    const given = certificate();
    const others = [
      [/no certificate; give cert and key, or pfx/, {}],
      [/no certificate/, { cert: undefined, key: undefined }],
      [/no certificate/, { minVersion: "TLSv1.2" }],
      [/tls has no option "certt"; did you mean "cert"/, { certt: given.cert, key: given.key }],
      [/must be an object, not true/, true],
      [/must be an object, not null/, null],
      [/ALPNCallback/, { ...given, ALPNCallback: 5 }],
      [/SNICallback/, { ...given, SNICallback: "x" }],
    ] as const;
    for (const proxied of [{}, { trustedProxies: ["loopback"], proxyProtocol: "required" } as const]) {
      for (const [text, tls] of [
        ...refused(given).filter(([, { SNICallback }]) => SNICallback === undefined),
        ...others,
      ]) {
        const starting = serve(ECHO, { port: 0, tls: tls as TlsOptions, ...proxied });
        await assert.rejects(starting, { code: "BAD_OPTION", message: text }, String(text));
      }
    }
  });

  it("has the default handshake limit, and its own ALPN, where an option is undefined", async (t) => {
    const tls = { ...certificate(), ALPNProtocols: undefined, handshakeTimeout: undefined } as unknown as TlsOptions;
    const site = await serving(t, ECHO, { tls });
    assert.equal((await greet(t, site, { alpn: ["h2", "http/1.1"] })).alpn, "http/1.1");
  });

  it("rejects with BAD_OPTION for text that is no certificate", {
    skip: lacks("errors of a certificate and its key"),
  }, async () => {
    for (const proxied of [{}, { trustedProxies: ["loopback"], proxyProtocol: "required" } as const]) {
      const tls = { cert: "no certificate", key: "no key" };
      await assert.rejects(serve(ECHO, { port: 0, tls, ...proxied }), (error: Error & { code: string }) => {
        assert.deepEqual([error.code, error.cause instanceof Error], ["BAD_OPTION", true]);
        return true;
      });
    }
  });
});

const SNI_FAULTS: Readonly<Record<string, (name: string, done: (error: null, context: never) => void) => unknown>> = {
  throws() {
    throw new Error("of the application");
  },
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("of the application")),
  "returns a thenable whose then throws": () => ({
    // biome-ignore lint/suspicious/noThenProperty: such an object is what is tested
    get then() {
      throw new Error("of the application");
    },
  }),
  "answers with options": (_name, done) => done(null, certificate("b.example") as never),
  "answers with a number": (_name, done) => done(null, 5 as never),
};

describe("the callbacks of tls", { skip: noCertificate }, () => {
  for (const [what, SNICallback] of Object.entries(SNI_FAULTS)) {
    it(`an SNICallback that ${what} ends its handshake alone, and is reported`, async (t) => {
      let isFaulty = true;
      const tls: TlsOptions = {
        ...certificate("a.example"),
        SNICallback: (name, done) => (isFaulty ? (SNICallback(name, done) as undefined) : done(null)),
      };
      const site = await serving(t, ECHO, { tls });
      await assert.rejects(greet(t, site, { servername: "b.example" }));
      assert.deepEqual(
        site.takeReports().map(({ source }) => source),
        ["connection"],
      );
      isFaulty = false;
      assert.equal((await greet(t, site, { servername: "b.example" })).name, "a.example");
    });
  }

  it("an SNICallback chooses the certificate by its callback, by what it returns, and by what it resolves with", async (t) => {
    const context = createSecureContext(certificate("b.example"));
    const ways: TlsOptions["SNICallback"][] = [
      (_name, done) => done(null, context),
      (_name, done) => void setTimeout(() => done(null, context), 1),
      (() => context) as never,
      (async () => context) as never,
    ];
    for (const SNICallback of ways) {
      const site = await serving(t, ECHO, { tls: { ...certificate("a.example"), SNICallback: SNICallback! } });
      assert.equal((await greet(t, site, { servername: "b.example" })).name, "b.example");
      assert.deepEqual(site.takeReports(), []);
    }
  });

  it("an SNICallback alone is enough for clients that say a name", async (t) => {
    const context = createSecureContext(certificate("b.example"));
    const site = await serving(t, ECHO, { tls: { SNICallback: (_name, done) => done(null, context) } });
    assert.equal((await greet(t, site, { servername: "b.example" })).name, "b.example");
  });

  it("an SNICallback that refuses a name with an error, or answers twice, is not reported", async (t) => {
    const SNICallback: TlsOptions["SNICallback"] = (name, done) => {
      done(name === "c.example" ? new Error("unknown name") : null);
      done(null);
    };
    const site = await serving(t, ECHO, { tls: { ...certificate("a.example"), SNICallback } });
    await assert.rejects(greet(t, site, { servername: "c.example" }));
    assert.equal((await greet(t, site, { servername: "a.example" })).name, "a.example");
    assert.deepEqual(site.takeReports(), []);
  });

  const faults: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error("of the application");
    },
    rejects: () => Promise.reject(new Error("of the application")),
    "answers oddly": () => 5,
  };
  for (const [what, answer] of Object.entries(faults)) {
    it(`an ALPNCallback that ${what} refuses the protocols, and is reported`, {
      skip: lacks("the alert of an ALPNCallback that fails"),
    }, async (t) => {
      const site = await serving(t, ECHO, { tls: { ...certificate(), ALPNCallback: answer as () => string } });
      await assert.rejects(greet(t, site, { alpn: ["a"] }), /no[ _]?application[ _]?protocol/i);
      assert.equal(site.takeReports().length, 1);
      assert.equal((await greet(t, site)).alpn, false);
    });

    it(`a pskCallback that ${what} ends its handshake alone, and is reported`, {
      skip: lacks("TLS with pre-shared keys"),
    }, async (t) => {
      const psk = { ciphers: "PSK+HIGH", maxVersion: "TLSv1.2" } as const;
      let isFaulty = true;
      const secret = Buffer.alloc(32, 1);
      const tls = { ...psk, pskCallback: () => (isFaulty ? (answer() as Buffer) : secret) };
      const site = await serving(t, ECHO, { tls });
      const client = {
        ...psk,
        pskCallback: () => ({ psk: secret, identity: "a" }),
        checkServerIdentity: () => undefined,
      };
      await assert.rejects(greet(t, site, client));
      assert.equal(site.takeReports().length, 1);
      isFaulty = false;
      assert.equal((await greet(t, site, client)).socket.getProtocol(), "TLSv1.2");
    });
  }
});

type Row = readonly [text: RegExp, options: Record<string, unknown>];

/** Options that both `setTls` and `serve` refuse. */
function refused({ cert, key }: { readonly cert: string; readonly key: string }): readonly Row[] {
  const other = certificate("other.example");
  return [
    [/key is not the key of cert; give the two/, { cert, key: other.key }],
    [/not PEM; give the text of the file, not its path/, { cert: "/etc/ssl/fullchain.pem", key }],
    [/not PEM/, { cert, key: "/etc/ssl/key.pem" }],
    [/tls: /, { cert: cert.slice(0, 200), key }],
    [/key is encrypted; give its passphrase|passphrase/, { cert, key: encrypted(key) }],
    [/passphrase is not the passphrase/, { cert, key: encrypted(key), passphrase: "wrong" }],
    [/cert without its key|key is not the key of cert/, { cert, key: "" }],
    [/key without its cert/, { cert: "", key }],
    [/no certificate|no option with a value/, { cert: [], key: [] }],
    [/no certificate|no option with a value/, { cert: undefined, key: undefined }],
    [/no certificate|no option with a value/, {}],
    [/tls: /, { cert: 5, key }],
    [/tls: /, { cert, key, pfx: Buffer.from("none") }],
    [
      /allows no version: minVersion is TLSv1.3 and maxVersion is TLSv1.2/,
      { cert, key, minVersion: "TLSv1.3", maxVersion: "TLSv1.2" },
    ],
    [/allows no version/, { cert, key, maxVersion: "TLSv1.1" }],
    [/ciphers of TLSv1.3 only/, { cert, key, ciphers: "TLS_AES_128_GCM_SHA256", maxVersion: "TLSv1.2" }],
    [/no cipher of TLSv1.3/, { cert, key, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256", minVersion: "TLSv1.3" }],
    [/tls: /, { cert, key, ciphers: "NONSENSE" }],
    [/tls: /, { cert, key, ticketKeys: Buffer.alloc(5) }],
    [/has no option "kay"; did you mean "key"/, { cert, kay: key }],
    [/has no option "SNICallback"/, { SNICallback: () => {} }],
  ];
}

/** The key with a passphrase. */
function encrypted(key: string): string {
  return String(
    createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" }),
  );
}

function pfx(name: string, passphrase: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-tls-"));
  try {
    const { cert, key } = certificate(name);
    writeFileSync(join(folder, "both.pem"), `${cert}${key}`);
    return execFileSync("openssl", [
      "pkcs12",
      "-export",
      "-in",
      join(folder, "both.pem"),
      "-passout",
      `pass:${passphrase}`,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function expiredCertificate(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-tls-"));
  try {
    const path = (name: string): string => join(folder, name);
    const { key } = certificate("expired.example");
    writeFileSync(path("key"), key);
    const subject = ["-subj", "/CN=expired.example", "-key", path("key"), "-out", path("csr")];
    execFileSync("openssl", ["req", "-new", ...subject], { stdio: "ignore" });
    // Valid for no time at all from now.
    const days = ["-days", "-1", "-in", path("csr"), "-signkey", path("key"), "-out", path("cert")];
    execFileSync("openssl", ["x509", "-req", ...days], { stdio: "ignore" });
    return { cert: readFileSync(path("cert"), "utf8"), key };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the output of `openssl s_client` for a handshake. */
async function sClient({ server }: Site): Promise<string> {
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${server.port}`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  child.stdin.end();
  return text(child.stdout);
}

/** The answer to one more request on the same connection. */
async function ask(socket: TLSSocket, path: string): Promise<string> {
  socket.write(request(`GET ${path}`));
  let text = "";
  while (!text.endsWith(path)) text += String((await once(socket, "data"))[0]);
  return text;
}
