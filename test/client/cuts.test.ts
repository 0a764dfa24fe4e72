// The connection is cut at each byte of a conversation in turn, the session's beginning included: in memory and virtual
// time, where all of them take seconds. What chance and real sockets do is in `faults.test.ts`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSession } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

const MESSAGES = Array.from({ length: 6 }, (_, i) => `message ${i}`);

/** Prime to the lengths that repeat, so that every place of a frame and of a chunk is met. */
const STEP = 17;

/** Each side sends its messages while the first connection is cut after so many bytes. True if it was. */
async function converse(carrier: "websocket" | "sse" | "poll", cutAfterBytes: number): Promise<boolean> {
  const up: unknown[] = [];
  const down: unknown[] = [];
  const app = testServer((request) =>
    openSession(request, {
      message(message, channel) {
        up.push(message);
        channel.send(message);
      },
    }),
  );
  app.network.cutNextAfter(cutAfterBytes);
  const connection = app.connect("/", { carriers: [carrier] });
  connection.onMessage((message) => down.push(message));
  for (const message of MESSAGES) {
    connection.send(message);
    await app.settle();
  }
  await app.advance(10_000);
  assert.deepEqual(up, MESSAGES, `up, cut after ${cutAfterBytes} bytes`);
  assert.deepEqual(down, MESSAGES, `down, cut after ${cutAfterBytes} bytes`);
  const wasCut = app.network.cuts > 0;
  await app.stop();
  return wasCut;
}

describe("Messages in both directions arrive once and in order wherever the connection is cut", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`on ${carrier}`, async () => {
      let bytes = 1;
      while (await converse(carrier, bytes)) bytes += STEP;
      // The first connection had all that it carries: a handshake and more, or a request and its answer.
      assert.ok(bytes > 400, `${bytes} bytes`);
    });
  }
});
