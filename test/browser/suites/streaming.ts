// Streamed responses in a browser: plain text, and event streams (WHATWG HTML §9.2).

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { type Channel, event, withChannel } from "../../../src/index.ts";
import { type Page, run, waitFor } from "../engines/engine.ts";
import { BLANK, type Rig, start } from "../engines/rig.ts";

export function streamingSuite({ newPage, needing }: Rig): void {
  describe("A browser that opens a stream", () => {
    it("is told that the default is text/plain with nosniff", async (t) => {
      const url = await start(t, (request) => {
        if (request.path !== "/stream") return BLANK;
        return withChannel(request, (channel) => channel.send("message from server #0", false));
      });
      const page = await newPage(t);
      await page.goto(url);
      const headers = await page.evaluate(`fetch("/stream").then(({ headers, body }) => {
        body.cancel();
        return [headers.get("content-type"), headers.get("x-content-type-options")];
      })`);
      assert.deepEqual(headers, ["text/plain; charset=utf-8", "nosniff"]);
    });

    for (const [length, options] of [
      ["some bytes", needing("showsFirstBytes")],
      ["600 bytes", {}],
    ] as const) {
      const text = (begin: string): string => (length === "600 bytes" ? begin.padEnd(600, ".") : begin);

      it(`shows text as it arrives, before the end, if the first message has ${length}`, options, async (t) => {
        const first = text("message from server #0");
        const { page, channel } = await openStream(t, first);
        channel.send(" #1 é😀", false);
        await waitFor(page, `shown.document.body.textContent === ${JSON.stringify(`${first} #1 é😀`)}`);
        assert.equal(channel.isOpen, true);
        assert.equal(await page.evaluate("shown.document.readyState"), "loading");
        channel.close();
        await waitFor(page, "shown.document.readyState === 'complete'");
      });

      it(`runs no script of it: HTML stays text, at its beginning of ${length} and later`, options, async (t) => {
        const html = text(
          `<!doctype html><html><script>document.title = "run"</script><img src="x" onerror="document.title = 'run'">`,
        );
        const { page, channel } = await openStream(t, html);
        channel.send(html, true);
        await waitFor(page, `shown.document.body.textContent === ${JSON.stringify(html + html)}`);
        const seen = await page.evaluate(
          "[shown.document.title, shown.document.scripts.length, shown.document.images.length]",
        );
        assert.deepEqual(seen, ["", 0, 0]);
      });
    }

    /** Opens a stream in a frame (`shown`): a page that has not loaded takes no commands in some engines. */
    async function openStream(t: TestContext, first: string): Promise<{ page: Page; channel: Channel }> {
      let channel: Channel | undefined;
      const url = await start(t, (request) => {
        if (request.path !== "/stream") return BLANK;
        channel = withChannel(request, (opened) => opened.send(first, false));
        return channel;
      });
      const page = await newPage(t);
      await page.goto(url);
      await page.evaluate(`(() => {
        const frame = document.createElement("iframe");
        frame.src = "/stream";
        document.body.append(frame);
        window.shown = frame.contentWindow;
      })()`);
      await waitFor(page, `shown.document.body?.textContent === ${JSON.stringify(first)}`);
      // Chromium holds back a part that arrives before it has painted the one before, until a third arrives; so it does with
      // parts that node:http sends (5 of 14 times, Chromium 156).
      await waitFor(page, "shown.performance.getEntriesByName('first-contentful-paint').length > 0");
      await page.evaluate(`new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
      })`);
      return { page, channel: channel! };
    }
  });

  describe("An EventSource of a browser", () => {
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
      const seen = await run(
        page,
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
      await run(
        page,
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
}
