// A server of `Bun.serve` or `Deno.serve` with channels of `unichannel/fetch-host`, for one test. The test runs on that runtime.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { createFetchHost, type FetchHost, type HostOptions } from "../../src/fetch-host.ts";
import type { Handler, ServeOptions, Server } from "../../src/index.ts";
import { type Report, Site } from "./serving.ts";

const QUIET = { info() {}, warn() {}, error() {} };

type FetchFunction = (request: Request, server?: unknown) => Response | Promise<Response>;

interface BunGlobal {
  serve(options: object): { readonly port: number; stop(closeActive: boolean): Promise<void> };
}

interface DenoGlobal {
  serve(
    options: object,
    handler: FetchFunction,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
}

interface Listening {
  readonly port: number;
  stop(): Promise<void>;
  /** Stops with all connections. */
  close(): void;
}

/** Starts a server whose every request is answered by the handler. */
export async function servingInFetchHost(
  t: TestContext,
  handler: Handler,
  options: ServeOptions = {},
): Promise<FetchSite> {
  return hosting(t, (host) => host.fetch(handler), options as HostOptions);
}

/** Starts a server with a Fetch handler of the test's own. */
export async function hosting(
  t: TestContext,
  toFetch: (host: FetchHost) => FetchFunction,
  options: HostOptions = {},
): Promise<FetchSite> {
  const reports: Report[] = [];
  const host = createFetchHost({
    onError: (error, { source }) => void reports.push({ error, source }),
    logger: QUIET,
    ...options,
  });
  const listening = listen(toFetch(host), host);
  t.after(async () => {
    await host.stop({ graceMs: 0 });
    await listening.stop();
    const unexpected = reports.map(({ error, source }) => `${source}: ${error instanceof Error ? error.stack : error}`);
    assert.deepEqual(unexpected, [], "reports that the test did not take");
  });
  return new FetchSite(t, host, listening, reports);
}

export class FetchSite extends Site {
  readonly host: FetchHost;
  readonly #listening: Listening;

  constructor(t: TestContext, host: FetchHost, listening: Listening, reports: Report[]) {
    const { port } = listening;
    super(t, asServer(host, port), { port }, reports);
    this.host = host;
    this.#listening = listening;
  }

  closeHost(): void {
    this.#listening.close();
  }
}

function listen(fetch: FetchFunction, host: FetchHost): Listening {
  const { Bun, Deno } = globalThis as { readonly Bun?: BunGlobal; readonly Deno?: DenoGlobal };
  if (Bun !== undefined) {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch, websocket: host.websocket, idleTimeout: 0 });
    return { port: server.port, stop: () => server.stop(true), close: () => void server.stop(true) };
  }
  const abort = new AbortController();
  const server = Deno!.serve({ port: 0, hostname: "127.0.0.1", onListen() {}, signal: abort.signal }, fetch);
  return {
    port: server.addr.port,
    // It waits for connections that a test has left open.
    stop: async () => void (abort.signal.aborted || server.shutdown()),
    close: () => abort.abort(),
  };
}

/** The host as a server, for tests that are written for one. */
function asServer(host: FetchHost, port: number): Server {
  const server: Server & { readonly exchanges: unknown } = {
    exchanges: (host as FetchHost & { readonly exchanges: unknown }).exchanges,
    port,
    url: `http://localhost:${port}`,
    get status() {
      return host.status;
    },
    stats: () => host.stats(),
    stop: (options) => host.stop(options),
    setTls() {
      throw new Error("the server has its own certificate");
    },
    [Symbol.asyncDispose]: () => host.stop(),
  };
  return server;
}
