// The site of the client's browser tests: a server with a session for each page, behind a proxy that does to its connections
// what networks do, and the commands that a test gives to the client in a page.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { build } from "esbuild";
import { createChannelStore, type Handler, openSession, serve } from "../../../src/index.ts";
import { FaultProxy, type Faults } from "../../support/fault-proxy.ts";
import { type Page, waitFor } from "../engines/engine.ts";
import { BLANK } from "../engines/rig.ts";

export interface Site {
  readonly proxy: FaultProxy;
  /** Sends a text to every page, as the server's own. */
  say(text: string): Promise<void>;
  stop(): Promise<void>;
  /** Starts another server at the same place. */
  start(): Promise<void>;
}

/** The client and what the tests give it, as one file: each test loads it, and the modules are many. */
export const clientScript: Promise<{ headers: Record<string, string>; body: Uint8Array }> = build({
  stdin: {
    contents: `export { connect } from "./dist/src/client/index.js";
      export { platform } from "./dist/src/client/environment.js";`,
    resolveDir: process.cwd(),
  },
  bundle: true,
  format: "esm",
  write: false,
}).then(({ outputFiles }) => ({
  headers: { "Content-Type": "text/javascript" },
  body: outputFiles[0]!.contents,
}));

export async function startSite(t: TestContext, faults: Faults = {}): Promise<Site> {
  const script = await clientScript;
  let room = createChannelStore();
  let count = 0;
  const say = async (text: string): Promise<void> => void (await room.broadcast("chat", `${++count} ${text}`));
  const handler: Handler = (request) => {
    if (request.path === "/chat") {
      return openSession(request, {
        open: (channel) => room.addToGroup("chat", channel),
        message: (message) => say(String(message)),
      });
    }
    if (request.path === "/echo") {
      return openSession(request, { message: async (message, channel) => void channel.send(message) });
    }
    return request.path === "/client.js" ? script : BLANK;
  };
  const listen = () => serve(handler, { host: "127.0.0.1", port: 0 });
  let server = await listen();
  t.after(() => server.stop({ graceMs: 100 }));
  return {
    proxy: await FaultProxy.start(t, () => server.port, { faults }),
    say,
    stop: () => server.stop({ graceMs: 100 }),
    async start() {
      // Numbers begin anew, as those of a process that was started again do.
      room = createChannelStore();
      count = 0;
      server = await listen();
    },
  };
}

export interface ConnectIn {
  /** So many times faster than the real one goes the clock of the client. */
  readonly pace?: number;
  readonly path?: string;
  readonly carriers?: readonly string[];
  /** The delay before each attempt after a loss, at least half of it. */
  readonly backoffMs?: number;
}

/** Opens the site in the page and connects. Waits for the `open`: a member that has not joined yet receives nothing. */
export async function connectIn(page: Page, url: string, options: ConnectIn = {}): Promise<void> {
  const { pace = 1, path = "/chat", carriers = ["websocket", "sse", "poll"], backoffMs } = options;
  await page.goto(url);
  await page.evaluate(`(async () => {
    const { connect, platform } = await import("/client.js");
    const clock = {
      ...platform.clock,
      now: () => ${pace} * platform.clock.now(),
      setTimer: (fn, delayMs) => setTimeout(fn, delayMs / ${pace}),
    };
    const environment = { ...platform, clock${backoffMs === undefined ? "" : ", random: () => 0.5"} };
    const backoff = ${backoffMs === undefined ? "undefined" : JSON.stringify({ firstMs: backoffMs, capMs: backoffMs })};
    const carriers = ${JSON.stringify(carriers)};
    const connection = connect(${JSON.stringify(path)}, { carriers, environment, ...(backoff && { backoff }) });
    window.left = { connection, seen: [], history: [], shown: [] };
    connection.onMessage((message) => left.seen.push(message));
    connection.onOpen(({ session, transport }) => left.history.push(session + " " + transport));
    window.addEventListener("pageshow", ({ persisted }) => left.shown.push(persisted));
  })()`);
  await waitFor(page, "left.history.length > 0");
}

export function send(page: Page, text: string): Promise<unknown> {
  return page.evaluate(`left.connection.send(${JSON.stringify(text)})`);
}

/** The texts that have arrived. Fails unless they are `expected`: each once, in order. */
export async function assertSeen(page: Page, expected: readonly string[]): Promise<void> {
  await waitFor(page, `left.seen.length >= ${expected.length}`);
  assert.deepEqual(await page.evaluate("left.seen"), expected);
}

/** Each time that a carrier took the session: what became of the session, and the carrier. */
export async function history(page: Page): Promise<string[]> {
  return (await page.evaluate("left.history")) as string[];
}
