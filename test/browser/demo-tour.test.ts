// The first view of the demo's page: messages that move by themselves, and the tour of three steps.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { openDemo } from "./demo-page.ts";
import { skip } from "./playwright.ts";

const PHONE = { width: 390, height: 844 };
/** A step of the tour ends by itself. */
const PATIENCE = { timeout: 60_000 };

const sum = async (page: Page, name: string): Promise<number> =>
  Number(await page.locator(`#sum-${name}`).textContent());
const reaches = (page: Page, name: string, least: number): Promise<unknown> =>
  page.waitForFunction(
    ([id, number]) => Number(document.querySelector(`#sum-${id}`)?.textContent) >= Number(number),
    [name, least],
    PATIENCE,
  );
/** The numbers in a lane, as they are shown. */
const lane = async (page: Page, name: string): Promise<number[]> =>
  (await page.locator(`#lane-${name} span`).allTextContents()).map(Number);

/** Every number is the one before it, plus 1. */
function areInOrder(numbers: readonly number[]): void {
  assert.ok(numbers.length > 0);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => numbers[0]! + index),
  );
}

/** Presses a step's button; resolves with what it says when it is over. */
async function step(page: Page, name: string): Promise<string> {
  await page.locator(`#tour-${name}`).click();
  await page.waitForSelector(`#step-${name}[data-state="running"]`);
  await page.waitForSelector(`#step-${name}[data-state="done"]`, PATIENCE);
  const text = (await page.locator(`#result-${name}`).textContent())!;
  assert.match(text, /\d+ messages arrived, \d+ of them late\. Lost:\s0\. Twice:\s0\.$/);
  return text;
}

async function nothingIsLost(page: Page): Promise<void> {
  assert.equal(await sum(page, "lost"), 0);
  assert.equal(await sum(page, "twice"), 0);
  areInOrder(await lane(page, "in"));
  areInOrder(await lane(page, "out"));
}

