// A viewer's copy of the streams of a group: what it takes, what it ignores, and what it says of missing messages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamView } from "../../src/client/index.ts";

const begin = (stream: string, info?: unknown): object => ({ stream, n: 0, begin: true, info });
const text = (stream: string, n: number, of: string): object => ({ stream, n, text: of });

/** A view that has received these. */
function after(...messages: readonly unknown[]): StreamView {
  const view = new StreamView();
  for (const message of messages) view.receive(message);
  return view;
}

describe("StreamView", () => {
  it("puts text and parts together, and says how the stream has come so far", () => {
    const view = new StreamView<number>();
    assert.equal(view.state, "waiting");
    assert.equal(view.receive(begin("a", { by: "ann" })), true);
    assert.deepEqual([view.stream, view.state, view.info], ["a", "open", { by: "ann" }]);
    for (const message of [text("a", 1, "x"), { stream: "a", n: 2, parts: [1, 2] }, text("a", 3, "y")]) {
      assert.equal(view.receive(message), true);
    }
    const before = view.parts;
    view.receive({ stream: "a", n: 4, parts: [3] });
    assert.deepEqual([view.text, view.parts, before], ["xy", [1, 2, 3], [1, 2]]);
    view.receive({ stream: "a", n: 5, end: "failed", code: "STREAM_FAILED" });
    assert.deepEqual([view.state, view.code, view.isWhole], ["failed", "STREAM_FAILED", true]);
  });

  it("takes text, values, and the form of ids", () => {
    for (const form of [
      (message: object) => message,
      (message: object) => JSON.stringify(message),
      (message: object) => ({ group: "g", id: "1", data: message }),
      (message: object) => JSON.stringify({ group: "g", id: "1", data: message }),
    ]) {
      assert.equal(after(form(begin("a")), form(text("a", 1, "x"))).text, "x");
    }
  });

  it("ignores what it has had, what follows an end, and streams before the newest", () => {
    const view = after(begin("a"), text("a", 1, "x"));
    assert.equal(view.receive(text("a", 1, "x")), false);
    assert.equal(view.receive(begin("a")), false);
    view.receive({ stream: "a", n: 2, end: "done" });
    assert.equal(view.receive({ stream: "a", end: "lost" }), false);
    assert.equal(view.receive(text("a", 3, "late")), false);
    view.receive(begin("b"));
    assert.equal(view.receive(begin("a")), false);
    assert.deepEqual([view.stream, view.text, view.state], ["b", "", "open"]);
  });

  it("says that messages are missing, at the beginning and in the middle", () => {
    assert.equal(after(begin("a"), text("a", 2, "y")).isWhole, false);
    const view = after(text("a", 7, "y"));
    assert.deepEqual([view.isWhole, view.text, view.state], [false, "y", "open"]);
    view.receive(begin("b"));
    assert.equal(view.isWhole, true);
  });

  it("counts an open stream as lost after a reset, until a message of it comes; one that has ended stays so", () => {
    const view = after(begin("a"), text("a", 1, "x"));
    view.reset();
    assert.equal(view.state, "lost");
    // The server still has it.
    assert.equal(view.receive(text("a", 1, "x")), true);
    assert.deepEqual([view.state, view.text], ["open", "x"]);
    assert.equal(view.receive(text("a", 1, "x")), false);
    view.reset();
    assert.equal(view.receive(text("a", 2, "y")), true);
    assert.deepEqual([view.state, view.text, view.isWhole], ["open", "xy", true]);
    view.receive({ stream: "a", n: 3, end: "done" });
    view.reset();
    assert.equal(view.state, "done");
    assert.equal(view.receive(text("a", 4, "z")), false);
  });

  it("ends as lost at the message of another process, and stays so", () => {
    const view = after(begin("a"), { stream: "a", end: "lost" });
    assert.equal(view.state, "lost");
    assert.equal(view.receive(text("a", 1, "x")), false);
  });

  it("is not whole if the end, from another process, is all that there is of a stream", () => {
    const view = new StreamView();
    view.receive({ stream: "a", end: "lost" });
    assert.deepEqual([view.stream, view.state, view.isWhole], ["a", "lost", false]);
    view.receive({ stream: "b", n: 0, begin: true });
    view.receive({ stream: "b", end: "lost" });
    assert.deepEqual([view.state, view.isWhole], ["lost", true]);
  });

  it("takes nothing else", () => {
    const others = [undefined, null, 1, "", "text", "{", "{}", "[1]", new Uint8Array(2), { data: null }, { stream: 1 }];
    const almost = [
      { stream: "a" },
      { stream: "a", text: "x" },
      { stream: "a", n: 1.5, text: "x" },
      { stream: "a", n: 1, text: 2 },
      { stream: "a", n: 1, end: "over" },
      { stream: "a", n: "1", end: "done" },
      { group: "g", reset: true },
    ];
    for (const other of [...others, ...almost]) assert.equal(new StreamView().receive(other), false);
  });
});
