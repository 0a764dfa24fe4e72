// NODE_DEBUG=unichannel: a server in a process of its own, and the lines that it prints.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { RawClient, type Target } from "../support/raw-client.ts";
import { back, close, opened, poll, post, SocketClient, StreamClient, text } from "../support/session-client.ts";
import { until } from "../support/wait.ts";
import { upgradeRequest, WsClient } from "../support/ws-client.ts";

interface Child {
  readonly target: Target;
  /** The lines printed so far, without names of channels, ports and process. */
  lines(): readonly string[];
  /** Resolves when there is a line that matches. */
  printed(pattern: RegExp): Promise<void>;
  /** Everything on its stderr. */
  text(): string;
}

async function child(t: TestContext, debug: string | undefined): Promise<Child> {
  const path = fileURLToPath(new URL("../support/debug-child.js", import.meta.url));
  const { NODE_DEBUG: _, ...env } = process.env;
  const process_ = spawn(process.execPath, [path], {
    env: debug === undefined ? env : { ...env, NODE_DEBUG: debug },
    stdio: ["pipe", "pipe", "pipe"],
  });
  t.after(async () => {
    process_.stdin.end();
    if (process_.exitCode === null) await once(process_, "exit");
  });
  let stderr = "";
  process_.stderr.on("data", (bytes) => (stderr += String(bytes)));
  const [port] = await once(process_.stdout, "data");
  const lines = (): string[] =>
    stderr.split("\n").flatMap((line) => {
      const [, said] = /^UNICHANNEL \d+: (.*)$/.exec(line) ?? [];
      return said === undefined ? [] : [said.replaceAll(/\b[a-z0-9]{8}-[a-z0-9]+\b/g, "ID")];
    });
  return {
    target: { port: Number(port), host: "127.0.0.1" },
    lines,
    printed: (pattern) => until(() => lines().some((line) => pattern.test(line)), `${pattern} in\n${stderr}`),
    text: () => stderr,
  };
}

/** The closing handshake, and then the end of the connection. */
async function leave(client: WsClient, code: number, reason = ""): Promise<void> {
  client.close(code, reason);
  await client.closed();
  client.raw.end();
}

