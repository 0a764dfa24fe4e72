// The first programs of each framework's guide, a server and a client, run as they are printed, with the real package: only the port is put
// in.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { connect, StreamView } from "../../src/client/index.ts";
import { block, blocks, start } from "../how-to/programs.ts";
import { freePort } from "../support/proxies.ts";
import { until } from "../support/wait.ts";
import { needsFrameworks } from "./app.ts";

/** The packages of the frameworks are installed there. */
const FOLDER = "examples/frameworks/node_modules/.guide-programs";

/** `/live` is a session, or a channel without one. */
const GUIDES = [
  ["express", "session"],
  ["fastify", "session"],
  ["koa", "session"],
  ["hono", "channel"],
  ["frameworks", "channel"],
] as const;

async function echoOfSession(url: string): Promise<string> {
  const connection = connect(url);
  try {
    const echo = new Promise<string>((resolve) => connection.onMessage((text) => resolve(String(text))));
    connection.send("hello");
    return await echo;
  } finally {
    connection.close();
  }
}

async function echoOfChannel(url: string): Promise<string> {
  const socket = new WebSocket(url.replace("http", "ws"));
  try {
    const echo = new Promise<string>((resolve) => socket.on("message", (data) => resolve(String(data))));
    socket.on("open", () => socket.send("hello"));
    return await echo;
  } finally {
    socket.terminate();
  }
}

describe("the first program of the guide", { skip: needsFrameworks() }, () => {
  for (const [page, kind] of GUIDES) {
    it(`${page} runs as it is printed, and refuses a WebSocket without a user`, async (t) => {
      const port = await freePort();
      const [server, client] = blocks(page, "ts").map((text) => text.replaceAll(/\b(3000|9090)\b/g, String(port)));
      const program = start(t, server!, {}, FOLDER);
      await program.printed(/listening on http:\S+/);
      const url = `http://127.0.0.1:${port}/live`;
      assert.equal((await fetch(url)).status, 401);
      let refused: unknown;
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.on("error", (error) => (refused = error));
      await until(() => refused !== undefined, "the WebSocket is refused");
      assert.match(String(refused), /401/);
      const user = `${url}?user=ann`;
      assert.equal(await (kind === "session" ? echoOfSession(user) : echoOfChannel(user)), "hello");
      if (client!.startsWith("// client.ts")) await start(t, client!, {}, FOLDER).printed(/^hello$/m);
    });
  }

  it("express streams the answer of a model, goes on in a second session, and cancels", async (t) => {
    const port = await freePort();
    const at = (mark: string): string => block("express", mark).replaceAll("3000", String(port));
    await start(t, at("// chat-server.ts"), {}, FOLDER).printed(/listening/);
    await start(t, at("// chat-client.ts"), {}, FOLDER).printed(/^done You asked: what is new $/m);

    const url = `http://127.0.0.1:${port}/chat`;
    assert.equal((await fetch(url)).status, 401);
    const view = new StreamView();
    const connection = connect(`${url}?user=ann`);
    t.after(() => connection.close());
    connection.onMessage((message) => void view.receive(message));
    await until(() => view.state === "done", "an answer of before is here");
    connection.send("a ".repeat(100));
    await until(() => view.state === "open" && view.text !== "", "the next answer comes");
    connection.send("cancel");
    await until(() => view.state === "stopped", "it stops");
    assert.ok(view.text.length < 100, view.text);
  });
});
