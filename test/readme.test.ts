// The README's first program runs as it is printed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { WebSocket } from "ws";

const PROGRAM = "dist/test/readme/program.mjs";

describe("the README's first program", () => {
  it("is at most 14 lines, and serves curl, an event source and a WebSocket", async () => {
    const program = /```js\n([\s\S]*?)```/.exec(readFileSync("README.md", "utf8"))![1]!;
    assert.ok(program.trimEnd().split("\n").length <= 14);
    mkdirSync("dist/test/readme", { recursive: true });
    // Only the port is changed: 9090 may be taken.
    writeFileSync(PROGRAM, program.replace("port: 9090", "port: 0"));
    const child = spawn(process.execPath, [PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
      const url = /http:\/\/localhost:\d+/.exec(line)![0];

      const stream = await fetch(url);
      const reader = stream.body!.getReader();
      assert.equal(Buffer.from((await reader.read()).value!).toString(), "hello over stream\n");
      await reader.cancel();

      const events = await fetch(url, { headers: { Accept: "text/event-stream" } });
      const eventReader = events.body!.getReader();
      assert.match(Buffer.from((await eventReader.read()).value!).toString(), /^data: hello over sse\n/);
      await eventReader.cancel();

      const socket = new WebSocket(url.replace("http", "ws"));
      const messages: string[] = [];
      socket.on("message", (data) => messages.push(String(data)));
      await once(socket, "open");
      socket.send("echo me");
      while (!messages.includes("echo me")) await once(socket, "message");
      assert.equal(messages[0], "hello over websocket\n");
      socket.close();
      await once(socket, "close");
    } finally {
      child.kill();
      rmSync("dist/test/readme", { recursive: true });
    }
  });
});
