// The programs of docs/explanation print what their pages say; the pages name tests that exist.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { connect, requests } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { run, write } from "../how-to/programs.ts";

const FOLDER = "docs/explanation";

const blocksOf = (page: string, language: string): string[] =>
  [...readFileSync(`${FOLDER}/${page}.md`, "utf8").matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , text]) => text!);

/** The output of the one program of a page that uses the test server. */
function outputOf(t: TestContext, page: string): string {
  const [text, more] = blocksOf(page, "ts").filter((block) => block.includes("unichannel/testing"));
  assert.ok(text !== undefined && more === undefined, page);
  return execFileSync(process.execPath, [write(t, text)], { encoding: "utf8", timeout: 60_000 });
}

describe("the explanations", () => {
  it("begin with what the reader will know", () => {
    for (const name of readdirSync(FOLDER))
      assert.match(readFileSync(`${FOLDER}/${name}`, "utf8"), /^# .+\n\nAfter this page you know /, name);
  });

  it("name tests that exist", () => {
    const named = readdirSync(FOLDER).flatMap((name) => [
      ...readFileSync(`${FOLDER}/${name}`, "utf8").matchAll(/`(test\/[\w./-]+)`/g),
    ]);
    assert.ok(named.length > 15);
    for (const [, file] of named) assert.ok(existsSync(file!), file);
  });

  it("show one handler over three transports", (t) => {
    const lines = outputOf(t, "why-one-channel").trim().split("\n");
    assert.deepEqual(
      lines.filter((line) => line.includes("hello")),
      ["websocket: hello", "event stream: hello", "plain: hello"],
    );
    assert.deepEqual(lines.filter((line) => line.includes("closed")).sort(), [
      "sse closed by client",
      "stream closed by server",
      "websocket closed by client",
    ]);
  });

  it("show a session that resumes", (t) => {
    const [printed] = blocksOf("how-a-session-resumes", "text");
    assert.equal(outputOf(t, "how-a-session-resumes"), printed);
  });

  it("show the border of exactly-once", (t) => {
    const [printed] = blocksOf("exactly-once", "text");
    assert.equal(outputOf(t, "exactly-once"), printed);
  });

  it("pay once for a key, however often it is asked", async (t) => {
    const text = blocksOf("exactly-once", "ts").find((block) => block.includes("await serve("))!;
    const { server } = (await run(t, text.replace("port: 8080", "port: 0"))) as { server: Server };
    t.after(() => server.stop({ graceMs: 0 }));
    const connection = connect(server.url, { requests: requests() });
    t.after(() => connection.close());
    for (const cents of [250, 999]) {
      assert.equal(await connection.request(JSON.stringify({ key: "k", cents })), "paid 250");
    }
  });

  it("show what is dropped", (t) => {
    assert.match(outputOf(t, "back-pressure"), /^dropped after \d+ messages\n1000\n$/);
  });
});
