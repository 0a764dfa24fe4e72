// Each chapter of docs/tutorial, from its empty folder, with the commands and files that it prints, in TypeScript and in
// JavaScript; driven in Chromium as its text says.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Page } from "playwright-core";
import { newPage, skip } from "../browser/playwright.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/wait.ts";
import { blocksOf, CHAPTERS, commandsOf, Reader } from "./chapters.ts";

const LANGUAGES = ["ts", "js"] as const;
const SERVER = "node server.ts";
const TIMEOUT_MS = 120_000;

/** The lines of the chat as the page shows them, once `isDone`. */
async function lines(page: Page, isDone: (texts: readonly string[]) => boolean): Promise<readonly string[]> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const texts = await page.locator("li").allTextContents();
    if (isDone(texts)) return texts;
    if (Date.now() > deadline) assert.fail(`the page shows ${JSON.stringify(texts)}`);
    await delay(20);
  }
}

/** Resolves when an element has this text. */
async function shows(page: Page, selector: string, text: string | RegExp): Promise<void> {
  const found = page.locator(selector, { hasText: text }).waitFor({ timeout: 60_000 });
  await found.catch(async () =>
    assert.fail(`${selector} is ${await page.locator(selector).textContent()}, not ${text}`),
  );
}

/** The page of a name in the room "tea". A context of its own each, so that its network can be switched off alone. */
async function enter(t: TestContext, reader: Reader, name: string, room = "tea"): Promise<Page> {
  const page = await newPage(t);
  await page.goto(`${reader.url}/?name=${name}&room=${room}`);
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.locator("#say input").fill(text);
  await page.locator("#say button").click();
}

