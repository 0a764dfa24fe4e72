// The client behind proxies, as header fields and PROXY headers name it. Real sockets of 127.0.0.1,
// which plays the trusted proxy in one test and an impostor in the next.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { connect as connectTls, type TlsOptions } from "node:tls";
import { WebSocket } from "ws";
import { type Handler, type ServeOptions, type Server, serve, withChannel } from "../../src/index.ts";
import type { Client } from "../../src/request/client.ts";
import {
  findClient,
  type ProxyHeader,
  type TrustedProxies,
  toProxyMatcher,
  toTrustedHeaders,
} from "../../src/server/trusted-proxies.ts";
import { bytesOf, oneByOne } from "../support/cut.ts";
import { hex } from "../support/hex.ts";
import { lacks } from "../support/runtime.ts";
import { serving, socketPath } from "../support/serving.ts";

const PROXY = "192.0.2.1";
const INNER = "192.0.2.2";
const CLIENT = "198.51.100.9";
const FORGED = "203.0.113.66";

interface Proxies {
  readonly trusted?: TrustedProxies;
  readonly headers?: readonly ProxyHeader[];
}

/** Returns the client of a connection from `PROXY`, or `address`. By default the kind of the first field is trusted. */
function clientOf(fields: readonly string[], { trusted, headers }: Proxies = {}, address = PROXY): Client {
  const isProxy = toProxyMatcher(
    trusted ?? [PROXY, INNER],
    () => false,
    () => {},
  )!;
  const trustedHeaders = toTrustedHeaders(headers ?? (fields[0] === "Forwarded" ? ["Forwarded"] : undefined));
  return findClient({ address, scheme: "http", host: "own" }, fields, { isProxy, trustedHeaders });
}

function addressOf(name: string, value: string): string | undefined {
  return clientOf([name, value]).address;
}

