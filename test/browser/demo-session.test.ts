// The demo's session as a visitor breaks it: the network, WebSocket, streams, the server's memory.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { openDemo } from "./demo-page.ts";
import { skip } from "./playwright.ts";

const PHONE = { width: 390, height: 844 };
/** Reconnecting has pauses, and a better carrier is tried each 5 s. */
const PATIENCE = { timeout: 60_000 };

const press = (page: Page, name: string): Promise<void> => page.getByRole("button", { name }).click();
const isOn = (page: Page, carrier: string): Promise<unknown> =>
  page.waitForSelector(`#panel[data-carrier="${carrier}"]`, PATIENCE);
const count = async (page: Page, name: string): Promise<number> =>
  Number(await page.locator(`#count-${name}`).textContent());
const reaches = (page: Page, name: string, least: number): Promise<unknown> =>
  page.waitForFunction(
    ([id, number]) => Number(document.querySelector(`#count-${id}`)?.textContent) >= Number(number),
    [name, least],
    PATIENCE,
  );
const shows = (page: Page, text: string): Promise<unknown> =>
  page.waitForFunction((part) => document.querySelector("#lines")?.textContent?.includes(part), text, PATIENCE);

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
}

/** No more numbers, and all that were sent have their answer: each one. */
async function nothingIsLost(page: Page): Promise<void> {
  const pause = page.locator("#pause");
  if ((await pause.getAttribute("aria-pressed")) === "false") await pause.click();
  await page.waitForFunction(
    () =>
      document.querySelector("#count-waiting")?.textContent === "0" &&
      document.querySelector("#count-sent")?.textContent === document.querySelector("#count-heard")?.textContent,
    undefined,
    PATIENCE,
  );
  assert.equal(await count(page, "lost"), 0);
  assert.equal(await count(page, "twice"), 0);
}

/** Whether the chart has pixels of a colour of the style sheet. */
const draws = (page: Page, colour: string): Promise<unknown> =>
  page.waitForFunction((name) => {
    const canvas = document.querySelector<HTMLCanvasElement>("#timeline")!;
    const hex = getComputedStyle(canvas).getPropertyValue(`--${name}`).trim();
    const rgb = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 255 && rgb.every((part, offset) => data[at + offset] === part)) return true;
    }
    return false;
  }, colour);

