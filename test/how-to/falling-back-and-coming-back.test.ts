// The programs of docs/how-to/falling-back-and-coming-back.md run as they are printed: only ports and URLs are put in.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { json, openSession, type Server, serve } from "../../src/index.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { block, start } from "./programs.ts";

const PAGE = "falling-back-and-coming-back";

const client = (mark: string, port: number): string => block(PAGE, mark).replace("127.0.0.1:9090", `127.0.0.1:${port}`);

/** A server whose sessions say `hello`, and that has notices. */
async function serverWithNotices(t: TestContext, port: number, tokens: (string | null)[] = []): Promise<Server> {
  const server = await serve(
    (request) => {
      tokens.push(request.headers.get("authorization"));
      if (request.path === "/notices") return json(["your order was sent"]);
      return openSession(request, { open: (channel) => channel.send("hello") });
    },
    { host: "127.0.0.1", port },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

describe("the guide to falling back and coming back", () => {
  it("has a client that comes back by itself when the server is started again", async (t) => {
    const port = await freePort();
    const text = block(PAGE, "// server.ts").replace("9090", `${port}`);
    const page = start(t, client("// client.ts", port).replace("1000", "100"));
    const lines = (): number => page.output().match(/^20\d\d-\S+Z$/gm)?.length ?? 0;
    const first = start(t, text);
    await until(() => lines() > 0, "an echo has come");
    assert.match(page.output(), /^open (?:websocket|sse)$/m);
    await first.stop();
    await page.printed(/^reconnecting/m);
    const before = lines();
    start(t, text);
    await until(() => lines() > before, "echos come again");
  });

  it("has a client that reads what it has missed when its session is lost", async (t) => {
    const port = await freePort();
    const first = await serverWithNotices(t, port);
    const page = start(t, client("unacknowledged", port));
    await until(() => first.stats().sessions.open === 1, "the client is here");
    await first.stop({ graceMs: 0 });
    const second = await serverWithNotices(t, port);
    await until(() => second.stats().sessions.open === 1, "the client is back");
    await page.printed(/^\[ 'your order was sent' \]$/m);
  });

  it("has a client in Node with the WebSocket of ws, and a header", async (t) => {
    const tokens: (string | null)[] = [];
    const server = await serverWithNotices(t, 0, tokens);
    const text = block(PAGE, 'from "ws"').replace("https://example.com/feed", server.url);
    const page = start(t, text, { TOKEN: "secret" });
    await page.printed(/^hello$/m);
    assert.equal(server.stats().channels.websocket, 1);
    assert.equal(tokens[0], "Bearer secret");
  });
});