describe("The first view of the demo's page", { skip }, () => {
  it("moves before anything is pressed: numbers of the server and of the page, each once and in order", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "received", 3);
    await reaches(page, "heard", 3);
    await nothingIsLost(page);
    assert.match((await page.locator("#server").textContent()) ?? "", /^Server \d+$/);
    assert.equal(await page.locator("#step-cut").getAttribute("data-state"), "next");
    assert.deepEqual(complaints, []);
  });

  it("has a first step that cuts the network: both rows stop, and all that waited arrives", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "heard", 2);
    const over = step(page, "cut");
    await page.waitForSelector('#stage[data-carrier="none"]');
    const received = await sum(page, "received");
    await reaches(page, "waiting", 4);
    assert.equal(await sum(page, "received"), received, "nothing arrives while the network is cut");
    assert.ok((await page.locator("#lane-out span:not([data-carrier])").count()) >= 4, "and what is sent waits");
    const [, arrived, late] = /(\d+) messages arrived, (\d+) of them late/.exec(await over)!.map(Number);
    assert.ok(late! >= 8 && arrived! >= late!, `${late} of ${arrived}`);
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("has a second step that blocks WebSocket: an event stream takes over, and WebSocket comes back", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "heard", 1);
    const over = step(page, "block");
    await page.waitForSelector('#stage[data-carrier="sse"]', PATIENCE);
    await page.waitForSelector('#lane-in [data-carrier="sse"]');
    await page.waitForSelector('#lane-out [data-carrier="sse"]');
    const [, carried] = /^(\d+) messages came over an event stream; then WebSocket was back/.exec(await over)!;
    assert.ok(Number(carried) >= 4, carried);
    assert.equal(await page.locator("#stage").getAttribute("data-carrier"), "websocket");
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("has a third step that replaces all servers: the session moves to a new one", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "heard", 1);
    const before = await page.locator("#server").textContent();
    const text = await step(page, "deploy");
    const [, from, to] = /^Three servers were replaced, and the session moved from server (\d+) to (\d+)\. /.exec(
      text,
    )!;
    assert.equal(`Server ${from}`, before);
    assert.ok(Number(to) > 3, "the first three servers are gone");
    assert.equal(await page.locator("#server").textContent(), `Server ${to}`);
    assert.ok(Number(await page.locator("#count-resumed").textContent()) >= 1);
    assert.equal(await page.locator("#count-forgotten").textContent(), "0");
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("is gone through with the keyboard, on a phone and with reduced motion, and nothing moves on the page", async (t) => {
    const { page, complaints } = await openDemo(t, PHONE);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await reaches(page, "heard", 1);
    const height = (): Promise<number> => page.evaluate(() => document.documentElement.scrollHeight);
    const before = await height();
    await page.locator("#tour-cut").focus();
    for (const name of ["cut", "block", "deploy"]) {
      assert.equal(await page.evaluate(() => document.activeElement?.id), `tour-${name}`);
      await page.keyboard.press("Enter");
      await page.waitForSelector(`#step-${name}[data-state="done"]`, PATIENCE);
      assert.match((await page.locator(`#result-${name}`).textContent())!, /Lost:\s0\. Twice:\s0\.$/);
      assert.equal(await page.locator(`#result-${name}`).getAttribute("aria-live"), "polite");
      await page.keyboard.press("Tab");
    }
    assert.match((await page.locator("#tour-end").textContent())!, /^That was all three/);
    assert.equal(await height(), before);
    await nothingIsLost(page);
    assert.deepEqual(complaints, []);
  });

  it("does one step at a time", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "heard", 1);
    const over = step(page, "cut");
    await page.waitForSelector('#tour-block[aria-disabled="true"]');
    await page.locator("#tour-block").click({ force: true });
    await over;
    assert.equal(await page.locator("#step-block").getAttribute("data-state"), "next");
    assert.equal(await page.locator("#tour-block").getAttribute("aria-disabled"), "false");
    assert.deepEqual(complaints, []);
  });

  it("goes on when the page is loaded again: with the next number, and with the steps that were done", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "received", 3);
    const result = await step(page, "cut");
    const received = await sum(page, "received");
    const last = (await lane(page, "in")).at(-1)!;
    await page.reload();
    await reaches(page, "received", received + 3);
    const after = await lane(page, "in");
    areInOrder(after);
    assert.ok(after.includes(last) && after.at(-1)! > last, `${last} in ${after}`);
    assert.equal(await page.locator("#step-cut").getAttribute("data-state"), "done");
    assert.equal(await page.locator("#result-cut").textContent(), result);
    assert.equal(await page.locator("#step-block").getAttribute("data-state"), "next");
    assert.equal(await sum(page, "lost"), 0);
    assert.equal(await sum(page, "twice"), 0);
    assert.deepEqual(complaints, []);
  });

  it("counts a number that is missing and one that comes again", async (t) => {
    const { page, complaints } = await openDemo(t);
    // A server that does not keep its promise: the page changes what arrives.
    await page.addInitScript(() => {
      const { parse } = JSON;
      let seen = 0;
      JSON.parse = (text, reviver) => {
        const value = parse(text, reviver);
        if (value?.count === undefined) return value;
        seen += 1;
        const { count } = value;
        if (seen === 3) return { ...value, count: count - 1 };
        return seen > 3 ? { ...value, count: count + 2 } : value;
      };
    });
    await page.reload();
    await reaches(page, "received", 3);
    await reaches(page, "lost", 1);
    assert.equal(await sum(page, "twice"), 1);
    assert.equal(await sum(page, "lost"), 3);
    assert.equal(await page.locator("#sum-lost.is-bad").count(), 1);
    assert.deepEqual(complaints, []);
  });

  it("says that a step has failed if the server is gone, and repeats it when asked", async (t) => {
    const { page, stop } = await openDemo(t);
    await reaches(page, "heard", 1);
    // The patience of a step, made short: its sleeps end at once.
    await stop();
    await page.waitForSelector('#stage[data-state="reconnecting"]');
    await page.evaluate(() => {
      const { setTimeout } = window;
      window.setTimeout = ((fn: () => void, ms: number) => setTimeout(fn, ms === 50 ? 1 : ms)) as typeof setTimeout;
    });
    await page.locator("#tour-deploy").click();
    await page
      .locator("#result-deploy")
      .filter({ hasText: /^No answer for 30 seconds/ })
      .waitFor(PATIENCE);
    assert.notEqual(await page.locator("#step-deploy").getAttribute("data-state"), "done");
    assert.equal(await page.locator("#tour-deploy").getAttribute("aria-disabled"), "false");
  });

  it("begins anew in a page that was closed for longer than numbers are kept, and counts what a reload has shown to be lost", async (t) => {
    const { page, complaints } = await openDemo(t);
    await reaches(page, "received", 3);
    // Numbers long gone: the server keeps 100.
    await page.evaluate(() => {
      const name = "unichannel-demo-numbers";
      const numbers = JSON.parse(sessionStorage.getItem(name)!);
      sessionStorage.setItem(name, JSON.stringify({ ...numbers, lastCount: -200, lost: 2 }));
      Storage.prototype.setItem = () => undefined;
    });
    await page.reload();
    await reaches(page, "received", 6);
    assert.equal(await sum(page, "lost"), 2);
    assert.deepEqual(complaints, []);
  });
});
