// An application of uWebSockets.js with channels of `unichannel/uws`, for one test. The package is its unofficial build
// for npm, which runs on Node 20 and older; it is installed with the frameworks.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Handler, ServeOptions, Server } from "../../src/index.ts";
import { type AttachedUws, type AttachUwsOptions, attachUws, type UwsApp } from "../../src/uws.ts";
import type { Target } from "./raw-client.ts";
import { certificateFiles, type Report, Site } from "./serving.ts";

const QUIET = { info() {}, warn() {}, error() {} };

interface App extends UwsApp {
  listen(host: string, port: number, listening: (socket: unknown) => void): void;
  /** Closes all sockets. */
  close(): void;
}

interface Uws {
  App(): App;
  SSLApp(options: { readonly key_file_name: string; readonly cert_file_name: string }): App;
  us_socket_local_port(socket: unknown): number;
  us_listen_socket_close(socket: unknown): void;
}

function load(): Uws | string {
  const isNode = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
  if (!isNode || Number(process.versions.node.split(".")[0]) > 20) return "the build for npm runs on Node 20";
  try {
    const require = createRequire(join(process.cwd(), "examples", "frameworks", "package.json"));
    return require("@trufflesuite/uws-js-unofficial") as Uws;
  } catch (error) {
    if (process.env["UNICHANNEL_REQUIRE_ALL"] !== undefined) throw error;
    return "needs the packages of examples/frameworks: npm ci --prefix examples/frameworks";
  }
}

const loaded = load();

/** For the `skip` option of a test: why uWebSockets.js is not there. */
export const noUws: string | false = typeof loaded === "string" ? loaded : false;

export class UwsSite extends Site {
  readonly attached: AttachedUws;
  readonly #closeHost: () => void;

  constructor(t: TestContext, attached: AttachedUws, target: Target, reports: Report[], closeHost: () => void) {
    super(t, asServer(attached, target.port!), target, reports);
    this.attached = attached;
    this.#closeHost = closeHost;
  }

  closeHost(): void {
    this.#closeHost();
  }
}

/** Starts an application whose every request is answered by the handler. */
export function servingInUws(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<UwsSite> {
  return hosting(t, (loaded as Uws).App(), handler, options);
}

/** The same with TLS. */
export function servingInUwsOverTls(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<UwsSite> {
  const { certPath, keyPath } = certificateFiles(t);
  const app = (loaded as Uws).SSLApp({ key_file_name: keyPath, cert_file_name: certPath });
  return hosting(t, app, handler, { isEncrypted: true, ...options } as ServeOptions);
}

async function hosting(t: TestContext, app: App, handler: Handler, options: ServeOptions): Promise<UwsSite> {
  const uws = loaded as Uws;
  const reports: Report[] = [];
  const own = options as AttachUwsOptions;
  const attached = attachUws(app, {
    onError: (error, { source }) => void reports.push({ error, source }),
    logger: QUIET,
    ...own,
  });
  attached.route("/*", handler);
  const socket = await new Promise((resolve) => app.listen("127.0.0.1", 0, resolve));
  const port = uws.us_socket_local_port(socket);
  let isClosed = false;
  const closeHost = (): void => {
    isClosed = true;
    app.close();
  };
  t.after(async () => {
    await attached.stop({ graceMs: 0 });
    if (!isClosed) uws.us_listen_socket_close(socket);
    const unexpected = reports.map(({ error, source }) => `${source}: ${error instanceof Error ? error.stack : error}`);
    assert.deepEqual(unexpected, [], "reports that the test did not take");
  });
  return new UwsSite(t, attached, { port, tls: own.isEncrypted === true }, reports, closeHost);
}

/** The attached channels as a server, for tests that are written for one. */
function asServer(attached: AttachedUws, port: number): Server {
  const server: Server & { readonly exchanges: unknown } = {
    exchanges: (attached as AttachedUws & { readonly exchanges: unknown }).exchanges,
    port,
    url: `http://localhost:${port}`,
    get status() {
      return attached.status;
    },
    stats: () => attached.stats(),
    stop: (options) => attached.stop(options),
    setTls() {
      throw new Error("the application has its own certificate");
    },
    [Symbol.asyncDispose]: () => attached.stop(),
  };
  return server;
}
