// The README's first programs run as they are printed.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { until } from "./support/wait.ts";

const FOLDER = "dist/test/readme";
const README = readFileSync("README.md", "utf8");
const [SERVER = "", CLIENTS = ""] = [...README.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program);

/** Flags for the versions of Node in which these globals of a browser are experimental. */
const FLAGS = [
  ...("WebSocket" in globalThis ? [] : ["--experimental-websocket"]),
  ...("EventSource" in globalThis ? [] : ["--experimental-eventsource"]),
];

describe("the README's first programs", () => {
  let server: ChildProcess;
  let port: string;

  before(async () => {
    mkdirSync(FOLDER, { recursive: true });
    // Only the port is changed: 9090 may be in use.
    server = start("server.mjs", SERVER.replace("port: 9090", "port: 0"));
    const [line] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
    port = /^listening on http:\/\/localhost:(\d+)$/.exec(line)![1]!;
  });

  after(() => {
    server.kill();
    rmSync(FOLDER, { recursive: true });
  });

  it("are a server of at most 12 lines, a command and three clients", () => {
    assert.ok(SERVER.trimEnd().split("\n").length <= 12);
    assert.match(README, /```sh\ncurl -N http:\/\/localhost:9090\n```/);
    assert.match(CLIENTS, /new EventSource\([\s\S]*new WebSocket\([\s\S]*connect\(/);
  });

  it("stream to curl", async () => {
    const { body } = await fetch(`http://localhost:${port}`, {
      headers: { "User-Agent": "curl/8.5.0", Accept: "*/*" },
    });
    const reader = body!.getReader();
    const chunks = [await reader.read(), await reader.read()].map(({ value }) => Buffer.from(value!).toString());
    assert.equal(chunks[0], "hello over stream\n");
    assert.match(chunks[1]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z\n$/);
    await reader.cancel();
  });

  it("send events, WebSocket messages and the messages of a session to the three clients", async () => {
    const clients = start("clients.mjs", CLIENTS.replaceAll("9090", port));
    try {
      let output = "";
      clients.stdout!.setEncoding("utf8").on("data", (text) => (output += text));
      for (const line of ["hello over sse", "hello over websocket", "hello over a session"]) {
        await until(() => output.includes(`${line}\n`), `the clients print "${line}", not only: ${output}`);
      }
    } finally {
      clients.kill();
    }
  });
});

function start(name: string, program: string): ChildProcess {
  writeFileSync(`${FOLDER}/${name}`, program);
  const args = ["--no-warnings", ...FLAGS, `${FOLDER}/${name}`];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}
