// The option `debug`: a line for what happens to a connection, without its secrets.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

describe("debug", () => {
  it("tells each attempt, opening, loss, resumption and the end", async () => {
    const network = new Network();
    const lines: string[] = [];
    const connection = await network.opened("websocket", {
      carriers: ["websocket"],
      debug: (line) => lines.push(line),
    });
    network.socket().drop();
    await network.advance(1000);
    network.socket().open({ resumed: true });
    await settle();
    connection.close(1000, "done");
    await settle();
    assert.deepEqual(lines, [
      "unichannel websocket: trying",
      "unichannel websocket: open, session new",
      "unichannel websocket: over, closed (1006)",
      "unichannel websocket: trying",
      "unichannel websocket: open, session resumed",
      "unichannel closed by the client: 1000 done",
    ]);
  });

  it("tells what failed, and when it is tried again", async () => {
    const network = new Network();
    const lines: string[] = [];
    const connection = network.connect({ carriers: ["poll"], debug: (line) => lines.push(line) });
    await settle();
    network.get().respond(503);
    await settle();
    assert.match(lines.at(-1)!, /^unichannel failed: poll: HTTP 503; next in \d+ ms$/);
    connection.close();
  });

  it("has no query in it, even where the platform names the URL in its errors, as Deno does", async () => {
    const network = new Network();
    const lines: string[] = [];
    const connection = network.connect({
      carriers: ["stream", "poll"],
      params: { ticket: "hidden" },
      fetch: (url) => Promise.reject(new TypeError(`error sending request for url (${url}): refused`)),
      debug: (line) => lines.push(line),
    });
    await settle();
    connection.close();
    assert.ok(
      lines.some((line) => line.includes("/chat?…): refused")),
      lines.join("\n"),
    );
    assert.doesNotMatch(lines.join("\n"), /hidden|try=/);
  });

  it("may throw, or be true for the console", async (t) => {
    const network = new Network();
    const connection = await network.opened("websocket", { debug: () => assert.fail("of the application") });
    assert.equal(connection.state, "open");
    connection.close();
    const log = t.mock.method(console, "log", () => {});
    const other = new Network();
    other.connect({ debug: true }).close();
    assert.equal(log.mock.calls[0]!.arguments[0], "unichannel websocket: trying");
  });
});
