// The programs of docs/how-to/one-connection-for-all-tabs.md run as they are printed: the server in this process, the page in two
// tabs of Chromium.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chromium } from "../browser/engines/chromium.ts";
import { waitFor } from "../browser/engines/engine.ts";
import { readSite, tabsOf } from "./reader.ts";

const PAGE = "one-connection-for-all-tabs";

describe("the guide to one connection for all tabs", { skip: chromium.skip }, () => {
  it("has one session for two tabs, of which one leads", async (t) => {
    const { server } = await readSite(t, PAGE);
    const open = await tabsOf(t, server);
    const first = await open();
    await waitFor(first, "document.title === 'leading'");
    const second = await open();
    await waitFor(second, "document.title === 'following'");
    for (const [page, text] of [
      [first, "one"],
      [second, "two"],
    ] as const) {
      await page.evaluate(`document.querySelector("input").value = "${text}"`);
      await page.evaluate("document.querySelector('form').requestSubmit()");
      for (const other of [first, second]) {
        await waitFor(other, `document.querySelector("ul").textContent.includes("${text}")`);
      }
    }
    assert.equal(server.stats().sessions.open, 1);
    await first.close();
    await waitFor(second, "document.title === 'leading'");
    assert.equal(server.stats().sessions.open, 1);
  });
});
