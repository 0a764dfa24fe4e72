// The signals that applications get: what their listeners throw is reported, and all else is as with any AbortSignal.

import assert from "node:assert/strict";
import { addAbortListener, getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { guardSignal } from "../../src/channel/guarded-signal.ts";
import { type Channel, withChannel } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

function made(): { controller: AbortController; signal: AbortSignal; reported: unknown[] } {
  const controller = new AbortController();
  const reported: unknown[] = [];
  const signal = guardSignal(controller.signal, (error) => reported.push((error as Error).message));
  return { controller, signal, reported };
}

function failing(text: string): () => never {
  return () => {
    throw new Error(text);
  };
}

describe("a guarded signal", () => {
  it("reports what its listeners throw or reject with, and tells the others", async () => {
    const { controller, signal, reported } = made();
    const told: unknown[] = [];
    signal.addEventListener("abort", failing("a function"));
    signal.addEventListener("abort", { handleEvent: failing("an object") });
    signal.addEventListener("abort", async () => failing("a promise")());
    signal.onabort = failing("onabort");
    signal.addEventListener("abort", function (this: unknown, event) {
      told.push(this === signal, event.type, event.target === signal);
    });
    controller.abort();
    await sleep(0);
    assert.deepEqual(reported, ["a function", "an object", "onabort", "a promise"]);
    assert.deepEqual(told, [true, "abort", true]);
  });

  it("adds a listener once, and removes it", () => {
    const { controller, signal } = made();
    let calls = 0;
    const listener = (): void => void (calls += 1);
    signal.addEventListener("abort", listener);
    signal.addEventListener("abort", listener);
    const removed = failing("removed");
    signal.addEventListener("abort", removed);
    signal.removeEventListener("abort", removed);
    assert.equal(getEventListeners(signal, "abort").length, 1);
    signal.onabort = listener;
    assert.equal(signal.onabort, listener);
    signal.onabort = null;
    assert.equal(signal.onabort, null);
    controller.abort();
    assert.equal(calls, 1);
  });

  it("is an AbortSignal for everything that takes one", async () => {
    const { controller, signal, reported } = made();
    assert.ok(signal instanceof AbortSignal);
    assert.equal(signal, controller.signal);
    const any = AbortSignal.any([signal]);
    const { signal: fetched } = new Request("http://app.example", { signal });
    const slept = sleep(1_000_000, undefined, { signal });
    let isTold = false;
    addAbortListener(signal, () => void (isTold = true));
    controller.abort();
    await assert.rejects(slept, { name: "AbortError" });
    await assert.rejects(fetch("http://127.0.0.1:1", { signal }), { name: "AbortError" });
    assert.deepEqual([any.aborted, fetched.aborted, isTold, reported], [true, true, true, []]);
  });

  it("reports to the error handler of its channel, or to the server, with its source", async () => {
    const errors: unknown[] = [];
    const app = testServer(
      (request) =>
        withChannel(request, (channel: Channel) => {
          channel.signal.addEventListener("abort", failing("too late"));
        }),
      { onError: (error, { source, channel }) => errors.push((error as Error).message, source, channel?.isOpen) },
    );
    const socket = await app.websocket("/");
    socket.close();
    await app.settle();
    assert.deepEqual(errors, ["too late", "signal", false]);
    await app.stop();
  });
});
