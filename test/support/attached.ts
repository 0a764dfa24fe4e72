// A server of node:http or node:http2 with channels attached to it, for one test: `serving` for hosts that are somebody else's.

import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { Handler, ServeOptions, Server } from "../../src/index.ts";
import {
  type Attached,
  type AttachOptions,
  attach,
  type NodeRequest,
  type NodeResponse,
  type NodeServer,
} from "../../src/node.ts";
import { type Report, Site } from "./serving.ts";

const QUIET = { info() {}, warn() {}, error() {} };

interface Host {
  readonly http: HttpServer;
  /** Told, because Bun's server of node:https does not show it. */
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
  const server = tls === undefined ? createServer() : createHttpsServer(tls);
  const isTls = tls !== undefined;
  return attachingTo(server, t, (attached) => attached.listener(handler), options as Partial<AttachOptions>, isTls);
}

/** The settings with which clients of HTTP/2 may open WebSockets. */
const CONNECT = { settings: { enableConnectProtocol: true } };

/** The same over HTTP/2, with `tls` or without. */
export async function servingAttachedHttp2(
  t: TestContext,
  handler: Handler,
  { tls, ...options }: ServeOptions = {},
): Promise<AttachedSite> {
  const server = tls === undefined ? createHttp2Server(CONNECT) : createSecureServer({ ...tls, ...CONNECT });
  const isTls = tls !== undefined;
  return attachingTo(server, t, (attached) => attached.listener(handler), options as Partial<AttachOptions>, isTls);
}

/** Starts a server of node:http with a request listener of the test's own. */
export async function attaching(
  t: TestContext,
  toListener: (attached: Attached) => Parameters<typeof createServer>[1],
  options: Partial<AttachOptions> = {},
  http: HttpServer = createServer(),
): Promise<AttachedSite> {
  return attachingTo(http, t, toListener as ToListener, options);
}

type ToListener = (attached: Attached) => (request: NodeRequest, response: NodeResponse) => void;

/** The same with any server. */
export async function attachingTo(
  server: NodeServer,
  t: TestContext,
  toListener: ToListener,
  options: Partial<AttachOptions> = {},
  isTls: boolean = "setSecureContext" in server,
): Promise<AttachedSite> {
  const reports: Report[] = [];
  const attached = attach(server, {
    upgrades: "/",
    onError: (error, { source }) => void reports.push({ error, source }),
    logger: QUIET,
    ...options,
  });
  // The shape that all these servers have.
  const http = server as HttpServer;
  http.on("request", toListener(attached) as Parameters<typeof createServer>[1] & object);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const site = new AttachedSite(t, attached, { http, isTls }, reports);
  t.after(async () => {
    await attached.stop({ graceMs: 0 });
    // One of node:http2 ends with its clients, which the test drops.
    http.closeAllConnections?.();
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
