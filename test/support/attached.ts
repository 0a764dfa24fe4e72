// A server of node:http with channels attached to it, for one test: `serving` for hosts that are somebody else's.

import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Handler, ServeOptions, Server } from "../../src/index.ts";
import { type Attached, type AttachOptions, attach } from "../../src/node.ts";
import { type Report, Site } from "./serving.ts";

const QUIET = { info() {}, warn() {}, error() {} };

/** Bun's server of node:https does not tell by its members that it is one. */
interface Host {
  readonly http: HttpServer;
  readonly isTls: boolean;
}

export class AttachedSite extends Site {
  readonly attached: Attached;
  readonly http: HttpServer;

  constructor(t: TestContext, attached: Attached, { http, isTls }: Host, reports: Report[]) {
    const { port } = http.address() as AddressInfo;
    super(t, asServer(attached, port), { port, tls: isTls }, reports);
    this.attached = attached;
    this.http = http;
  }
}

/** Starts a server of node:http, with `tls` one of node:https, whose every request is answered by the handler. */
export async function servingAttached(
  t: TestContext,
  handler: Handler,
  { tls, ...options }: ServeOptions = {},
): Promise<AttachedSite> {
  const http = tls === undefined ? createServer() : createHttpsServer(tls);
  return attachingTo(
    { http, isTls: tls !== undefined },
    t,
    (attached) => attached.listener(handler),
    options as Partial<AttachOptions>,
  );
}

/** Starts a server of node:http with a request listener of the test's own. */
export function attaching(
  t: TestContext,
  toListener: (attached: Attached) => Parameters<typeof createServer>[1],
  options: Partial<AttachOptions> = {},
  http: HttpServer = createServer(),
): Promise<AttachedSite> {
  return attachingTo({ http, isTls: "setSecureContext" in http }, t, toListener, options);
}

async function attachingTo(
  host: Host,
  t: TestContext,
  toListener: (attached: Attached) => Parameters<typeof createServer>[1],
  options: Partial<AttachOptions>,
): Promise<AttachedSite> {
  const { http } = host;
  const reports: Report[] = [];
  const attached = attach(http, {
    upgrades: "/",
    onError: (error, { source }) => void reports.push({ error, source }),
    logger: QUIET,
    ...options,
  });
  http.on("request", toListener(attached)!);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const site = new AttachedSite(t, attached, host, reports);
  t.after(async () => {
    await attached.stop({ graceMs: 0 });
    http.closeAllConnections();
    http.close();
    const unexpected = reports.map(({ error, source }) => `${source}: ${error instanceof Error ? error.stack : error}`);
    assert.deepEqual(unexpected, [], "reports that the test did not take");
  });
  return site;
}

/** The attached channels as a server, for tests that are written for one. */
function asServer(attached: Attached, port: number): Server {
  const { exchanges } = attached as Attached & { readonly exchanges: unknown };
  const server: Server & { readonly exchanges: unknown } = {
    exchanges,
    port,
    url: `http://localhost:${port}`,
    get status() {
      return attached.status;
    },
    stats: () => attached.stats(),
    stop: (options) => attached.stop(options),
    setTls() {
      throw new Error("the host has its own certificate");
    },
    [Symbol.asyncDispose]: () => attached.stop(),
  };
  return server;
}
