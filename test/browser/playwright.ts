// The system's Chromium, driven by playwright-core, for the tests of our own pages (the demo, React), which click and read what
// is shown. Tests of what browsers do run in three engines: test/browser/engines.

import { after, type TestContext } from "node:test";

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

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

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

/** A page for one test. The browser starts with the first. */
export async function newPage(t: TestContext, options: BrowserContextOptions = {}): Promise<Page> {
  // playwright-core starts paths only.
  browser ??= chromium.launch({ executablePath: pathOf("chromium")!, args: ARGS });
  const page = await (await browser).newPage(options);
  page.setDefaultTimeout(15_000);
  t.after(() => page.close());
  return page;
}
