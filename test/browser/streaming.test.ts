// Streamed responses in a browser: plain text, and event streams (WHATWG HTML §9.2).

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { type Channel, event, withChannel } from "../../src/index.ts";
import { BLANK, newPage, skip, start } from "./chromium.ts";

describe("A browser that opens a stream", { skip }, () => {
  it("shows the default text/plain with nosniff as it arrives, before the end", async (t) => {
    let channel: Channel | undefined;
    const url = await start(t, (request) => {
      if (request.path !== "/") return undefined;
      channel = withChannel(request, (opened) => opened.send("message from server #0", false));
      return channel;
    });
    const page = await newPage(t);
    const response = await page.goto(url, { waitUntil: "commit" });
    assert.equal(response?.headers()["content-type"], "text/plain; charset=utf-8");
    assert.equal(response?.headers()["x-content-type-options"], "nosniff");

    await page.waitForFunction(() => document.body?.textContent === "message from server #0");
    channel?.send(" #1 é😀", false);
    await page.waitForFunction(() => document.body.textContent === "message from server #0 #1 é😀");
    assert.equal(channel?.isOpen, true);
    assert.equal(await page.evaluate(() => document.readyState), "loading");
    channel?.close();
    await page.waitForFunction(() => document.readyState === "complete");
  });

  it("runs no script of it: HTML in a message stays text, at its beginning and later", async (t) => {
    const html = `<!doctype html><html><script>document.title = "run"</script><img src="x" onerror="document.title = 'run'">`;
    let channel: Channel | undefined;
    const url = await start(t, (request) => {
      if (request.path !== "/") return undefined;
      channel = withChannel(request, (opened) => opened.send(html, false));
      return channel;
    });
    const page = await newPage(t);
    await page.goto(url, { waitUntil: "commit" });
    await page.waitForFunction((text) => document.body?.textContent === text, html);
    channel?.send(html, true);
    await page.waitForFunction((text) => document.body.textContent === text + text, html);
    const seen = await page.evaluate(() => [document.title, document.scripts.length, document.images.length]);
    assert.deepEqual(seen, ["", 0, 0]);
  });
});

describe("An EventSource of a browser", { skip }, () => {
  it("comes back with Last-Event-ID after `retry` when the server has ended the stream, until a 204", async (t) => {
    const asked: { readonly lastEventId: string | null; readonly at: number }[] = [];
    const url = await start(t, (request) => {
      if (request.path !== "/events") return BLANK;
      asked.push({ lastEventId: request.lastEventId, at: performance.now() });
      return withChannel(request, (channel) => {
        if (asked.length === 1) {
          channel.send(event({ id: "41", data: "first", retry: 250 }));
          channel.send(event({ id: "42", data: "two\nlines" }));
        } else if (asked.length === 2) channel.send(event({ id: "43", event: "named", data: "" }));
        // Without a send before, the third close is a 204: it tells an EventSource to stay away (§9.2.3).
        channel.close();
      });
    });
    const page = await newPage(t);
    await page.goto(url);
    const seen = await page.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const events: string[] = [];
          const source = new EventSource("/events");
          const add = ({ type, data, lastEventId }: MessageEvent) => events.push(`${type} ${lastEventId}: ${data}`);
          source.onmessage = add;
          source.addEventListener("named", add);
          source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) resolve(events);
          };
        }),
    );
    assert.deepEqual(seen, ["message 41: first", "message 42: two\nlines", "named 43: "]);
    assert.deepEqual(
      asked.map(({ lastEventId }) => lastEventId),
      [null, "42", "43"],
    );
    assert.ok(asked[1]!.at - asked[0]!.at >= 245, "it waited for as long as `retry` said");
  });

  it("is noticed when the page closes it", async (t) => {
    const closed = new EventTarget();
    const url = await start(t, (request) => {
      if (request.path !== "/events") return BLANK;
      return withChannel(request, (channel) => {
        assert.equal(channel.transport, "sse");
        channel.send("hello");
        channel.onClose((status) => closed.dispatchEvent(new CustomEvent("close", { detail: status })));
      });
    });
    const page = await newPage(t);
    await page.goto(url);
    const end = once(closed, "close");
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const source = new EventSource("/events");
          source.onmessage = () => {
            source.close();
            resolve();
          };
        }),
    );
    const [{ detail }] = await end;
    assert.deepEqual(detail, { by: "client", code: 1001, reason: "", name: "client-close" });
  });
});