describe("trustedProxies", () => {
  it("names the client: the first address from the near end that is not trusted", () => {
    assert.equal(addressOf("X-Forwarded-For", CLIENT), CLIENT);
    assert.equal(addressOf("X-Forwarded-For", `${CLIENT}, ${INNER}`), CLIENT);
    assert.equal(addressOf("Forwarded", `for=${CLIENT}, for=${INNER};by=${PROXY}`), CLIENT);
  });

  it("ignores hops that the client itself may have written", () => {
    assert.equal(addressOf("X-Forwarded-For", `${FORGED}, ${CLIENT}`), CLIENT);
    assert.equal(addressOf("X-Forwarded-For", `${PROXY}, ${CLIENT}, ${INNER}`), CLIENT);
    assert.equal(addressOf("Forwarded", `for=${FORGED}, for=${CLIENT}, for=${INNER}`), CLIENT);
    assert.equal(addressOf("Forwarded", `for="${FORGED}, for=${CLIENT}`), CLIENT);
  });

  it("names the furthest address when all are trusted", () => {
    assert.equal(addressOf("X-Forwarded-For", `${PROXY}, ${INNER}`), PROXY);
    assert.equal(addressOf("X-Forwarded-For", INNER), INNER);
  });

  it("knows no address where the proxy hides it or does not know it (RFC 7239 §6.2, §6.3)", () => {
    assert.equal(addressOf("Forwarded", `for=${FORGED}, for=unknown`), undefined);
    assert.equal(addressOf("Forwarded", `for=_hidden, for=${INNER}`), undefined);
    assert.equal(addressOf("X-Forwarded-For", "unknown"), undefined);
  });

  it("keeps the connection's own address where a proxy names none, or none that can be read", () => {
    assert.deepEqual(clientOf([]), { address: PROXY, scheme: "http", host: "own" });
    assert.deepEqual(clientOf(["Forwarded", "for=nonsense;proto=https"]), {
      address: PROXY,
      scheme: "http",
      host: "own",
    });
    assert.equal(addressOf("X-Forwarded-For", `${FORGED}, example.com`), PROXY);
    assert.equal(addressOf("Forwarded", "proto=https"), PROXY);
    assert.deepEqual(clientOf(["X-Forwarded-For", CLIENT, "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "a b"]), {
      address: CLIENT,
      scheme: "http",
      host: "own",
    });
  });

  it("takes scheme and host from the hop of the client, whose writer is the proxy that the client asked", () => {
    const line = `for=${FORGED};proto=http;host=forged, for=${CLIENT};proto=https;host=outer, for=${INNER};host=inner`;
    assert.deepEqual(clientOf(["Forwarded", line]), { address: CLIENT, scheme: "https", host: "outer" });
  });

  it("takes scheme and host from the next nearer hop where that one has none", () => {
    const line = `for=${FORGED};proto=http;host=forged, for=${CLIENT}, for=${INNER};proto=https;host=inner`;
    assert.deepEqual(clientOf(["Forwarded", line]), { address: CLIENT, scheme: "https", host: "inner" });
    const fields = ["X-Forwarded-For", `${FORGED}, ${CLIENT}, ${INNER}`, "X-Forwarded-Proto", "https"];
    assert.deepEqual(clientOf(fields), { address: CLIENT, scheme: "https", host: "own" });
  });

  it("reads X-Forwarded-* and not Forwarded by default: a proxy that writes the former may pass on the latter", () => {
    const forged = ["Forwarded", `for=${FORGED};proto=https;host=forged`];
    const own = { address: PROXY, scheme: "http", host: "own" };
    const fields = ["X-Forwarded-For", CLIENT];
    assert.deepEqual(clientOf([...fields, ...forged]), { ...own, address: CLIENT });
    assert.deepEqual(clientOf(["Host", "own", ...forged]), own);
  });

  it("reads the fields in proxyHeaders, and no other that a client may have written", () => {
    const forged = [
      ...["X-Forwarded-For", FORGED, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "forged"],
      ...["Forwarded", `for=${CLIENT}`],
    ];
    const own = { address: PROXY, scheme: "http", host: "own" };
    assert.deepEqual(clientOf(forged, { headers: ["Forwarded"] }), { ...own, address: CLIENT });
    assert.deepEqual(clientOf(forged, { headers: ["X-Forwarded-Proto"] }), { ...own, scheme: "https" });
    assert.deepEqual(clientOf(forged, { headers: [] }), own);
    const names = ["x-forwarded-FOR"] as unknown as ProxyHeader[];
    assert.deepEqual(clientOf(forged, { headers: names }), { ...own, address: FORGED });
  });

  for (const headers of [["Forwarded", "X-Forwarded-For"], ["X-Real-IP"], [""], "Forwarded", [undefined]]) {
    it(`refuses proxyHeaders ${JSON.stringify(headers)} with BAD_OPTION`, async () => {
      const options = { port: 0, proxyHeaders: headers as unknown as ProxyHeader[] };
      await assert.rejects(
        serve(() => "", options),
        { code: "BAD_OPTION" },
      );
    });
  }

  it("reads no header of a peer that is not trusted", () => {
    const fields = ["X-Forwarded-For", FORGED, "X-Forwarded-Proto", "https", "Forwarded", `for=${FORGED};host=forged`];
    assert.deepEqual(clientOf(fields, { trusted: [PROXY] }, CLIENT), { address: CLIENT, scheme: "http", host: "own" });
  });

  const trusted: readonly [list: string[], addresses: string[], others: string[]][] = [
    [["192.0.2.1"], ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.2", "::1"]],
    [["10.1.2.3/8"], ["10.0.0.0", "10.255.255.255"], ["11.0.0.0", "9.255.255.255"]],
    [["2001:db8::/32"], ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::"]],
    [["2001:DB8::1"], ["2001:db8:0:0::1"], ["2001:db8::2"]],
    [["0.0.0.0/0"], ["1.2.3.4"], ["2001:db8::1"]],
    [["loopback"], ["127.0.0.1", "127.255.0.1", "::1"], ["128.0.0.1", "::2", "10.0.0.1"]],
    [["private"], ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1"], ["172.32.0.1", "127.0.0.1"]],
    [
      ["loopback", "192.0.2.0/24"],
      ["127.0.0.1", "192.0.2.200"],
      ["192.0.3.0", "nonsense", ""],
    ],
  ];
  for (const [list, addresses, others] of trusted) {
    it(`trusts with ${JSON.stringify(list)} ${addresses.join(" and ")}`, () => {
      const isProxy = toProxyMatcher(
        list,
        () => false,
        () => {},
      )!;
      // Asked twice: the second time it remembers.
      for (const address of [...addresses, ...addresses]) assert.ok(isProxy(address), address);
      for (const address of [...others, ...others]) assert.ok(!isProxy(address), address);
      assert.ok(!isProxy(undefined));
    });
  }

  it("caches a bounded number of addresses", () => {
    const isProxy = toProxyMatcher(
      ["10.0.0.0/8"],
      () => false,
      () => {},
    )!;
    for (let index = 0; index < 5000; index++) {
      assert.equal(isProxy(`${index % 2 === 0 ? 10 : 11}.0.${index >> 8}.${index & 255}`), index % 2 === 0);
    }
  });

  for (const list of [["localhost"], ["10.0.0.0/33"], ["::/129"], ["10.0.0.0/"], ["10.0.0/8"], [""], ["constructor"]]) {
    it(`refuses ${JSON.stringify(list)} with BAD_OPTION`, async () => {
      await assert.rejects(
        serve(() => "", { port: 0, trustedProxies: list }),
        { code: "BAD_OPTION" },
      );
    });
  }

  for (const [why, options] of [
    ["a word instead of a list", { trustedProxies: "loopback" }],
    ["an unknown proxyProtocol", { trustedProxies: ["loopback"], proxyProtocol: "v2" }],
    ["proxyProtocol without trustedProxies", { proxyProtocol: "optional" }],
    ["proxyProtocol with nobody to trust", { proxyProtocol: "required", trustedProxies: [] }],
    [
      "proxyProtocol before TLS on a Unix socket",
      { proxyProtocol: "required", trustedProxies: ["unix"], tls: {}, path: "/" },
    ],
  ] as const) {
    it(`refuses ${why} with BAD_OPTION`, async () => {
      await assert.rejects(
        serve(() => "", { port: 0, ...(options as ServeOptions) }),
        { code: "BAD_OPTION" },
      );
    });
  }
});

describe("a request behind a trusted proxy", () => {
  const fields = `X-Forwarded-For: ${FORGED}, ${CLIENT}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n`;

  it("has the client's address, scheme and host, as its Fetch Request has", async (t) => {
    const { server } = await serving(t, WHO, { trustedProxies: ["loopback"] });
    assert.deepEqual(await ask(t, server, fields), {
      address: CLIENT,
      scheme: "https",
      host: "app.example",
      url: "https://app.example/path",
    });
  });

  it("has the connection's own without trustedProxies, or with others", async (t) => {
    const own = { address: "127.0.0.1", scheme: "http", host: "own:81", url: "http://own:81/path" };
    for (const options of [{}, { trustedProxies: [] }, { trustedProxies: ["192.0.2.1"] }]) {
      const { server } = await serving(t, WHO, options);
      assert.deepEqual(await ask(t, server, fields), own);
    }
  });

  it("has its fields read only when the application asks, and once", async (t) => {
    const asked: string[] = [];
    const trustedProxies = (address: string): boolean => asked.push(address) > 0 && address === "127.0.0.1";
    const silent = await serving(t, () => "nothing asked", { trustedProxies });
    await exchange(t, silent.server, `GET / HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`);
    assert.deepEqual(asked, []);
    const { server } = await serving(t, WHO, { trustedProxies });
    assert.equal((await ask(t, server, fields)).address, CLIENT);
    assert.deepEqual(asked, ["127.0.0.1", CLIENT]);
  });

  it("is believed only by a function that says true, and one that throws is reported", async (t) => {
    const vague = await serving(t, WHO, { trustedProxies: (() => "yes") as unknown as () => boolean });
    assert.equal((await ask(t, vague.server, fields)).address, "127.0.0.1");
    const failing = await serving(t, WHO, {
      trustedProxies: () => {
        throw new Error("no list");
      },
    });
    assert.equal((await ask(t, failing.server, fields)).address, "127.0.0.1");
    assert.deepEqual(failing.takeMessages(), ["connection: no list"]);
  });

  it("has no address on a Unix socket, unless its peers are trusted", async (t) => {
    const named = { address: CLIENT, scheme: "https", host: "app.example", url: "https://app.example/path" };
    const own = { address: null, scheme: "http", host: "own:81", url: "http://own:81/path" };
    for (const [trustedProxies, expected] of [
      [["unix"], named],
      [["loopback", "private"], own],
      [() => true, own],
    ] as const) {
      const { server } = await serving(t, WHO, { path: socketPath(t), trustedProxies });
      assert.deepEqual(await ask(t, server, fields), expected);
    }
  });

  it("has no host where HTTP/1.0 sent none", async (t) => {
    const { server } = await serving(t, (request) => JSON.stringify(request.host));
    assert.match(await exchange(t, server, "GET / HTTP/1.0\r\n\r\n"), /\r\n\r\n""$/);
  });

  it("may be a WebSocket, whose page's origin is compared with the host that the client asked for", async (t) => {
    const { server } = await serving(
      t,
      (request) =>
        withChannel(request, (channel) => {
          channel.send(String(request.remoteAddress));
        }),
      { trustedProxies: ["loopback"] },
    );
    const headers = { "X-Forwarded-For": CLIENT, "X-Forwarded-Host": "app.example", Host: "upstream:9090" };
    const open = (origin: string): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${server.port}`, { headers: { ...headers, Origin: origin } });
    const socket = open("https://app.example");
    t.after(() => socket.terminate());
    const [message] = await once(socket, "message");
    assert.equal(String(message), CLIENT);
    const [error] = await once(open("https://evil.example"), "error");
    assert.match(String(error), /403/);
  });
});

describe("proxyProtocol", () => {
  const V1 = `PROXY TCP4 ${CLIENT} 192.0.2.80 56324 80\r\n`;
  const V2 = hex("0d0a0d0a 000d0a51 5549540a 21 11 000c c6336409 c0000250 dc04 0050");
  const LOCAL = hex("0d0a0d0a 000d0a51 5549540a 20 00 0000");
  const REQUIRED: ServeOptions = { trustedProxies: ["loopback"], proxyProtocol: "required" };
  const OPTIONAL: ServeOptions = { trustedProxies: ["loopback"], proxyProtocol: "optional" };

  for (const options of [REQUIRED, OPTIONAL]) {
    for (const [version, header] of [
      ["a PROXY line", bytesOf(V1)],
      ["a binary header", V2],
    ] as const) {
      it(`"${options.proxyProtocol}" takes the client's address from ${version}`, async (t) => {
        const { server } = await serving(t, WHO, options);
        assert.deepEqual(await ask(t, server, "", [header]), {
          address: CLIENT,
          scheme: "http",
          host: "own:81",
          url: "http://own:81/path",
        });
      });

      it(`"${options.proxyProtocol}" takes it from ${version} that comes byte by byte`, async (t) => {
        const { server } = await serving(t, WHO, options);
        assert.equal((await ask(t, server, "", oneByOne(header))).address, CLIENT);
      });
    }
  }

  it("is parsed once for a connection, and holds for all its requests", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const get = "GET /path HTTP/1.1\r\nHost: x\r\n";
    const answer = await exchange(t, server, `${V1}${get}\r\n${get}Connection: close\r\n\r\n`);
    assert.equal(answer.split(`"address":"${CLIENT}"`).length - 1, 2);
    const second = await exchange(t, server, `${V1}${get}\r\n${V1}${get}\r\n`);
    assert.match(second, /^HTTP\/1\.1 200 .*HTTP\/1\.1 400 /s);
  });

  it("names an address that wins over X-Forwarded-For: its peer is the client, and that is no trusted proxy", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const forged = `X-Forwarded-For: ${FORGED}\r\nX-Forwarded-Host: forged\r\nForwarded: for=${FORGED};proto=https\r\n`;
    assert.deepEqual(await ask(t, server, forged, [bytesOf(V1)]), {
      address: CLIENT,
      scheme: "http",
      host: "own:81",
      url: "http://own:81/path",
    });
  });

  it("may name another trusted proxy, whose fields are read then", async (t) => {
    const { server } = await serving(t, WHO, { ...REQUIRED, trustedProxies: ["loopback", CLIENT] });
    const answer = await ask(t, server, `X-Forwarded-For: ${FORGED}\r\n`, [V2]);
    assert.equal(answer.address, FORGED);
  });

  it("leaves a proxy's own connection (LOCAL) as it is", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    assert.equal((await ask(t, server, "", [LOCAL])).address, "127.0.0.1");
  });

  it("gives a client without a known address neither the proxy's address nor its trust", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const answer = await ask(t, server, `X-Forwarded-For: ${FORGED}\r\n`, [bytesOf("PROXY UNKNOWN\r\n")]);
    assert.equal(answer.address, null);
    const unix = await serving(t, WHO, { ...REQUIRED, path: socketPath(t), trustedProxies: ["unix"] });
    const other = await ask(t, unix.server, `X-Forwarded-For: ${FORGED}\r\n`, [bytesOf("PROXY UNKNOWN\r\n")]);
    assert.equal(other.address, null);
  });

  it("works on a Unix socket", async (t) => {
    const { server } = await serving(t, WHO, { ...REQUIRED, path: socketPath(t), trustedProxies: ["unix"] });
    assert.equal((await ask(t, server, "", [V2])).address, CLIENT);
  });

  it('"optional" invents nothing where there is no header', async (t) => {
    const { server } = await serving(
      t,
      ({ remoteAddress, headers }) => JSON.stringify([remoteAddress, [...headers.keys()]]),
      OPTIONAL,
    );
    const answer = await exchange(t, server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(answer, /\r\n\r\n\["127\.0\.0\.1",\["connection","host"\]\]$/);
    const late = await exchange(t, server, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(late, /^HTTP\/1\.1 200 /);
  });

  it('"required" refuses a connection without a header: 400', async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const answer = await exchange(t, server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 400 .*the PROXY header is missing\n$/s);
  });

  for (const options of [REQUIRED, OPTIONAL]) {
    it(`"${options.proxyProtocol}" refuses a malformed header: 400`, async (t) => {
      const { server } = await serving(t, WHO, options);
      const answer = await exchange(
        t,
        server,
        "PROXY TCP4 localhost 192.0.2.80 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
      );
      assert.match(answer, /^HTTP\/1\.1 400 .*malformed address\n$/s);
    });
  }

  it('"required" refuses an untrusted peer before it sends anything: 400', async (t) => {
    const { server } = await serving(t, WHO, { ...REQUIRED, trustedProxies: ["192.0.2.1"] });
    for (const text of ["", V1, `${V1}GET / HTTP/1.1\r\nHost: x\r\n\r\n`]) {
      assert.match(await exchange(t, server, text), /^HTTP\/1\.1 400 .*Connection: close\r\n.*trustedProxies only\n$/s);
    }
    assert.equal(server.stats().requests, 0);
  });

  it('"optional" reads as HTTP what others send, and a PROXY header is none: 400', async (t) => {
    const { server } = await serving(t, WHO, { ...OPTIONAL, trustedProxies: ["192.0.2.1"] });
    for (const header of [V1, Buffer.from(V2).toString("latin1")]) {
      const answer = await exchange(t, server, `${header}GET / HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 400 /);
    }
    assert.equal(server.stats().requests, 0);
    assert.equal((await ask(t, server, "")).address, "127.0.0.1");
  });

  it('"off" reads no header: 400', async (t) => {
    const { server } = await serving(t, WHO, { trustedProxies: ["loopback"] });
    assert.match(await exchange(t, server, `${V1}GET / HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 400 /);
  });

  it("answers a bad PROXY line of 2 MB with the whole 400 (RFC 9112 §9.6)", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const answer = await exchange(t, server, `PROXY ${"A".repeat(2 * 1024 * 1024)}\r\n`);
    const [head, body] = answer.split("\r\n\r\n");
    assert.match(head!, /^HTTP\/1\.1 400 /);
    assert.equal(Number(/content-length: (\d+)/i.exec(head!)![1]), body!.length);
    assert.match(body!, /the PROXY line is too long\n$/);
  });

  it("carries a WebSocket, with frames directly after the handshake", async (t) => {
    const { server } = await serving(
      t,
      (request) =>
        withChannel(request, (channel) => {
          channel.onMessage((message) => channel.send(`${message} ${request.remoteAddress}`));
        }),
      REQUIRED,
    );
    const handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const frames = Buffer.from(hex("81 85 37fa213d 7f9f4d5158")).toString("latin1");
    const socket = connect(whereIs(server));
    t.after(() => socket.destroy());
    socket.write(`${V1}GET / HTTP/1.1\r\nHost: x\r\n${handshake}${key}\r\n${frames}`, "latin1");
    let answer = "";
    for await (const bytes of socket.setEncoding("latin1")) {
      answer += bytes;
      if (answer.includes(`Hello ${CLIENT}`)) break;
    }
    assert.match(answer, /^HTTP\/1\.1 101 .*Hello 198\.51\.100\.9$/s);
  });

  it("drops a client that leaves before the header, and one that still waits when the server stops", async (t) => {
    const { server } = await serving(t, WHO, REQUIRED);
    const leaving = connect(whereIs(server));
    await once(leaving, "connect");
    leaving.end("PROXY TC");
    leaving.resume();
    await closed(leaving);
    const waiting = connect(whereIs(server)).on("error", () => {});
    await once(waiting, "connect");
    waiting.write("PROXY TC");
    while (server.stats().connections === 0) await setImmediate();
    await Promise.all([closed(waiting), server.stop({ graceMs: 60_000 })]);
    assert.equal(server.stats().connections, 0);
  });
});

