// An application of uWebSockets.js with channels of `unichannel/uws`, for one test. The package is its unofficial build
// for npm, which runs on Node 20 and older; it is installed with the frameworks.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Handler, ServeOptions, Server } from "../../src/index.ts";
import { type AttachedUws, type AttachUwsOptions, attachUws, type UwsApp } from "../../src/uws.ts";
import { type Report, Site } from "./serving.ts";

const QUIET = { info() {}, warn() {}, error() {} };

interface Uws {
  App(): UwsApp & { listen(host: string, port: number, listening: (socket: unknown) => void): void };
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

  constructor(t: TestContext, attached: AttachedUws, port: number, reports: Report[]) {
    super(t, asServer(attached, port), { port }, reports);
    this.attached = attached;
  }
}

/** Starts an application whose every request is answered by the handler. */
export async function servingInUws(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<UwsSite> {
  const uws = loaded as Uws;
  const reports: Report[] = [];
  const app = uws.App();
  const attached = attachUws(app, {
    onError: (error, { source }) => void reports.push({ error, source }),
    logger: QUIET,
    ...(options as AttachUwsOptions),
  });
  attached.route("/*", handler);
  const socket = await new Promise((resolve) => app.listen("127.0.0.1", 0, resolve));
  t.after(async () => {
    await attached.stop({ graceMs: 0 });
    uws.us_listen_socket_close(socket);
    const unexpected = reports.map(({ error, source }) => `${source}: ${error instanceof Error ? error.stack : error}`);
    assert.deepEqual(unexpected, [], "reports that the test did not take");
  });
  return new UwsSite(t, attached, uws.us_socket_local_port(socket), reports);
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