describe("The session of the demo's page", { skip }, () => {
  it("is resumed when the network is back, and every message came once, in both directions", async (t) => {
    const { page, url, complaints } = await openDemo(t);
    await isOn(page, "websocket");
    await reaches(page, "heard", 2);
    await press(page, "Cut the network");
    await isOn(page, "none");
    await say(page, "mine meanwhile");
    await fetch(`${url}/chat?name=ann`, { method: "POST", body: "theirs meanwhile" });
    await reaches(page, "waiting", 3);
    assert.deepEqual(await page.locator("#lines .waiting").allTextContents(), [
      `${await page.inputValue("#name")}mine meanwhileon the way`,
    ]);
    assert.match((await page.locator("#status").textContent()) ?? "", /Messages wait at both ends/);

    await press(page, "Restore the network");
    await isOn(page, "websocket");
    assert.match(
      (await page.locator("#status").textContent()) ?? "",
      /^Resumed over a WebSocket after .*Nothing was lost/,
    );
    await nothingIsLost(page);
    assert.ok((await count(page, "resumed")) >= 1);
    assert.equal(await count(page, "forgotten"), 0);
    assert.equal(await page.locator("#lines .waiting").count(), 0);
    const text = (await page.locator("#lines").textContent()) ?? "";
    assert.equal(text.split("mine meanwhile").length, 2, text);
    assert.equal(text.split("theirs meanwhile").length, 2, text);
    assert.deepEqual(complaints, []);
  });

  it("goes on over a stream where WebSocket is blocked, and back when it is not", async (t) => {
    const { page, complaints } = await openDemo(t);
    await isOn(page, "websocket");
    await press(page, "Block WebSocket");
    await isOn(page, "sse");
    await say(page, "over a stream");
    await shows(page, "over a streamevent stream");
    await press(page, "Block WebSocket");
    await isOn(page, "websocket");
    assert.equal(await page.locator("#status").textContent(), "Moved to a WebSocket. Nothing was lost.");
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("polls where streams are held back too", async (t) => {
    const { page, complaints } = await openDemo(t);
    await isOn(page, "websocket");
    await press(page, "Block WebSocket");
    await isOn(page, "sse");
    await press(page, "Hold streams back");
    await isOn(page, "poll");
    await say(page, "over polls");
    await shows(page, "over pollspoll");
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("is a new one when the server has forgotten it, and still no line is missing or repeated", async (t) => {
    const { page, url, complaints } = await openDemo(t);
    await isOn(page, "websocket");
    await say(page, "before");
    await shows(page, "before");
    await press(page, "Cut the network");
    await isOn(page, "none");
    await say(page, "unsaid");
    await fetch(`${url}/chat?name=ann`, { method: "POST", body: "unheard" });
    const forgotten = page.waitForResponse((response) => response.url().includes("/chat/forget"));
    await press(page, "Forget my session");
    assert.equal(await (await forgotten).text(), "1 forgotten\n");
    await press(page, "Restore the network");
    await reaches(page, "forgotten", 1);
    await nothingIsLost(page);
    await shows(page, "unsaid");
    for (const line of ["before", "unsaid", "unheard"]) {
      assert.equal(((await page.locator("#lines").textContent()) ?? "").split(line).length, 2, line);
    }
    assert.deepEqual(complaints, []);
  });

  it("goes on at another server when its own is replaced, on each carrier, and every message came once", async (t) => {
    const { page, url, complaints } = await openDemo(t);
    await isOn(page, "websocket");
    await page.locator("#deploying").click();
    for (const [carrier, deploys] of [
      ["websocket", 3],
      ["sse", 6],
      ["poll", 9],
    ] as const) {
      if (carrier === "sse") await press(page, "Block WebSocket");
      if (carrier === "poll") await press(page, "Hold streams back");
      await isOn(page, carrier);
      await say(page, `mine over ${carrier}`);
      await fetch(`${url}/chat?name=ann`, { method: "POST", body: `theirs beside ${carrier}` });
      await reaches(page, "deploys", deploys);
    }
    await draws(page, "good");
    await page.locator("#deploying").click();
    await nothingIsLost(page);
    assert.equal(await count(page, "forgotten"), 0);
    const text = (await page.locator("#lines").textContent()) ?? "";
    for (const carrier of ["websocket", "sse", "poll"]) {
      for (const line of [`mine over ${carrier}`, `theirs beside ${carrier}`])
        assert.equal(text.split(line).length, 2, line);
    }
    assert.deepEqual(
      complaints.filter((line) => !/^Failed to load|WebSocket connection/.test(line)),
      [],
    );
  });

  it("sees a deploy that somebody else has begun", async (t) => {
    const { page, url } = await openDemo(t);
    await isOn(page, "websocket");
    assert.equal((await fetch(`${url}/deploys`)).status, 405);
    assert.equal((await fetch(`${url}/deploys`, { method: "POST" })).status, 202);
    await reaches(page, "deploys", 1);
    await draws(page, "good");
  });

  it("has a chart of what carried it", async (t) => {
    const { page } = await openDemo(t);
    await draws(page, "websocket");
    await press(page, "Block WebSocket");
    await draws(page, "sse");
    await press(page, "Cut the network");
    await isOn(page, "none");
    await draws(page, "text");
  });

  it("is broken and mended with the keyboard alone", async (t) => {
    const { page } = await openDemo(t);
    await isOn(page, "websocket");
    for (const name of [
      "Cut it for 4 seconds",
      "Block it",
      "Replace all three",
      "Look inside a server",
      "Cut the network",
      "Block WebSocket",
      "Hold streams back",
      "Forget my session",
      "Pause the numbers",
    ]) {
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), name);
    }
    await page.locator("#cut").focus();
    await page.keyboard.press("Space");
    await isOn(page, "none");
    await page.keyboard.press("Space");
    await isOn(page, "websocket");
  });

  it("fits a phone", async (t) => {
    const { page } = await openDemo(t, PHONE);
    const width = (): Promise<number> => page.evaluate(() => document.scrollingElement!.scrollWidth);
    await isOn(page, "websocket");
    assert.equal(await width(), PHONE.width);
    const first = (await page.locator("#tour-cut").boundingBox())!;
    assert.ok(first.y + first.height <= PHONE.height, "the messages and the first step are on one screen");
    await press(page, "Cut the network");
    await isOn(page, "none");
    assert.equal(await width(), PHONE.width);
    await draws(page, "text");
  });
});
