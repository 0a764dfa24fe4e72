// The demo as a visitor sees it: the page in a browser, and a terminal's requests beside it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openDemo } from "./demo-page.ts";
import { skip } from "./playwright.ts";

const WAYS = ["WebSocket", "EventSource", "Streaming", "Long poll"];

describe("The demo's page", { skip }, () => {
  it("reads one endpoint in four ways, and no way loses a message", async (t) => {
    const { page, complaints } = await openDemo(t);
    await page.locator("#cards").scrollIntoViewIfNeeded();
    for (const way of WAYS) {
      await page.waitForFunction(
        (name) => Number(document.querySelector(`[data-way="${name}"] .count`)?.textContent) >= 3,
        way,
      );
      const card = page.locator(`[data-way="${way}"]`);
      assert.equal(await card.locator(".state").textContent(), "open", way);
      assert.equal(await card.locator(".lost").textContent(), "0", way);
      assert.match((await card.locator(".latency").textContent()) ?? "", /^(< 1|\d+) ms$/, way);
      const numbers = await card
        .locator(".ticks li")
        .evaluateAll((items) => items.map((item) => Number(item.firstChild?.textContent?.slice(1))));
      for (const [at, id] of numbers.entries()) assert.equal(id, numbers[0]! - at, `${way}: ${numbers}`);
    }
    assert.deepEqual(complaints, []);
  });

  it("stops and starts each way on its own", async (t) => {
    const { page } = await openDemo(t);
    await page.locator("#cards").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelectorAll('#cards [data-state="open"]').length === 4);
    for (const way of WAYS) await page.getByRole("button", { name: `Stop ${way}` }).click();
    const counts = await page.locator(".count").allTextContents();
    // More than a tick.
    await page.waitForTimeout(700);
    assert.deepEqual(await page.locator(".count").allTextContents(), counts);
    assert.equal(await page.locator('[data-state="stopped"]').count(), 4);
    for (const [at, way] of WAYS.entries()) {
      await page.getByRole("button", { name: `Start ${way}` }).click();
      await page.waitForFunction(
        ([name, before]) => Number(document.querySelector(`[data-way="${name}"] .count`)?.textContent) > Number(before),
        [way, counts[at]],
      );
    }
    assert.deepEqual(await page.locator(".lost").allTextContents(), ["0", "0", "0", "0"]);
  });

  it("loses no tick when the servers are replaced: each way comes back and asks for what it missed", async (t) => {
    const { page, url } = await openDemo(t);
    await page.locator("#cards").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelectorAll('#cards [data-state="open"]').length === 4);
    for (const deploys of [1, 2, 3]) {
      // A deploy that another one does not let begin is asked for again.
      while (Number(await page.locator("#count-deploys").textContent()) < deploys) {
        await fetch(`${url}/deploys`, { method: "POST" });
        await page.waitForTimeout(500);
      }
    }
    const counts = await page.locator(".count").allTextContents();
    for (const [at, way] of WAYS.entries()) {
      await page.waitForFunction(
        ([name, before]) =>
          Number(document.querySelector(`[data-way="${name}"] .count`)?.textContent) > Number(before) + 3,
        [way, counts[at]],
      );
    }
    assert.deepEqual(await page.locator(".lost").allTextContents(), ["0", "0", "0", "0"]);
  });

  it("uses no connection for cards that are not visible", async (t) => {
    const { page } = await openDemo(t);
    await page.locator("#cards").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelectorAll('#cards [data-state="open"]').length === 4);
    await page.getByRole("button", { name: "Stop Streaming" }).click();
    await page.locator("h1").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelectorAll('#cards [data-state="stopped"]').length === 4);
    await page.locator("#cards").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => document.querySelectorAll('#cards [data-state="open"]').length === 3);
    assert.equal(await page.locator('[data-way="Streaming"]').getAttribute("data-state"), "stopped", "as it was left");
  });

  it("has a chat in which a browser's session and a terminal's poll see each other", async (t) => {
    const { page, url } = await openDemo(t);
    await page.waitForSelector('#chat[data-state="open"]');
    const poll = fetch(`${url}/chat`);
    await page.fill("#name", "pia");
    await page.fill("#text", "hello from the page");
    await page.keyboard.press("Enter");
    const [line, ...more] = (await (await poll).json()) as { id: number; name: string; text: string; via: string }[];
    assert.deepEqual(more, []);
    assert.deepEqual({ ...line, id: 0 }, { id: 0, name: "pia", text: "hello from the page", via: "websocket" });

    const back = await fetch(`${url}/chat?name=ann`, { method: "POST", body: "hello from curl" });
    assert.match(await back.text(), /^\d+ received it\n$/);
    await page.waitForFunction(() => document.querySelector("#lines li:last-child")?.textContent?.startsWith("ann"));
    const shown = await page.locator("#lines li").allTextContents();
    assert.deepEqual(shown.slice(-2), ["piahello from the pagewebsocket", "annhello from curlcurl"]);

    // Between two polls nothing is lost.
    const missed = (await (await fetch(`${url}/chat?since=${line?.id}`)).json()) as { text: string }[];
    assert.deepEqual(
      missed.map(({ text }) => text),
      ["hello from curl"],
    );
  });

  it("leads to the inspector of one of its servers, which goes on when that is replaced", async (t) => {
    const { page, url, complaints } = await openDemo(t);
    await page.getByRole("link", { name: "Look inside a server" }).click();
    await page.waitForFunction(() => document.querySelector("#live")?.textContent?.includes("live"));
    const first = await page.locator("#uptime").textContent();
    assert.match(first ?? "", /^up \d/);
    for (const [index] of [1, 2, 3].entries()) {
      assert.equal((await fetch(`${url}/deploys`, { method: "POST" })).status, 202, `deploy ${index}`);
      await page.waitForTimeout(1500);
    }
    await page.getByRole("link", { name: "Groups" }).click();
    await page.waitForFunction(() => document.querySelector("#group-total")?.textContent !== "");
    assert.deepEqual(complaints, []);
    const foreign = await fetch(`${url}/inspect/`, { headers: { origin: "https://app.example" } });
    assert.equal(foreign.status, 403);
  });

  it("is served with the modules of the client, and no others of the library", async (t) => {
    const { url } = await openDemo(t);
    const answers: readonly [path: string, status: number, type?: string][] = [
      ["/", 200, "text/html; charset=utf-8"],
      ["/panel.css", 200, "text/css; charset=utf-8"],
      ["/unichannel/client/index.js", 200, "text/javascript; charset=utf-8"],
      ["/unichannel/protocol/session.js", 200, "text/javascript; charset=utf-8"],
      ["/unichannel/client/index.d.ts", 404],
      ["/unichannel/server/serve.js", 404],
      ["/unichannel/client/..%2f..%2fdemo%2fserver.js", 404],
    ];
    for (const [path, status, type] of answers) {
      const answer = await fetch(url + path);
      assert.equal(answer.status, status, path);
      if (type !== undefined) assert.equal(answer.headers.get("content-type"), type, path);
    }
  });

  it("forgets the sessions of a visitor that is named, and nobody else's", async (t) => {
    const { page, url } = await openDemo(t);
    await page.waitForSelector('#chat[data-state="open"]');
    const forget = (query: string, method = "POST"): Promise<Response> =>
      fetch(`${url}/chat/forget${query}`, { method });
    assert.equal((await forget("?visitor=x", "GET")).status, 405);
    assert.equal((await forget("")).status, 400);
    assert.equal(await (await forget("?visitor=x")).text(), "0 forgotten\n");
    assert.equal(await page.locator("#chat").getAttribute("data-state"), "open");
  });

  it("shows markup in names and messages as text", async (t) => {
    const { page, url, complaints } = await openDemo(t);
    await page.waitForSelector('#chat[data-state="open"]');
    const html = `<img src=x onerror="document.title='run'">`;
    await fetch(`${url}/chat?${new URLSearchParams({ name: "<b>ann</b>" })}`, { method: "POST", body: html });
    await page.waitForFunction(() => document.querySelector("#lines li:last-child")?.textContent?.startsWith("<b>"));
    const last = page.locator("#lines li:last-child");
    assert.equal(await last.textContent(), `<b>ann</b>${html}curl`);
    assert.equal(await page.locator("#lines img").count(), 0);
    assert.equal(await page.title(), "unichannel");
    assert.deepEqual(complaints, []);
  });
});
