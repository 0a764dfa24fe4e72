// The lines of `debug`: one readable line for each attempt, carrier, resumption, loss, failure and close.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/client/connect.ts";
import { Network, settle } from "./network.ts";

describe("The option debug", () => {
  it("tells the life of a connection in lines, without the token", async () => {
    const network = new Network();
    const lines: string[] = [];
    const connection = await network.opened("sse", { debug: (line) => lines.push(line) });
    await network.advance(30_000);
    network.socket().open({ session: "T1", resumed: true });
    network.socket().drop(1006);
    await network.advance(1000);
    network.socket().open({ session: "T2" });
    connection.close(4000, "enough");
    assert.deepEqual(lines, [
      "unichannel websocket: trying",
      "unichannel websocket: over, closed (1006)",
      "unichannel sse: trying",
      "unichannel sse: open, session new",
      "unichannel websocket: trying",
      "unichannel websocket: open, session resumed",
      "unichannel websocket: over, closed (1006)",
      "unichannel failed: websocket: closed (1006); next in 250 ms",
      "unichannel websocket: trying",
      "unichannel websocket: open, session lost",
      "unichannel closed by the client: 4000 enough",
    ]);
    assert.equal(lines.join().includes("T1"), false);
  });

  it("tells a round in which every carrier failed, and when the next one is", async () => {
    const network = new Network();
    const lines: string[] = [];
    network.connect({ carriers: ["websocket", "poll"], debug: (line) => lines.push(line) });
    await settle();
    network.socket().drop(1006);
    await settle();
    network.get().respond(404).finish();
    await settle();
    assert.equal(lines.at(-1), "unichannel failed: websocket: closed (1006); poll: HTTP 404; next in 250 ms");
  });

  it("tells a server that wants its clients back, and a close by the server", async () => {
    const network = new Network();
    const lines: string[] = [];
    await network.opened("websocket", { debug: (line) => lines.push(line) });
    network.socket().say({ type: "close", code: 1012, reason: "restart", retryMs: 700 });
    assert.equal(lines.at(-1), "unichannel closed by the server: 1012 restart, back in 700 ms");
    await network.advance(700);
    network.socket().open({ session: "T2" });
    network.socket().say({ type: "close", code: 1000, reason: "bye" });
    assert.equal(lines.at(-1), "unichannel closed by the server: 1000 bye");
  });

  it("debug: true prints lines with console.log, and debug: false prints nothing", async (t) => {
    const printed: unknown[] = [];
    t.mock.method(console, "log", (...args: unknown[]) => printed.push(...args));
    const network = new Network();
    await network.opened("websocket", { debug: false });
    assert.deepEqual(printed, []);
    await network.opened("websocket", { debug: true });
    t.mock.restoreAll();
    assert.deepEqual(printed.slice(0, 1), ["unichannel websocket: trying"]);
  });

  it("a debug function that throws or rejects changes nothing", async () => {
    for (const debug of [
      () => {
        throw new Error("disk full");
      },
      () => Promise.reject(new Error("disk full")),
    ]) {
      const network = new Network();
      const connection = await network.opened("websocket", { debug });
      const errors: unknown[] = [];
      connection.onError((error) => errors.push(error));
      network.socket().hear("mA");
      connection.close();
      await settle();
      assert.deepEqual(errors, []);
    }
  });

  it("have no query in them, even where the platform names the URL in its errors, as Deno does", async () => {
    const network = new Network();
    const lines: string[] = [];
    const connection = network.connect({
      carriers: ["sse", "poll"],
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

  it("is a boolean or a function, or is refused", () => {
    assert.throws(() => connect("http://a.example", { debug: "yes" as never }), {
      code: "BAD_OPTION",
      message: /debug/,
    });
  });
});
