// The inspector as an operator uses it: its page in a browser, in front of a server with 5,000 channels.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { WebSocket } from "ws";
import { type Connection, connect } from "../../src/client/index.ts";
import {
  type ChannelRequest,
  MemoryChannelStore,
  openSession,
  type Server,
  serve,
  withChannel,
} from "../../src/index.ts";
import { type Inspector, type InspectorOptions, inspector } from "../../src/inspector.ts";
import { upgradeRequest } from "../support/ws-client.ts";
import { newPage, skip } from "./playwright.ts";

const MANY = 5000;
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
/** A name that would be script if the page took it for markup. */
const EVIL = `<img src=x onerror="document.title='run'">`;

interface Operated {
  readonly server: Server;
  readonly rooms: MemoryChannelStore;
  /** A session at /chat, and the sockets that have carried it. */
  readonly session: Connection;
  readonly sockets: WebSocket[];
  readonly heard: string[];
  readonly page: Page;
  readonly complaints: string[];
}

/** A server with one session and `silent` WebSockets, and a page of its inspector. */
async function operate(
  t: TestContext,
  silent: number,
  { viewport = DESKTOP, ...options }: InspectorOptions & { readonly viewport?: typeof DESKTOP } = {},
): Promise<Operated> {
  const rooms = new MemoryChannelStore();
  let inspect: Inspector | undefined;
  const server = await serve(
    (request: ChannelRequest) => {
      if (request.path.startsWith("/inspect")) return inspect!(request);
      if (request.path !== "/chat") return withChannel(request, (channel) => rooms.addToGroup("quotes", channel));
      return openSession(request, { open: (channel) => rooms.addToGroup(EVIL, channel) });
    },
    // The silent sockets answer no pings.
    { host: "127.0.0.1", port: 0, pingIntervalMs: 0 },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  inspect = inspector(server, { stores: { rooms }, ...options });
  const opened = await openSockets(t, server.port, silent);
  assert.equal(opened, silent);
  const sockets: WebSocket[] = [];
  class Kept extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      this.on("error", () => {});
      sockets.push(this);
    }
  }
  const session = connect(`${server.url}/chat`, { WebSocket: Kept as never, backoff: { firstMs: 1 } });
  t.after(() => session.close());
  const heard: string[] = [];
  session.onMessage((message) => heard.push(String(message)));
  await session.opened;
  const page = await newPage(t, { viewport });
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${server.url}/inspect`);
  await page.waitForSelector('#live[data-state="open"]');
  return { server, rooms, session, sockets, heard, page, complaints };
}

/** Opens WebSockets that say nothing, a hundred at a time. */
async function openSockets(t: TestContext, port: number, count: number): Promise<number> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let opened = 0;
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(100, count - sockets.length) }, () => {
      const socket = connectTcp(port, "127.0.0.1");
      const path = sockets.length === 7 ? "/board" : "/quotes";
      socket.write(upgradeRequest(path));
      sockets.push(socket);
      return once(socket, "data").then(() => {
        socket.resume();
        opened += 1;
      });
    });
    await Promise.all(batch);
  }
  return opened;
}

const text = (
  selector: string,
  wanted: string | RegExp,
): [(arg: [string, string, string]) => boolean, [string, string, string]] => [
  ([where, source, flags]) => new RegExp(source, flags).test(document.querySelector(where)?.textContent ?? ""),
  [selector, wanted instanceof RegExp ? wanted.source : `^${wanted}$`, wanted instanceof RegExp ? wanted.flags : ""],
];

describe("The inspector's page", { skip }, () => {
  it(`finds, follows and closes one channel of ${MANY}, and publishes a message`, async (t) => {
    const { page, session, sockets, heard, complaints, rooms } = await operate(t, MANY - 1, {
      allow: { close: true, publish: true },
    });
    await page.waitForFunction(...text("#total-channels", "5,000"));
    await page.getByRole("link", { name: "Channels" }).click();
    await page.waitForFunction(...text("#channel-total", "5,000 channels"));
    assert.equal(await page.locator("#channel-list li").count(), 50, "a page of them");

    await page.getByRole("searchbox", { name: "Filter channels" }).fill("board");
    await page.waitForFunction(...text("#channel-total", "1 channel"));
    await page.getByRole("searchbox", { name: "Filter channels" }).fill("");
    await page.getByRole("combobox", { name: "Transport" }).selectOption("session");
    await page.waitForFunction(...text("#channel-total", "1 channel"));
    await page.locator("#channel-list a").click();
    await page.waitForFunction(...text("#timeline", /^opened by \/chat/));

    sockets[0]!.terminate();
    await page.waitForFunction(...text("#timeline", /websocket ended by the network.*resumed on websocket/));
    assert.match((await page.locator("#channel-groups").textContent()) ?? "", /onerror/);

    await page.getByRole("link", { name: "Groups" }).click();
    await page.locator("#group-list a", { hasText: "onerror" }).click();
    await page.getByRole("textbox", { name: "Publish a message" }).fill(EVIL);
    await page.getByRole("button", { name: "Publish" }).click();
    await page.waitForFunction(...text("#messages", /onerror/));
    assert.deepEqual(heard, [EVIL]);
    assert.equal((await rooms.history(EVIL)).messages.length, 1);

    await page.locator("#member-list a").click();
    await page.getByRole("button", { name: "Close this channel" }).click();
    await page.getByLabel("Code").fill("4001");
    await page.getByLabel("Reason").fill("enough");
    await page.getByRole("button", { name: "Close it" }).click();
    const { code, reason, by } = await session.closed;
    assert.deepEqual({ code, reason, by }, { code: 4001, reason: "enough", by: "server" });
    await page.waitForFunction(...text("#timeline", /closed from the inspector.*closed by the server: 4001/));
    assert.equal(await page.getByRole("button", { name: "Close this channel" }).isDisabled(), true);
    await page.getByRole("link", { name: "Overview" }).click();
    await page.waitForFunction(...text("#total-channels", "4,999"));
    assert.equal(await page.title(), "Inspector · unichannel");
    assert.equal(await page.locator("main img").count(), 0);
    assert.deepEqual(complaints, []);
  });

  it("offers no action that is not allowed", async (t) => {
    const { page } = await operate(t, 1);
    await page.getByRole("link", { name: "Channels" }).click();
    await page.locator("#channel-list a").first().click();
    await page.waitForSelector("#timeline li");
    assert.equal(await page.locator("#close-channel").isVisible(), false);
    await page.getByRole("link", { name: "Groups" }).click();
    await page.locator("#group-list a").first().click();
    await page.waitForSelector("#member-list li");
    assert.equal(await page.locator("#publish-form").isVisible(), false);
  });

  it("goes on where it was after a loss of its own connection, and pauses while nobody looks", async (t) => {
    const { page, server } = await operate(t, 3);
    await page.getByRole("link", { name: "Channels" }).click();
    await page.waitForFunction(...text("#channel-total", "4 channels"));
    await page.context().setOffline(true);
    await page.context().setOffline(false);
    await openSockets(t, server.port, 2);
    await page.waitForFunction(...text("#channel-total", "6 channels"));
    await page.getByRole("button", { name: "Pause" }).click();
    await page.waitForFunction(...text("#live", /paused/));
    await page.getByRole("button", { name: "Go on" }).click();
    await page.waitForFunction(...text("#live", /live/));
  });

  it("is used with the keyboard: / filters, Enter opens, Escape closes, and the address follows", async (t) => {
    const { page } = await operate(t, 2);
    await page.goto(page.url().replace(/#.*|$/, "#/channels"));
    await page.waitForSelector("#channel-list li");
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "channel-text");
    await page.keyboard.type("chat");
    await page.waitForFunction(...text("#channel-total", "1 channel"));
    await page.locator("#channel-list a").focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector("#timeline li");
    assert.match(page.url(), /#\/channels\/\w+-\w+$/);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "channel-title");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#channel-panel", { state: "hidden" });
    assert.match((await page.evaluate(() => document.activeElement?.getAttribute("href"))) ?? "", /^#\/channels\/./);
    await page.goBack();
    await page.waitForSelector("#channel-panel:not([hidden])");
  });

  it("shows what cannot be seen in names that clients choose, and opens such groups", async (t) => {
    const { page, rooms, complaints } = await operate(t, 0);
    const names = ["\ud800half of a pair", "\u202Eturned around", "100 %u0041", "a\0b"];
    for (const name of names) await rooms.publish(name, `of ${name.length}`);
    await page.getByRole("link", { name: "Groups" }).click();
    await page.waitForFunction(...text("#group-total", `${names.length + 1} groups`));
    for (const name of names) {
      const [seen] = /half|turned|100|a\\u0000b/.exec(name.replace("\0", "\\u0000"))!;
      await page.locator("#group-list a", { hasText: seen }).click();
      await page.waitForFunction(...text("#messages", new RegExp(`of ${name.length}`)));
      await page.keyboard.press("Escape");
    }
    assert.match((await page.locator("#group-list").textContent()) ?? "", /\\u202eturned/);
    assert.deepEqual(complaints, []);
  });

  it("says in the dialog why a channel was not closed", async (t) => {
    const { page, session } = await operate(t, 0, { allow: { close: true } });
    await page.getByRole("link", { name: "Channels" }).click();
    await page.locator("#channel-list a").click();
    await page.getByRole("button", { name: "Close this channel" }).click();
    await page.getByLabel("Code").fill("1006");
    await page.getByRole("button", { name: "Close it" }).click();
    await page.waitForFunction(...text("#close-error", /1006/));
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.getByRole("button", { name: "Close this channel" }).click();
    assert.equal(await page.locator("#close-error").textContent(), "");
    assert.equal(session.state, "open");
  });

  it("fits a phone, has a name for each control, and enough contrast in light and dark", async (t) => {
    const { page } = await operate(t, 60, { viewport: PHONE, allow: { close: true, publish: true } });
    for (const scheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.waitForSelector(`html[data-theme="${scheme}"]`);
      for (const view of ["Overview", "Channels", "Groups"]) {
        await page.getByRole("link", { name: view, exact: true }).click();
        if (view !== "Overview") await page.locator("section:not([hidden]) .rows a").first().click();
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, view);
        assert.deepEqual(await page.evaluate(namelessControls), [], view);
      }
      assert.deepEqual(await page.evaluate(weakColors), [], scheme);
    }
    await page.getByRole("link", { name: "Channels", exact: true }).click();
    await page.locator("#channel-list a").nth(30).click();
    await page.waitForSelector("#timeline li");
    assert.equal(await page.evaluate(() => scrollY), 0, "the panel begins at its top");
    await page.getByRole("button", { name: "Close the panel" }).first().click();
    await page.waitForFunction(() => scrollY > 300 && document.activeElement?.classList.contains("row"));
    await page.getByRole("button", { name: "Use light colors" }).click();
    await page.waitForSelector('html[data-theme="light"]');
    await page.reload();
    await page.waitForSelector('html[data-theme="light"]');
  });
});

/** Controls that a screen reader could not name. Runs in the page. */
function namelessControls(): string[] {
  const controls = document.querySelectorAll<HTMLElement>("button, a, input, select, textarea");
  return [...controls]
    .filter((control) => {
      const labels = "labels" in control ? [...((control as HTMLInputElement).labels ?? [])] : [];
      const name = control.getAttribute("aria-label") ?? labels.map((one) => one.textContent).join("");
      return (name.trim() || control.textContent?.trim() || "") === "";
    })
    .map((control) => control.outerHTML);
}

/** Colors of texts with a contrast below 4.5 (WCAG 2.2, 1.4.3), and of marks below 3 (1.4.11). Runs in the page. */
function weakColors(): string[] {
  const style = getComputedStyle(document.documentElement);
  const luminance = (name: string): number => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const [r, g, b] = [0, 2, 4].map((at) => {
      const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (one: string, other: string): number => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light! + 0.05) / (dark! + 0.05);
  };
  const weak: string[] = [];
  for (const back of ["--card", "--page", "--hover"]) {
    for (const name of ["--text", "--soft", "--accent", "--good", "--wait", "--bad"])
      if (contrast(name, back) < 4.5) weak.push(`${name} on ${back}: ${contrast(name, back)}`);
    for (const name of ["--websocket", "--sse", "--stream", "--poll", "--field"])
      if (contrast(name, back) < 3) weak.push(`${name} on ${back}: ${contrast(name, back)}`);
  }
  if (contrast("--on-accent", "--accent") < 4.5) weak.push("--on-accent");
  return weak;
}
