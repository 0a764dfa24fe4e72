// The configurations of docs/how-to/behind-a-proxy.md, in real proxies. The client calls from 127.0.0.2, so that it is
// somebody else than the proxy, which calls us from 127.0.0.1.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get as getHttp, type IncomingMessage, type RequestOptions } from "node:http";
import { get as getHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { type CloseStatus, type Handler, type ServeOptions, type Server, withChannel } from "../../src/index.ts";
import { program, run } from "../how-to/programs.ts";
import { needs } from "../support/needs.ts";
import { freePort, startCaddy, startHaproxy, startNginx } from "../support/proxies.ts";
import { certificate, noCertificate, type Site, serving, socketPath } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const GUIDE = "behind-a-proxy";
const CLIENT = "127.0.0.2";
const TRUSTED: ServeOptions = { trustedProxies: ["127.0.0.1"] };
/** Header fields that a client could write to be taken for somebody else. */
const FORGED = {
  "X-Forwarded-For": "203.0.113.66",
  "X-Forwarded-Proto": "gopher",
  "X-Forwarded-Host": "forged.example",
  Forwarded: 'for=203.0.113.66;proto=http;host=forged.example, for="',
};

/** Only Linux has all of 127.0.0.0/8 without being told. */
const skip = process.platform === "linux" ? false : "needs 127.0.0.2";

interface Way {
  readonly port: number;
  readonly scheme: "http" | "https";
}

describe("behind nginx", { skip: skip || needs("nginx") }, () => {
  /** nginx as the guide has it, in front of the site. */
  async function nginx(t: TestContext, site: Site): Promise<Way> {
    const port = await freePort();
    const upstream = site.server.url.startsWith("unix:") ? site.server.url : `127.0.0.1:${site.server.port}`;
    const config = example("nginx")
      .replace("listen 80;", `listen 127.0.0.1:${port};`)
      .replace("server 127.0.0.1:9090;", `server ${upstream};`);
    await startNginx(t, port, config);
    return { port, scheme: "http" };
  }

  ways(nginx, TRUSTED);

  it("a request on a Unix socket has the client's address too", async (t) => {
    const site = await serving(t, WHO, { path: socketPath(t), trustedProxies: ["unix"] });
    const way = await nginx(t, site);
    assert.deepEqual(JSON.parse(await body(await get(way, "/", FORGED))), [CLIENT, "http", `127.0.0.1:${way.port}`]);
  });

  it("a request over HTTPS has that scheme", { skip: noCertificate }, async (t) => {
    const site = await serving(t, WHO, TRUSTED);
    const [port, { cert, key }] = [await freePort(), certificate()];
    const [certPath, keyPath] = filesOf(t, cert, key);
    const tls = `listen 127.0.0.1:${port} ssl; ssl_certificate ${certPath}; ssl_certificate_key ${keyPath};`;
    const config = example("nginx").replace("listen 80;", tls).replace(":9090", `:${site.server.port}`);
    await startNginx(t, port, config);
    const way: Way = { port, scheme: "https" };
    assert.deepEqual(JSON.parse(await body(await get(way, "/", FORGED))), [CLIENT, "https", `127.0.0.1:${port}`]);
  });
});

describe("behind haproxy", { skip: skip || needs("haproxy") }, () => {
  ways(async (t, site) => {
    const port = await freePort();
    const config = example("haproxy").replace("bind :80 ", `bind 127.0.0.1:${port} `);
    await startHaproxy(t, port, config.replace(":9090", `:${site.server.port}`));
    return { port, scheme: "http" };
  }, TRUSTED);
});

describe("behind Caddy", { skip: skip || needs("caddy") }, () => {
  const caddyfile = (address: string, site: Site): string =>
    example("caddyfile").replace("app.example", address).replace(":9090", `:${site.server.port}`);

  ways(async (t, site) => {
    const port = await freePort();
    await startCaddy(t, port, caddyfile(`http://127.0.0.1:${port}`, site));
    return { port, scheme: "http" };
  }, TRUSTED);

  it("a request over HTTPS has that scheme", { skip: noCertificate }, async (t) => {
    const site = await serving(t, WHO, TRUSTED);
    const [port, { cert, key }] = [await freePort(), certificate()];
    const [certPath, keyPath] = filesOf(t, cert, key);
    const own = caddyfile(`https://localhost:${port}`, site).replace("{", `{\n  tls ${certPath} ${keyPath}`);
    await startCaddy(t, port, own);
    const host = `localhost:${port}`;
    const answer = await get({ port, scheme: "https" }, "/", { ...FORGED, Host: host });
    assert.deepEqual(JSON.parse(await body(answer)), [CLIENT, "https", host]);
  });

  it("has the same configuration in the page about deploys", () => {
    assert.ok(readFileSync("docs/how-to/deploy.md", "utf8").includes(example("caddyfile")));
  });
});

describe("behind haproxy with the PROXY protocol", { skip: skip || needs("haproxy") }, () => {
  for (const version of ["send-proxy-v2", "send-proxy"]) {
    describe(`(${version})`, () => {
      ways((t, site) => passingOn(t, site, version), { ...TRUSTED, proxyProtocol: "required" });
    });
  }

  it("a request has the client's address where TLS is passed through", { skip: noCertificate }, async (t) => {
    const site = await serving(t, WHO, { ...TRUSTED, proxyProtocol: "required", tls: certificate() });
    const { port } = await passingOn(t, site, "send-proxy-v2");
    const way: Way = { port, scheme: "https" };
    assert.deepEqual(JSON.parse(await body(await get(way, "/", FORGED))), [CLIENT, "https", `127.0.0.1:${port}`]);
  });

  async function passingOn(t: TestContext, site: Site, version: string): Promise<Way> {
    const port = await freePort();
    const config = example("haproxy", 1)
      .replace("bind :80", `bind 127.0.0.1:${port}`)
      .replace(":9090", `:${site.server.port}`)
      .replace("send-proxy-v2 check", `${version} check inter 50`);
    await startHaproxy(t, port, config);
    return { port, scheme: "http" };
  }
});

describe("the programs of the guide to proxies", () => {
  it("say who asks, as a trusted proxy does", async (t) => {
    const { server } = (await run(t, program(GUIDE, '["loopback"]'))) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const headers = {
      "X-Forwarded-For": "203.0.113.7",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "app.example",
    };
    const text = await (await fetch(server.url, { headers })).text();
    assert.equal(text, "you are 203.0.113.7, and asked for https://app.example\n");
  });

  it("say who asks, as the PROXY protocol does", { skip: skip || needs("haproxy") }, async (t) => {
    const text = program(GUIDE, '"required"').replace("10.1.0.0/16", "127.0.0.1");
    const { server } = (await run(t, text)) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const port = await freePort();
    const config = example("haproxy", 1).replace("bind :80", `bind 127.0.0.1:${port}`);
    await startHaproxy(t, port, config.replace(":9090", `:${server.port}`).replace(" check", " check inter 50"));
    assert.equal(await body(await get({ port, scheme: "http" }, "/", {})), `you are ${CLIENT}\n`);
  });
});

/** The tests for every proxy. */
function ways(startProxy: (t: TestContext, site: Site) => Promise<Way>, options: ServeOptions): void {
  it("a request has the client's address, scheme and host, whatever the client writes", async (t) => {
    const way = await startProxy(t, await serving(t, WHO, options));
    const expected = [CLIENT, "http", `127.0.0.1:${way.port}`];
    assert.deepEqual(JSON.parse(await body(await get(way, "/", {}))), expected);
    assert.deepEqual(JSON.parse(await body(await get(way, "/", FORGED))), expected);
  });

  it("a WebSocket opens for a page of the same host, and carries messages", async (t) => {
    const site = await serving(
      t,
      (request) =>
        withChannel(request, (channel) => {
          channel.onMessage((message) => channel.send(`${message} ${request.remoteAddress}`));
        }),
      options,
    );
    const way = await startProxy(t, site);
    const open = (origin: string): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${way.port}/`, { localAddress: CLIENT, headers: { Origin: origin } });
    const socket = open(`http://127.0.0.1:${way.port}`);
    t.after(() => socket.terminate());
    await once(socket, "open");
    socket.send("hello");
    assert.equal(String((await once(socket, "message"))[0]), `hello ${CLIENT}`);
    socket.close(1000);
    assert.equal((await once(socket, "close"))[0], 1000);
    assert.match(String(await once(open("http://evil.example"), "error")), /403/);
  });

  for (const [what, headers] of [
    ["an event stream", { Accept: "text/event-stream" }],
    ["an HTTP stream", {}],
  ] as const) {
    it(`${what} arrives message by message, and the server hears that the client left`, async (t) => {
      let status: CloseStatus | undefined;
      let send!: (text: string) => boolean;
      const handler: Handler = (request) =>
        withChannel(request, (channel) => {
          send = (text) => channel.send(text, false);
          send("one");
          channel.onClose((end) => {
            status = end;
          });
        });
      const response = await get(await startProxy(t, await serving(t, handler, options)), "/", headers);
      response.on("error", () => {});
      assert.match(String(await once(response, "data")), /one/);
      send("two");
      assert.match(String(await once(response, "data")), /two/);
      response.destroy();
      await until(() => status !== undefined, "the server hears of it");
      assert.notEqual(status!.by, "server");
    });
  }
}

const WHO: Handler = ({ remoteAddress, scheme, host }) => JSON.stringify([remoteAddress, scheme, host]);

/** The n-th example of that language in the guide. */
function example(language: string, index = 0): string {
  const guide = readFileSync("docs/how-to/behind-a-proxy.md", "utf8");
  const blocks = [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language);
  return blocks[index]![2]!;
}

function get({ port, scheme }: Way, path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const options: RequestOptions = { host: "127.0.0.1", port, path, headers, localAddress: CLIENT, agent: false };
  return new Promise((resolve, reject) => {
    const request =
      scheme === "http" ? getHttp(options, resolve) : getHttps({ ...options, rejectUnauthorized: false }, resolve);
    request.on("error", reject);
  });
}

async function body(response: IncomingMessage): Promise<string> {
  assert.equal(response.statusCode, 200);
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part;
  return text;
}

function filesOf(t: TestContext, ...contents: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return contents.map((content, index) => {
    const path = join(folder, String(index));
    writeFileSync(path, content);
    return path;
  });
}
