// One browser for all suites of a test file: it starts before the first test and is closed after the last.

import { after, before, describe, type TestContext } from "node:test";
import { type Handler, serve } from "../../../src/index.ts";
import type { Browser, Capability, Engine, Page } from "./engine.ts";

export interface Rig {
  readonly engine: Engine;
  /** The browser. There is none before the first test. */
  readonly browser: Browser;
  /** A page for one test. */
  newPage(t: TestContext): Promise<Page>;
  /** The options of a test that needs an ability. */
  needing(capability: Capability): { skip: string | false };
}

/** Runs suites in the browser of an engine. */
export function inBrowser(engine: Engine, suites: readonly ((rig: Rig) => void)[]): void {
  describe(`In ${engine.name}`, { skip: engine.skip }, () => {
    let browser: Browser | undefined;
    before(async () => {
      browser = await engine.launch();
    });
    after(() => browser?.close());
    /** Pages of tests that have passed: a window takes longer to open than most tests take. */
    const free: Page[] = [];
    const rig: Rig = {
      engine,
      get browser() {
        return browser!;
      },
      async newPage(t) {
        const page = free.pop() ?? (await rig.browser.newPage());
        t.after(async () => {
          // The types of Node 20 do not have it.
          if (!(t as TestContext & { readonly passed: boolean }).passed) return page.close();
          await page.goto("about:blank");
          free.push(page);
        });
        return page;
      },
      needing(capability) {
        const reason = engine.lacks[capability];
        return { skip: reason === undefined ? false : `needs ${capability}: ${reason}` };
      },
    };
    for (const suite of suites) suite(rig);
  });
}

/** An empty page, so that a script has an origin to run in. */
export const BLANK: { readonly headers: Readonly<Record<string, string>>; readonly body: string } = {
  headers: { "Content-Type": "text/html" },
  body: "<!doctype html><title>blank</title>",
};

/** A server for one test. Returns its URL. */
export async function start(t: TestContext, handler: Handler): Promise<string> {
  const server = await serve(handler, { host: "127.0.0.1", port: 0 });
  t.after(() => server.stop({ graceMs: 100 }));
  return server.url;
}
