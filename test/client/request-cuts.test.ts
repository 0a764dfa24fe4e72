// Requests of both ends while the connection is cut at each byte of a conversation in turn, and while sessions are lost: every
// handler is called once for each request, and every promise settles once. In memory and virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requests } from "../../src/client/index.ts";
import { type Channel, openSession } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

const COUNT = 5;
/** Prime to the lengths that repeat, so that every place of a frame and of a chunk is met. */
const STEP = 17;

/** Both sides ask and send while the first connection is cut after so many bytes. True if it was. */
async function converse(carrier: "websocket" | "sse" | "poll", cutAfterBytes: number): Promise<boolean> {
  const up: unknown[] = [];
  const down: unknown[] = [];
  let channel: Channel | undefined;
  const app = testServer((request) => {
    channel = openSession(request, {
      message: (message) => void up.push(message),
      request(data) {
        up.push(data);
        return `reply to ${data}`;
      },
    });
    return channel;
  });
  app.network.cutNextAfter(cutAfterBytes);
  const connection = app.connect("/", { carriers: [carrier], requests: requests() });
  connection.onMessage((message) => down.push(message));
  connection.onRequest(async (data) => {
    down.push(data);
    return `reply to ${data}`;
  });
  const replies: Promise<unknown>[] = [];
  const expected: string[] = [];
  for (let i = 0; i < COUNT; i++) {
    connection.send(`message ${i}`);
    replies.push(connection.request(`up ${i}`));
    expected.push(`reply to up ${i}`);
    await app.settle();
    // The first session may have been cut before it was told: its client never had it.
    if (channel === undefined) continue;
    channel.send(`message ${i}`);
    replies.push(channel.request(`down ${i}`).catch((error) => error.code));
    expected.push(`reply to down ${i}`);
  }
  // A session whose client never had it ends 20 s after its poll.
  await app.advance(25_000);
  const name = `cut after ${cutAfterBytes} bytes`;
  assert.deepEqual(up, Array.from({ length: COUNT }, (_, i) => [`message ${i}`, `up ${i}`]).flat(), `up, ${name}`);
  const settled = await Promise.all(replies);
  for (const [i, reply] of settled.entries()) {
    // A session whose client never had it is lost with all that was sent to it.
    if (reply !== "REQUEST_LOST") assert.equal(reply, expected[i], name);
  }
  const answered = settled.filter((reply) => typeof reply === "string" && reply.startsWith("reply to down"));
  assert.deepEqual(
    down.filter((data) => String(data).startsWith("down")),
    answered.map((reply) => String(reply).slice("reply to ".length)),
    `down, ${name}`,
  );
  assert.equal(settled.filter((reply) => String(reply).startsWith("reply to up")).length, COUNT, name);
  const wasCut = app.network.cuts > 0;
  await app.stop();
  return wasCut;
}

describe("Requests in both directions are answered once wherever the connection is cut", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`on ${carrier}`, async () => {
      let bytes = 1;
      while (await converse(carrier, bytes)) bytes += STEP;
      assert.ok(bytes > 400, `${bytes} bytes`);
    });
  }
});

describe("Requests of a session that is lost", () => {
  it("reject if they were sent, go out in the next session if they were not, and their handlers are told", async () => {
    const asked: string[] = [];
    const signals: AbortSignal[] = [];
    const channels = new Set<Channel>();
    await using app = testServer((request) => {
      const channel = openSession(
        request,
        {
          request(data, _channel, { signal }) {
            asked.push(String(data));
            signals.push(signal);
            return data === "slow" ? new Promise<string>(() => {}) : "done";
          },
        },
        { resumeMs: 1000 },
      );
      channels.add(channel);
      return channel;
    });
    const connection = app.connect("/", { carriers: ["websocket"], requests: requests() });
    const clientSignals: AbortSignal[] = [];
    connection.onRequest((_, { signal }) => {
      clientSignals.push(signal);
      return new Promise<string>(() => {});
    });
    await app.settle();
    const codes: string[] = [];
    const note = (error: { code: string }): void => void codes.push(error.code);
    connection.request("slow", { timeoutMs: Number.POSITIVE_INFINITY }).catch(note);
    for (const channel of channels) channel.request("slow", { timeoutMs: Number.POSITIVE_INFINITY }).catch(note);
    await app.settle();
    app.network.offline();
    await app.settle();
    const later = connection.request("later");
    const cancelled = connection.request("cancelled", { timeoutMs: 500 });
    cancelled.catch(note);
    await app.advance(5000);
    app.network.online();
    await app.advance(5000);
    assert.equal(await later, "done");
    assert.deepEqual(codes, ["REPLY_TIMEOUT", "REQUEST_LOST", "REQUEST_LOST"]);
    assert.equal(connection.state, "open");
    assert.deepEqual(
      [...signals, ...clientSignals].map(({ aborted }) => aborted),
      // The cancelled request went out with its cancellation behind it, or was answered at once.
      [true, ...signals.slice(1).map(({ aborted }) => aborted), true],
    );
    assert.deepEqual(
      asked.filter((data) => data !== "cancelled"),
      ["slow", "later"],
    );
  });
});