describe("proxyProtocol before TLS", { skip: lacks("TLS with pre-shared keys") }, () => {
  const V1 = `PROXY TCP4 ${CLIENT} 192.0.2.80 56324 443\r\n`;
  const SECRET = Buffer.from("0123456789abcdef");
  // A shared key instead of a certificate.
  const TLS: TlsOptions = {
    ciphers: "PSK",
    maxVersion: "TLSv1.2",
    pskCallback: () => SECRET,
  };
  const OPTIONS: ServeOptions = { trustedProxies: ["loopback"], proxyProtocol: "required", tls: TLS };

  /** One request over TLS on this connection. */
  async function askOver(t: TestContext, socket: Socket): Promise<Answer> {
    const tls = connectTls({
      socket,
      ciphers: "PSK",
      maxVersion: "TLSv1.2",
      pskCallback: () => ({ psk: SECRET, identity: "proxy" }),
      checkServerIdentity: () => undefined,
    });
    t.after(() => tls.destroy());
    tls.write("GET /path HTTP/1.1\r\nHost: own\r\nX-Forwarded-For: 203.0.113.66\r\nConnection: close\r\n\r\n");
    let text = "";
    for await (const bytes of tls.setEncoding("latin1")) text += bytes;
    return JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as Answer;
  }

  const expected = { address: CLIENT, scheme: "https", host: "own", url: "https://own/path" };

  it("takes the address from the header before the handshake", async (t) => {
    const { server } = await serving(t, WHO, OPTIONS);
    const socket = connect(whereIs(server));
    socket.write(V1);
    assert.deepEqual(await askOver(t, socket), expected);
    assert.equal(server.stats().requests, 1);
  });

  it("takes it too where the header comes in pieces, or together with the handshake", async (t) => {
    const { server } = await serving(t, WHO, OPTIONS);
    const slow = connect({ ...whereIs(server), noDelay: true } as NetConnectOpts);
    for (const byte of oneByOne(bytesOf(V1))) await new Promise((resolve) => slow.write(byte, resolve));
    assert.deepEqual(await askOver(t, slow), expected);
    const together = connect(whereIs(server));
    await once(together, "connect");
    together.cork();
    together.write(V1);
    setTimeout(() => together.uncork(), 20);
    assert.deepEqual(await askOver(t, together), expected);
  });

  it("keeps many handshakes apart", async (t) => {
    const { server } = await serving(t, WHO, OPTIONS);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        const socket = connect(whereIs(server));
        socket.write(`PROXY TCP4 198.51.100.${index} 192.0.2.80 1 2\r\n`);
        return askOver(t, socket);
      }),
    );
    assert.deepEqual(
      answers.map(({ address }) => address),
      Array.from({ length: 20 }, (_, index) => `198.51.100.${index}`),
    );
  });

  it('is not needed where it is "optional"', async (t) => {
    const { server } = await serving(t, WHO, { ...OPTIONS, proxyProtocol: "optional" });
    assert.equal((await askOver(t, connect(whereIs(server)))).address, FORGED);
    const others = await serving(t, WHO, { ...OPTIONS, proxyProtocol: "optional", trustedProxies: ["192.0.2.1"] });
    assert.equal((await askOver(t, connect(whereIs(others.server)))).address, "127.0.0.1");
  });

  it("drops a connection without the header, from an untrusted peer, and with no TLS handshake", async (t) => {
    const { server } = await serving(t, WHO, OPTIONS);
    const strict = await serving(t, WHO, { ...OPTIONS, trustedProxies: ["192.0.2.1"] });
    for (const [to, text] of [
      [server, "\x16\x03\x01"],
      [strict.server, V1],
      [server, `${V1}GET / HTTP/1.1\r\nHost: x\r\n\r\n`],
    ] as const) {
      assert.ok(!(await exchange(t, to, text)).startsWith("HTTP"));
    }
    assert.equal(server.stats().connections, 0);
  });

  it("does not keep the server from stopping when a handshake never comes", async (t) => {
    for (const [options, text] of [
      [OPTIONS, V1],
      [{ tls: TLS }, "\x16\x03\x01"],
    ] as const) {
      const { server } = await serving(t, WHO, options);
      const socket = connect(whereIs(server)).on("error", () => {});
      await once(socket, "connect");
      await new Promise((resolve) => socket.write(text, resolve));
      await Promise.all([closed(socket.resume()), server.stop({ graceMs: 0 })]);
      assert.equal(server.status, "stopped");
    }
  });
});