describe("NODE_DEBUG=unichannel", () => {
  it("prints a connection, a handshake and a channel, from beginning to end", async (t) => {
    const { target, lines, printed } = await child(t, "unichannel");
    const client = await WsClient.open(t, target, { path: "/ws?token=secret", fields: ["Cookie: id=secret"] });
    await leave(client, 4000, "bye\n");
    await printed(/^connection ID closed/);
    const { bytesReceived, bytesSent } = /(?<bytesReceived>\d+) bytes received, (?<bytesSent>\d+) sent/.exec(
      lines().join("\n"),
    )!.groups!;
    assert.ok(Number(bytesReceived) > 0 && Number(bytesSent) > 0);
    assert.deepEqual(
      lines().map((line) => line.replaceAll(/\d+ bytes received, \d+ sent/g, "BYTES")),
      [
        `server listening: http://127.0.0.1:${target.port}`,
        "connection ID opened: from 127.0.0.1",
        "handshake accepted: GET /ws from 127.0.0.1",
        "channel ID opened: websocket, GET /ws from 127.0.0.1",
        'channel ID closed: websocket, by the client, 4000 application, "bye\\n"',
        "connection ID closed: BYTES",
      ],
    );
  });

  it("prints why a handshake is refused", async (t) => {
    const { target, printed } = await child(t, "unichannel");
    const ask = async (head: string): Promise<number> => {
      const client = await RawClient.connect(t, target);
      client.write(head);
      return (await client.response()).status;
    };
    assert.equal(await ask(upgradeRequest("/ws", ["Origin: https://evil.example"])), 403);
    await printed(
      /^handshake refused: GET \/ws from 127\.0\.0\.1, origin "https:\/\/evil\.example": 403 .*allowedOrigins/,
    );
    assert.equal(await ask(upgradeRequest("/ws").replace("Version: 13", "Version: 12")), 426);
    await printed(/^handshake refused: GET \/ws from 127\.0\.0\.1: 426 only WebSocket version 13/);
    assert.equal(await ask(upgradeRequest("/ws").replace(/Sec-WebSocket-Key: [^\r]*/, "Sec-WebSocket-Key: x")), 400);
    await printed(/^handshake refused: GET \/ws from 127\.0\.0\.1: 400 malformed WebSocket handshake/);
    assert.equal(await ask(upgradeRequest("/401")), 401);
    await printed(/^handshake refused: GET \/401 from 127\.0\.0\.1: the application answered with 401/);
    assert.equal(await ask(upgradeRequest("/session")), 400);
    await printed(/^handshake refused: GET \/session from 127\.0\.0\.1: 400 .*unichannel\.v1/);
    assert.equal(await ask("GET / HTTP/1.1\r\n\r\n"), 400);
    await printed(/^request refused: 400 malformed HTTP request/);
    assert.equal(await ask("GET /session?after=x&mode=poll HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    await printed(
      /^request refused: GET \/session from 127\.0\.0\.1: 400 malformed HTTP request: after is not a number/,
    );
  });

  it("prints the life of a session: its carriers, its replays and its end", async (t) => {
    const { target, lines, printed } = await child(t, "unichannel");
    const endpoint = { ...target, pathname: "/session" };
    const socket = await SocketClient.open(t, endpoint);
    const open = await socket.opened();
    socket.send(text("one"), text("two"));
    await socket.record();
    await socket.record();
    socket.drop();
    await printed(/lost its carrier/);
    const stream = await StreamClient.open(t, endpoint, back(open, 1));
    await stream.opened();
    opened(await poll(t, endpoint, { ...back(open, 1), park: 0, try: 7 }));
    assert.equal((await poll(t, endpoint, { ...back(open, 1), park: 0, try: 6 })).status, 409);
    await post(t, endpoint, open.session, 3, close(1000, "done"));
    await printed(/^session \S+ closed/);
    assert.equal((await post(t, endpoint, open.session, 4, text("late"))).status, 410);
    opened(await poll(t, endpoint, back(open, 1)));
    await printed(/not resumed/);
    const token = `${open.session.slice(0, 6)}…`;
    const ours = lines().filter((line) => line.startsWith(`session ${token}`) || line.startsWith("request refused"));
    assert.deepEqual(ours, [
      `session ${token} opened: carrier websocket`,
      `session ${token} lost its carrier: websocket, by the network, 1006 abnormal`,
      `session ${token} resumed: carrier changes from websocket to sse, asked for what follows 1, 1 replayed, 2 received, try 0`,
      `session ${token} resumed: carrier changes from sse to poll, asked for what follows 1, 1 replayed, 2 received, try 7`,
      "request refused: GET /session from 127.0.0.1: 409 a later request has resumed the session",
      `session ${token} closed: by the client, 1000 normal, "done"`,
      "request refused: POST /session from 127.0.0.1: 410 no such session",
      `session ${token} not resumed: unknown, expired, of another identity or of another path; the client gets a new one`,
    ]);
    assert.doesNotMatch(lines().join("\n"), new RegExp(open.session.slice(0, 8)));
  });

  it("prints that a page may not read an answer, which otherwise only the browser reports", async (t) => {
    const { target, printed, lines } = await child(t, "unichannel");
    const client = await RawClient.connect(t, target);
    client.write("GET /401 HTTP/1.1\r\nHost: a.example\r\nOrigin: https://app.example\r\n\r\n");
    assert.equal((await client.response()).status, 401);
    await printed(
      /^page of "https:\/\/app\.example" may not read the answer to GET \/401: allowedOrigins does not allow it$/,
    );
    client.write("GET /401 HTTP/1.1\r\nHost: a.example\r\nOrigin: https://a.example\r\n\r\n");
    assert.equal((await client.response()).status, 401);
    client.destroy();
    await printed(/^connection ID closed/);
    assert.equal(lines().filter((line) => line.startsWith("page")).length, 1);
  });

  it("prints no query, cookie or authorization", async (t) => {
    const { target, printed, text: all } = await child(t, "unichannel");
    const fields = ["Cookie: id=hidden", "Authorization: Bearer hidden", "Sec-WebSocket-Protocol: token.hidden"];
    const client = await WsClient.open(t, target, { path: "/ws?ticket=hidden", fields });
    await leave(client, 1000);
    await printed(/^connection ID closed/);
    const refused = await RawClient.connect(t, target);
    refused.write(
      `GET http://user:hidden@a.example/session?session=hidden&after=x&mode=poll HTTP/1.1\r\nHost: a\r\n\r\n`,
    );
    assert.equal((await refused.response()).status, 400);
    await printed(/^request refused/);
    assert.doesNotMatch(all(), /hidden/);
  });

  it("prints that the server stops and has stopped", async (t) => {
    const { target, printed } = await child(t, "unichannel");
    const client = await WsClient.open(t, target, { path: "/ws" });
    client.send("stop");
    await client.closed();
    client.close(1001);
    client.raw.end();
    await printed(/^server stopping: 1 connections, 1 channels, \d+ ms at most$/);
    await printed(/^channel ID closed: websocket, by the server, 1001 going-away/);
    await printed(/^server stopped$/);
  });
});

describe("without NODE_DEBUG", () => {
  for (const debug of [undefined, "net,http"]) {
    it(`nothing is printed without NODE_DEBUG=unichannel (${debug ?? "not set"})`, async (t) => {
      const { target, text: all } = await child(t, debug);
      const client = await WsClient.open(t, target, { path: "/ws" });
      client.send("stop");
      await client.closed();
      assert.doesNotMatch(all(), /unichannel/i);
    });
  }
});
