// The system's Chromium, driven by playwright-core: one browser for each test file, a page and a server for each test.

import { after, type TestContext } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Handler, serve } from "../../src/index.ts";
import { needs, pathOf } from "../support/needs.ts";

/** For the `skip` option of a suite: false where Chromium is installed. */
export const skip: string | false = needs("chromium");

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** An empty page, so that a script has an origin to run in. */
export const BLANK = { headers: { "Content-Type": "text/html" }, body: "<!doctype html><title>blank</title>" };

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

/** A page for one test. The browser starts with the first. */
export async function newPage(t: TestContext): Promise<Page> {
  // playwright-core starts paths only.
  browser ??= chromium.launch({ executablePath: pathOf("chromium")!, args: ARGS });
  const page = await (await browser).newPage();
  page.setDefaultTimeout(15_000);
  t.after(() => page.close());
  return page;
}

/** A server for one test. Returns its URL. */
export async function start(t: TestContext, handler: Handler): Promise<string> {
  const server = await serve(handler, { host: "127.0.0.1", port: 0 });
  t.after(() => server.stop({ graceMs: 100 }));
  return server.url;
}