interface Answer {
  readonly address: string | null;
  readonly scheme: string;
  readonly host: string;
  readonly url: string;
}

/** Answers with what the request says of its client. */
const WHO: Handler = (request) => ({
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({
    address: request.remoteAddress ?? null,
    scheme: request.scheme,
    host: request.host,
    url: request.toRequest().url,
  }),
});

/** Resolves when the socket is closed, however. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function whereIs(server: Server): NetConnectOpts {
  return server.port === 0 ? { path: server.url.slice("unix:".length) } : { host: "127.0.0.1", port: server.port };
}

/** Sends text whose characters are bytes, in these pieces, and gives all that comes back until the server ends. */
async function exchange(t: TestContext, server: Server, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const socket = connect({ ...whereIs(server), noDelay: true } as NetConnectOpts);
  t.after(() => socket.destroy());
  let answer = "";
  const ended = new Promise<void>((resolve, reject) => {
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
    });
    socket.on("end", resolve);
    socket.on("error", reject);
  });
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    await Promise.race([new Promise((resolve) => socket.write(bytes, resolve)), ended]);
  }
  await ended;
  return answer;
}

async function ask(
  t: TestContext,
  server: Server,
  fields: string,
  before: readonly Uint8Array[] = [],
): Promise<Answer> {
  const request = `GET /path HTTP/1.1\r\nHost: own:81\r\n${fields}Connection: close\r\n\r\n`;
  const answer = await exchange(t, server, ...before, request);
  assert.match(answer, /^HTTP\/1\.1 200 /);
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as Answer;
}
