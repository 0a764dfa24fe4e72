// The modules that a process loads when it starts a server of the published package, and with the first use of something. Each
// module of Node in this list costs a start 1 to 7 % of its instructions (docs/decisions/0064).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, describe, it } from "node:test";
import { script } from "./script.ts";

const { pack } = await script<{ pack(into: string): Promise<{ folder: string }> }>("pack.js");
const into = resolve(mkdtempSync("dist/package-test-"));
after(() => rmSync(into, { recursive: true }));
const { folder } = await pack(into);

const COSTLY = ["crypto", "dns/promises", "fs/promises", "http", "http2", "https", "tls", "util", "zlib"];

/**
 * Runs a program with the package and returns, for each `step(name)` in it, those modules of COSTLY that were loaded since the step
 * before.
 */
function loadedIn(program: string): Record<string, string[]> {
  const file = join(folder, "program.mjs");
  writeFileSync(
    file,
    `
    const COSTLY = ${JSON.stringify(COSTLY)};
    const steps = {};
    const isLoaded = (name) => process.moduleLoadList.includes("NativeModule " + name);
    let left = COSTLY.filter((name) => !isLoaded(name));
    const step = (name) => {
      steps[name] = left.filter(isLoaded);
      left = left.filter((one) => !isLoaded(one));
    };
    ${program}
    process.stdout.write(JSON.stringify(steps), () => process.exit());`,
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** A server, and a function that sends it bytes of HTTP and resolves when the answer has `wanted`. */
const SERVER = `
  const { serve, withChannel, openSession, createChannelStore } = await import("unichannel");
  step("import");
  const server = await serve((request) => {
    if (request.path === "/compressed") return withChannel(request, (channel) => channel.send("a".repeat(2000)), { compress: true });
    if (request.path === "/session") return openSession(request, { open() {} });
    if (request.isWebSocket) return withChannel(request, () => {});
    return { body: "hello" };
  }, { host: "127.0.0.1", port: 0 });
  step("serve");
  const { connect } = await import("node:net");
  const ask = (head, wanted) => new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(head.replaceAll("\\n", "\\r\\n") + "\\r\\n\\r\\n"));
    let got = "";
    socket.on("data", (bytes) => {
      got += bytes.toString("latin1");
      if (got.includes(wanted)) resolve(socket.destroy());
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(got)));
  });
  const upgrade = "Host: a\\nUpgrade: websocket\\nConnection: Upgrade\\nSec-WebSocket-Version: 13\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";`;

describe("a start of the published package", () => {
  it("loads crypto, zlib and other modules of Node when they are first needed", () => {
    const loaded = loadedIn(`${SERVER}
      await ask("GET / HTTP/1.1\\nHost: a", "hello");
      step("GET");
      await ask("GET / HTTP/1.1\\n" + upgrade, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      step("WebSocket");
      await ask("GET /compressed HTTP/1.1\\nHost: a\\nAccept-Encoding: gzip", "Content-Encoding: gzip");
      step("compressed");
      await ask("GET /session HTTP/1.1\\nSec-WebSocket-Protocol: unichannel.v1\\n" + upgrade, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      step("session");
      createChannelStore();
      step("store");`);
    assert.deepEqual(loaded, {
      import: [],
      serve: [],
      GET: [],
      WebSocket: ["crypto"],
      compressed: ["zlib"],
      session: [],
      store: [],
    });
  });

  it("loads crypto with the first store or session, if there was no WebSocket before", () => {
    assert.deepEqual(loadedIn(`${SERVER} createChannelStore(); step("store");`)["store"], ["crypto"]);
  });
});
