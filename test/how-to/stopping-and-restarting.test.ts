// The programs of docs/how-to/stopping-and-restarting.md for one process run as they are printed: only ports and the names of files
// are put in. `deploying.test.ts` has the one for several processes.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { connect } from "../../src/client/index.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/proxies.ts";
import { certificate, certificateFiles, noCertificate } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { block, blocks, program, start, write } from "./programs.ts";

const PAGE = "stopping-and-restarting";
const FIRST = "await server.stop();\n    process.exit();";

/** The message that comes back from a program of the page. */
async function echoed(t: TestContext, url: string): Promise<string> {
  const connection = connect(url, { carriers: ["sse"] });
  t.after(() => connection.close());
  const answer = new Promise<string>((resolve) => connection.onMessage((message) => resolve(String(message))));
  connection.send("hello");
  return answer;
}

/** The name in the certificate that a server shows to new connections. */
async function nameShown(port: number): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

describe("the guide to stopping", () => {
  it("has a program that tells its clients, and ends by SIGTERM", async (t) => {
    const server = start(t, program(PAGE, FIRST));
    const [, url] = await server.printed(/^(http:\S+)$/m);
    const connection = connect(url!, { carriers: ["sse"] });
    t.after(() => connection.close());
    await connection.opened;
    const lost = new Promise((resolve) => connection.onState((state) => state === "reconnecting" && resolve(state)));
    assert.equal(await server.stop(), 0);
    await lost;
  });

  it("has a program that takes the socket of systemd", { skip: needs("systemd-socket-activate") }, async (t) => {
    const port = await freePort();
    const file = write(t, block(PAGE, "listenFds: true"));
    const child = spawn("systemd-socket-activate", ["-l", `127.0.0.1:${port}`, process.execPath, file], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() => ended(child));
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += String(bytes)));
    await until(() => output.includes("Listening on"), "its socket");
    assert.equal(await echoed(t, `http://127.0.0.1:${port}`), "hello");
    child.kill();
    await until(() => child.exitCode !== null, "it ends by SIGTERM");
    assert.equal(child.exitCode, 0);
  });

  it("has a program that listens by itself without systemd", async (t) => {
    const server = start(t, program(PAGE, "listenFds: true"));
    const [, url] = await server.printed(/^(http:\S+)$/m);
    assert.equal(await echoed(t, url!), "hello");
  });

  it("has a program that takes a new certificate, and keeps the old one if the new one is no good", {
    skip: noCertificate,
  }, async (t) => {
    const { certPath, keyPath } = certificateFiles(t);
    const text = program(PAGE, "setTls")
      .replace('"fullchain.pem"', JSON.stringify(certPath))
      .replace('"privkey.pem"', JSON.stringify(keyPath));
    const server = start(t, text);
    const [, port] = await server.printed(/^https:\S+:(\d+)$/m);
    assert.equal(await nameShown(Number(port)), "localhost");
    const renewed = certificate("renewed.example");
    writeFileSync(certPath, renewed.cert);
    server.signal("SIGHUP");
    await server.printed(
      /^the old certificate stays: .*BAD_OPTION|^the old certificate stays:[\s\S]*code: 'BAD_OPTION'/m,
    );
    assert.equal(await nameShown(Number(port)), "localhost");
    writeFileSync(keyPath, renewed.key);
    server.signal("SIGHUP");
    let name = "";
    while (name !== "renewed.example") name = await nameShown(Number(port));
  });

  it("has no program that is not run here or in the test of deploys", () => {
    assert.equal(blocks(PAGE, "ts").length, 4);
  });
});

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
