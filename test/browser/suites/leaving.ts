// A page that says that it leaves, as docs/how-to/show-who-is-here.md has it: the server hears it at once, on each carrier, and a page
// that the browser keeps goes on with its session when it is back.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { createChannelStore, openSession } from "../../../src/index.ts";
import { until } from "../../support/wait.ts";
import { type Page, waitFor } from "../engines/engine.ts";
import { BLANK, type Rig, start } from "../engines/rig.ts";
import { clientScript } from "./client-site.ts";

const CARRIERS = ["websocket", "sse", "poll"] as const;

interface Left {
  readonly page: Page;
  readonly url: string;
  /** The ends of sessions, as the server is told. */
  readonly ends: readonly string[];
  present(): Promise<number>;
}

export function leavingSuite({ newPage, needing }: Rig): void {
  describe("A page that says that it leaves", () => {
    async function connected(t: TestContext, carrier: string): Promise<Left> {
      const script = await clientScript;
      const rooms = createChannelStore();
      const ends: string[] = [];
      const url = await start(t, (request) => {
        if (request.path === "/client.js") return script;
        if (request.path !== "/chat") return BLANK;
        return openSession(request, {
          open: (channel) => rooms.addToGroup("room", channel, undefined, { presence: "ann" }),
          message: (message, channel) => void channel.send(message),
          close: ({ by, code }) => ends.push(`${by} ${code}`),
        });
      });
      const page = await newPage(t);
      await page.goto(url);
      await page.evaluate(`(async () => {
        const { connect } = await import("/client.js");
        const connection = connect("/chat", { carriers: ["${carrier}"] });
        addEventListener("pagehide", ({ persisted }) => {
          if (!persisted) connection.close();
        });
        window.left = { connection, seen: [], shown: [], sessions: [] };
        connection.onMessage((message) => left.seen.push(message));
        connection.onOpen(({ session }) => left.sessions.push(session));
        addEventListener("pageshow", ({ persisted }) => left.shown.push(persisted));
      })()`);
      await waitFor(page, "left.connection.state === 'open'");
      return { page, url, ends, present: async () => (await rooms.presence("room")).length };
    }

    for (const carrier of CARRIERS) {
      it(`is gone at once when it is loaded again, on ${carrier}`, async (t) => {
        const { page, url, ends, present } = await connected(t, carrier);
        assert.equal(await present(), 1);
        await page.evaluate("location.reload()");
        await until(() => ends.length === 1, "the server is told");
        assert.deepEqual(ends, ["client 1000"]);
        assert.equal(await present(), 0);
        await page.goto(url);
      });

      it(
        `goes on when it comes back from the back-forward cache, on ${carrier}`,
        needing("cachesConnected"),
        async (t) => {
          const { page, url, ends, present } = await connected(t, carrier);
          await page.goto(`${url}/elsewhere`);
          await page.back();
          await waitFor(page, "left.shown.length === 1");
          assert.deepEqual(await page.evaluate("left.shown"), [true], "the page comes from the back-forward cache");
          await page.evaluate("left.connection.send('after')");
          await waitFor(page, "left.seen.length === 1");
          assert.equal(((await page.evaluate("left.sessions")) as string[]).includes("lost"), false);
          assert.deepEqual(ends, []);
          assert.equal(await present(), 1);
        },
      );
    }
  });
}