describe("the tutorial", () => {
  it("has four chapters, whose commands are all run here or prepare something", () => {
    assert.equal(CHAPTERS.length, 4);
    const known =
      /^(?:mkdir|cd|npm|curl|npx esbuild page\.ts|node server\.ts$|node processes\.ts$|haproxy|redis-server)/;
    for (const chapter of CHAPTERS) {
      assert.ok(blocksOf(chapter).length > 0);
      for (const command of commandsOf(chapter)) assert.match(command, known);
    }
  });

  for (const language of LANGUAGES) {
    it(`1: a first message, in ${language}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
      const reader = await Reader.begin(t, language);
      reader.workThrough(1);
      if (language === "ts") reader.checkTypes();
      await reader.start(SERVER, /Open http/);
      const pages = [await newPage(t), await newPage(t)];
      for (const page of pages) await page.goto(reader.url);
      const [stream = "", poll = ""] = commandsOf(CHAPTERS[0]!).filter((line) => line.startsWith("curl"));
      const events = curl(t, stream.replace("9090", reader.port("9090")));
      const answer = curl(t, poll.replace("9090", reader.port("9090")));
      // The two of curl have come when their messages arrive: each round is one line in the pages.
      let round = 0;
      while (!events.output().includes("data: ") || answer.output() === "") {
        assert.ok((round += 1) < 100, `${events.output()} ${answer.output()}`);
        await pages[0]!.locator("input").fill(`hello ${round}`);
        await pages[0]!.locator("button").click();
        for (const page of pages) await lines(page, (texts) => texts.at(-1) === `hello ${round}`);
      }
      assert.match(answer.output(), /^hello \d+$/);
      assert.match(events.output(), /^data: hello \d+$/m);
    });

    it(`2: names, rooms and history, in ${language}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
      const reader = await Reader.begin(t, language);
      reader.workThrough(2);
      if (language === "ts") reader.checkTypes();
      const server = await reader.start(SERVER, /Open http/);
      assert.equal((await fetch(`${reader.url}/chat?name=ann`)).status, 400);
      const ann = await newPage(t);
      await ann.goto(reader.url);
      await ann.locator("[name=name]").fill("ann");
      await ann.locator("[name=room]").fill("tea");
      await ann.locator("#enter button").click();
      await until(() => ann.url().endsWith("/?name=ann&room=tea"), "the form has opened the room");
      const bob = await enter(t, reader, "bob");
      const eve = await enter(t, reader, "eve", "wine");
      await saidWhenOpen(ann, "hello");
      await lines(bob, (texts) => texts.at(-1) === "ann: hello");
      await say(bob, "hi ann");
      const all = await lines(ann, (texts) => texts.at(-1) === "bob: hi ann");
      await ann.reload();
      assert.deepEqual(await lines(ann, (texts) => texts.length === all.length), all);
      await saidWhenOpen(eve, "anybody here?");
      assert.ok((await lines(eve, () => true)).every((text) => text === "eve: anybody here?"));

      // The text says that a line is lost while the server is away, and that its ids are unknown when it is back.
      await server.stop();
      await say(bob, "into the void");
      await reader.start(SERVER, /Open http/);
      const after = await lines(bob, (texts) => texts.at(-1)!.includes("missing"));
      assert.ok(!after.some((text) => text.includes("void")));
    });

    it(`3: nothing gets lost, in ${language}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
      const reader = await Reader.begin(t, language);
      reader.workThrough(3);
      if (language === "ts") reader.checkTypes();
      else reader.keepTypesOfPage();
      const server = await reader.start(SERVER, /Open http/);
      assert.equal((await fetch(`${reader.url}/chat?name=ann`)).status, 403);
      const [ann, bob] = [await enter(t, reader, "ann"), await enter(t, reader, "bob")];
      for (const page of [ann, bob]) {
        await shows(page, "#state", "open");
        await shows(page, "#here", "here: ann, bob");
      }
      await ann.locator("#say input").pressSequentially("h");
      await shows(bob, "#typing", "ann is typing");
      await say(ann, "hello");
      await say(bob, "/help");
      await lines(bob, (texts) => texts.includes("not sent: /help (there are no commands yet)"));
      assert.deepEqual(await lines(ann, (texts) => texts.length > 0), ["ann: hello"]);

      await ann.context().setOffline(true);
      await shows(ann, "#state", /offline|reconnecting/);
      for (const text of ["one", "two", "three"]) await say(ann, text);
      await say(bob, "meanwhile");
      await lines(bob, (texts) => texts.at(-1) === "bob: meanwhile");
      assert.equal(await ann.locator("li").count(), 1);
      await ann.context().setOffline(false);
      const texts = await lines(ann, (all) => all.length >= 5);
      assert.deepEqual(texts, ["ann: hello", "bob: meanwhile", "ann: one", "ann: two", "ann: three"]);
      await lines(bob, (all) => all.at(-1) === "ann: three");

      await server.stop();
      await shows(bob, "#state", "reconnecting");
      await say(bob, "written meanwhile");
      await reader.start(SERVER, /Open http/);
      for (const page of [ann, bob]) {
        assert.deepEqual(await lines(page, (all) => all.at(-1) === "bob: written meanwhile"), [
          "bob: written meanwhile",
        ]);
      }
    });

    const programs = skip || needs("redis-server") || needs("haproxy");
    it(`4: three processes, in ${language}`, { skip: programs, timeout: 2 * TIMEOUT_MS }, async (t) => {
      const reader = await Reader.begin(t, language);
      reader.workThrough(4);
      if (language === "ts") reader.checkTypes();
      const [redis = "", haproxy = "", processes = ""] = commandsOf(CHAPTERS[3]!).slice(1);
      await reader.start(`${redis} --port ${reader.port("6379")} --bind 127.0.0.1`, /Ready to accept/);
      const service = await reader.start(processes, /Press Enter/);
      await reader.start(haproxy);
      await answers(`${reader.url}/`);
      const [ann, bob] = [await enter(t, reader, "ann"), await enter(t, reader, "bob")];
      for (const page of [ann, bob]) {
        await shows(page, "#state", "open");
        await shows(page, "#here", "here: ann, bob");
      }
      await ann.locator("#say input").pressSequentially("h");
      await shows(bob, "#typing", "ann is typing");
      await say(ann, "/help");
      await lines(ann, (texts) => texts.includes("not sent: /help (there are no commands yet)"));

      reader.edit(`server.${language}`, "there are no commands yet", "commands come next week");
      service.child.stdin!.write("\n");
      let sent = 0;
      const isDone = (): boolean => service.output().includes(`${reader.port("9093")} runs the new version`);
      while (!isDone() || sent < 20) {
        await say(sent % 2 === 0 ? ann : bob, `line ${(sent += 1)}`);
        await delay(100);
        assert.ok(sent < 600, service.output());
      }
      await say(ann, "/help");
      const answered = await lines(ann, (texts) => texts.includes("not sent: /help (commands come next week)"));
      assert.equal(answered.filter((text) => text.includes("no commands yet")).length, 1, "the page was not reloaded");
      const wanted = Array.from({ length: sent }, (_, at) => `line ${at + 1}`).sort();
      for (const page of [ann, bob]) {
        await lines(page, (texts) => texts.filter((text) => text.includes(": line ")).length >= sent);
        const got = (await lines(page, () => true)).filter((text) => text.includes(": line "));
        assert.deepEqual(got.map((text) => text.replace(/^\w+: /, "")).sort(), wanted);
        await shows(page, "#here", "here: ann, bob");
      }
      await service.stop();
    });
  }
});

/** Resolves when the address answers. */
async function answers(url: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > deadline) assert.fail(`${url}: ${status}`);
    await delay(50);
  }
}

/** Says a text until the page shows it: the WebSocket of the first two chapters may not be open yet, and keeps nothing. */
async function saidWhenOpen(page: Page, text: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await say(page, text);
    await delay(100);
    if ((await page.locator("li").allTextContents()).some((line) => line.endsWith(text))) return;
  }
  assert.fail(`${text} was never shown`);
}

function curl(t: TestContext, line: string): { output(): string } {
  const child = spawn("sh", ["-c", `exec ${line}`], { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (bytes) => (output += String(bytes)));
  t.after(() => child.kill());
  return { output: () => output };
}
