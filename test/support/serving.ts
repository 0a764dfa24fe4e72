// A server for one test: on a free port of 127.0.0.1, or on a Unix socket, or with TLS; stopped when the test ends.
// Reports of the server are collected, and a test fails on a report that it did not take.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { ErrorSource } from "../../src/channel/context.ts";
import { type Handler, type ServeOptions, type Server, serve } from "../../src/index.ts";
import { MemoryEngine } from "../../src/testing/memory-engine.ts";
import { MemoryNetwork } from "../../src/testing/network.ts";
import { needs } from "./needs.ts";
import { RawClient, type RawResponse, type Target } from "./raw-client.ts";

export interface Report {
  readonly error: unknown;
  readonly source: ErrorSource;
}

export class Site {
  readonly server: Server;
  readonly target: Target;
  readonly #t: TestContext;
  readonly #reports: Report[];

  constructor(t: TestContext, server: Server, target: Target, reports: Report[]) {
    this.#t = t;
    this.server = server;
    this.target = target;
    this.#reports = reports;
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.#t, this.target);
  }

  /** One request on a connection of its own, and its answer. `text` may leave out the Host field and the end. */
  async request(text: string): Promise<RawResponse> {
    const client = await this.connect();
    client.write(request(text));
    const response = await client.response(text.slice(0, text.indexOf(" ")));
    client.destroy();
    return response;
  }

  /** Returns the reports since the last call. */
  takeReports(): Report[] {
    return this.#reports.splice(0);
  }

  /** The messages of what was reported, as `source: message`. */
  takeMessages(): string[] {
    return this.takeReports().map(
      ({ error, source }) => `${source}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Starts a server for the length of test `t`: `serving`, or something like it. */
export type Serving = (t: TestContext, handler: Handler, options?: ServeOptions) => Promise<Site>;

/** Keeps the log out of the test results. */
const QUIET = { info() {}, warn() {}, error() {} };

/** A host for the servers of a whole run: `test/hosts/node/suites.test.ts` runs files of test/server with it. */
const HOST = process.env["UNICHANNEL_TEST_HOST"];

export async function serving(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<Site> {
  if (HOST === "node-http") return (await import("./attached.ts")).servingAttached(t, handler, options);
  const reports: Report[] = [];
  const server = await serve(handler, {
    ...(options.path === undefined ? { port: 0, host: "127.0.0.1" } : {}),
    onError: (error, { source }) => reports.push({ error, source }),
    logger: QUIET,
    ...options,
  });
  const address = options.path === undefined ? { port: server.port } : { path: options.path };
  const target = {
    ...address,
    ...(options.host === undefined ? {} : { host: options.host }),
    tls: options.tls !== undefined,
  };
  return siteOf(t, server, target, reports);
}

/** The same without a port: clients connect in memory. Time is the real one, as everywhere here. */
export async function servingInMemory(t: TestContext, handler: Handler, options: ServeOptions = {}): Promise<Site> {
  const reports: Report[] = [];
  const server = new MemoryEngine(
    handler,
    { onError: (error, { source }) => reports.push({ error, source }), logger: QUIET, ...options },
    { clock: systemClock, url: "http://memory.example" },
  );
  const network = new MemoryNetwork(
    systemClock,
    (socket) => server.accept(socket),
    () => server.status === "running",
  );
  // The server's own timers do not, and there is no socket that would.
  const awake = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(awake));
  return siteOf(t, server, { open: () => network.connect(undefined) as Socket }, reports);
}

function siteOf(t: TestContext, server: Server, target: Target, reports: Report[]): Site {
  t.after(async () => {
    await server.stop({ graceMs: 0 });
    const unexpected = reports.map(({ error, source }) => `${source}: ${error instanceof Error ? error.stack : error}`);
    assert.deepEqual(unexpected, [], "reports that the test did not take");
  });
  return new Site(t, server, target, reports);
}

/** A request head from its request line and fields: adds `Host: x` unless there is one, and the empty line. */
export function request(text: string, body = ""): string {
  const lines = text.split("\r\n").filter((line) => line !== "");
  if (!/ HTTP\/\d\.\d$/.test(lines[0]!)) lines[0] += " HTTP/1.1";
  if (!lines.some((line) => /^host:/i.test(line))) lines.push("Host: x");
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** A path for a Unix socket; its folder is removed when the test ends. */
export function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "s");
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const made = new Map<string, Certificate>();

/** For the `skip` option of a test: why there is no certificate. */
export const noCertificate: string | false = needs("openssl");

/** A self-signed certificate for `name`, made once in a process. */
export function certificate(name = "localhost"): Certificate {
  let found = made.get(name);
  if (found === undefined) made.set(name, (found = makeCertificate(name)));
  return found;
}

/** Files of a certificate for a server that reads files; they are removed when the test ends. */
export function certificateFiles(t: TestContext): { readonly certPath: string; readonly keyPath: string } {
  const { cert, key } = certificate();
  const folder = mkdtempSync(join(tmpdir(), "unichannel-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = { certPath: join(folder, "cert.pem"), keyPath: join(folder, "key.pem") };
  writeFileSync(files.certPath, cert);
  writeFileSync(files.keyPath, key);
  return files;
}

function makeCertificate(name: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-tls-"));
  const [certPath, keyPath] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  try {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath];
    const subject = ["-subj", `/CN=${name}`, "-days", "2", "-out", certPath];
    execFileSync("openssl", ["req", "-x509", ...key, ...subject], { stdio: "ignore" });
    return { cert: readFileSync(certPath, "utf8"), key: readFileSync(keyPath, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
