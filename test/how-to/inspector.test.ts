// The programs of docs/how-to/inspector.md, run as they are printed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { blocks, program, run, start } from "./programs.ts";

const PAGE = "inspector";

describe("the guide to the inspector", () => {
  it("shows the server on this machine, with groups and actions", async (t) => {
    const { server } = (await run(t, program(PAGE, "createChannelStore"))) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const page = await fetch(`${server.url.replace("127.0.0.1", "localhost")}/inspect`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<h1>.*Inspector<\/h1>/);
    const session = connect(`${server.url}/chat`, { WebSocket: WebSocket as never });
    t.after(() => session.close());
    await session.opened;
    const heard = new Promise((resolve) => session.onMessage(resolve));
    const looking = connect(`${server.url}/inspect/live`, { WebSocket: WebSocket as never });
    t.after(() => looking.close());
    looking.send(JSON.stringify({ type: "publish", store: "rooms", group: "lobby", form: "text", data: "hello" }));
    assert.equal(await heard, "hello");
  });

  it("asks for a password in production", async (t) => {
    const { printed } = start(t, program(PAGE, "timingSafeEqual"), {
      NODE_ENV: "production",
      INSPECTOR_PASSWORD: "secret",
    });
    const [, url] = await printed(/^Open (http:\S+)\/inspect$/m);
    const ask = async (password?: string): Promise<Response> => {
      const authorization = `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;
      return fetch(`${url}/inspect/`, { headers: password === undefined ? {} : { authorization } });
    };
    const refused = await ask();
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get("www-authenticate") ?? "", /^Basic/);
    assert.equal((await ask("wrong")).status, 401);
    assert.equal((await ask("secret")).status, 200);
  });

  it("answers inside node:http, and lets its channels through", async (t) => {
    const text = program(PAGE, "createServer").replace(
      "web.listen(9090)",
      "web.listen(0, () => console.log('port', web.address().port))",
    );
    const { printed } = start(t, text);
    const [, port] = await printed(/^port (\d+)$/m);
    const status = async (user: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}/inspect/`, { headers: { "x-user": user } })).status;
    assert.deepEqual([await status("admin"), await status("guest")], [200, 403]);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/chat`)).text(), "hello");
  });

  it("has no program that is not run here", () => {
    assert.equal(blocks(PAGE, "ts").length, 3);
  });
});
