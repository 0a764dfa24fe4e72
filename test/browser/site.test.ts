// The home page of the built site in Chromium: its demo runs the real server and the real client in the page. `npm run check` builds the
// site; where nothing is built, this test does.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { before, describe, it, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { newPage, skip } from "./playwright.ts";

const DIST = "site/.vitepress/dist";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/** A server of files, with the clean addresses that the site has: `/reference/server` is a file that ends in `.html`. */
async function serveSite(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    const path = new URL(request.url!, "http://site").pathname;
    const file = [path, `${path}.html`, `${path}index.html`]
      .map((name) => join(DIST, name))
      .find((name) => extname(name) !== "" && existsSync(name));
    response.writeHead(file === undefined ? 404 : 200, { "Content-Type": TYPES[extname(file ?? "")] ?? "text/plain" });
    response.end(file === undefined ? "" : readFileSync(file));
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.on("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Resolves when the client in the page has received so many messages over this transport. */
async function received(page: Page, transport: string, count: number): Promise<void> {
  await page.waitForFunction(
    ([kind, least]) => {
      const demo = document.querySelector<HTMLElement>(".demo");
      return demo?.dataset["transport"] === kind && (demo.dataset["received"] ?? "").split(" ").length >= least!;
    },
    [transport, count] as const,
  );
}

/** The numbers that the client in the page has received. */
async function numbers(page: Page): Promise<number[]> {
  const text = await page.locator(".demo").getAttribute("data-received");
  return text!.split(" ").map(Number);
}

/** The text of a step of the demo when it is over. */
async function result(page: Page, step: string): Promise<string> {
  const text = page.locator(`.demo-result-${step}`);
  await text.filter({ hasText: /Lost:\s0\. Twice:\s0\.$/ }).waitFor({ timeout: 60_000 });
  return (await text.textContent())!;
}

describe("the site", { skip }, () => {
  before(() => {
    if (existsSync(join(DIST, "index.html"))) return;
    const { status, stderr } = spawnSync(process.execPath, ["site/scripts/site.js", "build"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });

  for (const viewport of [
    { width: 1280, height: 900 },
    { width: 390, height: 844 },
  ]) {
    it(`has a demo that moves by itself, and a tour of three steps in which no message is lost, ${viewport.width} wide`, async (t) => {
      const page = await newPage(t, { viewport });
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      await page.goto(await serveSite(t));
      await received(page, "websocket", 2);
      const height = (): Promise<number> => page.evaluate(() => document.documentElement.scrollHeight);
      const before = await height();

      await page.getByRole("button", { name: "Cut it for 3 seconds" }).click();
      await page.waitForFunction(() => document.querySelector<HTMLElement>(".demo")!.dataset["transport"] === "none");
      const cutAt = (await numbers(page)).length;
      await page.waitForFunction(
        (count) => Number(document.querySelector(".demo-sent")!.textContent) >= count + 3,
        cutAt,
      );
      assert.equal((await numbers(page)).length, cutAt, "nothing arrives while the network is cut");
      const [, waited] = /away for 3 seconds\. (\d+) messages waited, and all arrived\./.exec(
        await result(page, "cut"),
      )!;
      assert.ok(Number(waited) >= 3, waited);
      await received(page, "websocket", cutAt + 3);

      await page.getByRole("button", { name: "Block it" }).click();
      assert.match(await result(page, "block"), /^The session went on over an event stream\./);
      await received(page, "sse", cutAt + 5);
      assert.notEqual(await page.locator('.demo-numbers [data-carrier="sse"]').count(), 0);

      assert.equal(await page.locator(".demo-server").textContent(), "Server 1");
      await page.getByRole("button", { name: "Replace the server" }).click();
      assert.match(
        await result(page, "deploy"),
        /^Server 1 was stopped, and the session went on at server 2\./,
        "the session store has given the session to the next server",
      );
      assert.equal(await page.locator(".demo-server").textContent(), "Server 2");
      const moved = (await numbers(page)).length;
      await page.waitForFunction(
        (count) => Number(document.querySelector(".demo-count")!.textContent) >= count + 2,
        moved,
      );
      const all = await numbers(page);
      assert.deepEqual(
        all,
        all.map((_, i) => i + 1),
      );
      assert.equal(await height(), before, "no result moves the page");
      assert.deepEqual(complaints, []);
    });
  }

  for (const path of [
    "/",
    "/how-to/groups",
    "/reference/server",
    "/reference/api/unichannel/interfaces/ServeOptions",
  ]) {
    it(`shows ${path} on a phone without a page that is wider than the screen, in light and dark`, async (t) => {
      const url = await serveSite(t);
      for (const colorScheme of ["light", "dark"] as const) {
        const page = await newPage(t, { viewport: { width: 390, height: 844 }, colorScheme });
        await page.goto(url + path);
        assert.notEqual((await page.locator("h1").textContent()) ?? "", "");
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390, path);
        assert.equal(
          await page.evaluate(() => document.documentElement.classList.contains("dark")),
          colorScheme === "dark",
        );
      }
    });
  }

  it("shows TypeScript or JavaScript, and keeps the choice for all blocks of all pages, without drawing the other first", async (t) => {
    const url = await serveSite(t);
    const page = await newPage(t, { viewport: { width: 1280, height: 900 } });
    const shown = async (): Promise<string[]> => {
      const blocks = page.locator(".code-tabs pre");
      return (await blocks.all()).length === 0 ? [] : await blocks.filter({ visible: true }).allInnerTexts();
    };
    await page.goto(`${url}/tutorial/3-nothing-gets-lost`);
    const [typed, ...others] = await shown();
    assert.match(typed!, /^\/\/ chat\.ts\n/);
    assert.match(others.join(""), /from "\.\/chat\.ts"/);
    await page.getByRole("button", { name: "JavaScript" }).last().click();
    const untyped = await shown();
    assert.equal(untyped.length, others.length + 1);
    for (const text of untyped) assert.match(text, /^\/\/ \w+\.js\n/);
    assert.doesNotMatch(untyped.join(""), /\.ts"/);
    assert.equal(await page.getByRole("button", { name: "JavaScript", pressed: true }).count(), untyped.length);

    // Without the scripts of the page, only the one in the head has run.
    await page.route("**/*.js", (route) => route.abort());
    await page.goto(`${url}/tutorial/4-three-processes`);
    for (const text of await shown()) assert.match(text, /^\/\/ \w+\.js\n/);
    assert.match(await page.locator(".language-sh:visible").allInnerTexts().then(String), /node processes\.js/);
  });

  it("finds an answer by search, in the page itself", async (t) => {
    const page = await newPage(t, { viewport: { width: 1280, height: 900 } });
    await page.goto(await serveSite(t));
    await page.getByRole("button", { name: "Search" }).click();
    await page.locator("#localsearch-input").fill("maxBufferedBytes");
    await page.locator("#localsearch-list li").first().waitFor();
    assert.match((await page.locator("#localsearch-list").textContent()) ?? "", /maxBufferedBytes/);
  });

  for (const [query, href] of [
    ["request reply", /\/how-to\/requests(?:#|$)/],
    ["react", /\/how-to\/react(?:#|$)/],
    ["cancel a request", /\/how-to\/requests#cancel-a-request$/],
  ] as const) {
    it(`finds the page that answers "${query}" first`, async (t) => {
      const page = await newPage(t);
      await page.goto(await serveSite(t));
      await page.locator(".VPNavBarSearch button").first().click();
      await page.locator("#localsearch-input").fill(query);
      const first = page.locator(".VPLocalSearchBox .result").first();
      await first.waitFor();
      await page.waitForTimeout(500);
      assert.match(String(await first.getAttribute("href")), href);
    });
  }
});
