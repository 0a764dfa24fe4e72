// The connection of a process to the hub, with sockets in memory and in virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Frame, FrameDecoder, FrameWriter } from "../../../src/backplane/processes/frame.ts";
import { HubLink } from "../../../src/backplane/processes/hub-link.ts";
import type { HubSocket } from "../../../src/backplane/processes/hub-socket.ts";
import { CALL, REPLY } from "../../../src/backplane/processes/kinds.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const EPOCH = 1_700_000_000_000;
const TIMEOUT_MS = 5000;
const UNAVAILABLE = { code: "BACKPLANE_UNAVAILABLE" };

/** The hub at the other end of one connection. It answers when it is told to. */
class HubEnd {
  readonly calls: Frame[] = [];
  writes = 0;
  isDestroyed = false;
  readonly #decoder = new FrameDecoder();
  readonly #listeners = new Map<string, (argument: never) => void>();

  readonly socket: HubSocket = {
    write: (bytes) => {
      this.writes += 1;
      this.#decoder.push(bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.calls.push(frame);
    },
    pause() {},
    resume() {},
    destroy: () => {
      this.isDestroyed = true;
    },
    on: (event: string, listener: (argument: never) => void) => {
      this.#listeners.set(event, listener);
    },
  };

  /** Answers the call with this index. */
  answer(index: number, write: (writer: FrameWriter) => unknown = () => {}, kind: number = REPLY.ANSWER): void {
    const writer = new FrameWriter();
    write(writer.begin(kind, this.calls[index]!.number));
    writer.end();
    this.say(writer.take());
  }

  say(bytes: Uint8Array): void {
    this.#listeners.get("data")!(Buffer.from(bytes) as never);
  }

  end(): void {
    this.#listeners.get("close")!(undefined as never);
  }
}

interface Linked {
  readonly link: HubLink;
  readonly clock: VirtualClock;
  readonly ends: HubEnd[];
  readonly errors: unknown[];
}

function newLink(maxPendingBytes = 1000): Linked {
  const clock = new VirtualClock();
  const ends: HubEnd[] = [];
  const errors: unknown[] = [];
  const link = new HubLink({
    ...{ clock, worker: 3, timeoutMs: TIMEOUT_MS, maxPendingBytes },
    connect() {
      const end = new HubEnd();
      ends.push(end);
      return end.socket;
    },
    onError: (error) => errors.push(error),
  });
  return { link, clock, ends, errors };
}

async function connected(maxPendingBytes?: number): Promise<Linked & { readonly hub: HubEnd }> {
  const linked = newLink(maxPendingBytes);
  await turn();
  const hub = linked.ends[0]!;
  hub.answer(0, (writer) => writer.number(EPOCH));
  hub.calls.length = 0;
  hub.writes = 0;
  return { ...linked, hub };
}

function locate(link: HubLink, name: string, bytes?: number): Promise<string> {
  return link.call(
    CALL.LOCATE,
    (writer) => writer.text(name),
    (fields) => fields.text(),
    bytes === undefined ? {} : { bytes },
  );
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("the connection of a process to the hub", () => {
  it("begins with the hello, which says its version and its worker, and is up when that is answered", async () => {
    const { link, ends } = newLink();
    await turn();
    const [hello] = ends[0]!.calls;
    assert.equal(hello!.kind, CALL.HELLO);
    assert.deepEqual([hello!.fields.number(), hello!.fields.number()], [1, 3]);
    assert.equal(link.isUp, false);
    await assert.rejects(locate(link, "a"), UNAVAILABLE);
    ends[0]!.answer(0, (writer) => writer.number(EPOCH));
    await link.firstAttempt;
    assert.deepEqual([link.isUp, link.epoch], [true, EPOCH]);
  });

  it("writes the calls of one turn at once, and takes answers in any order", async () => {
    const { link, hub } = await connected(100_000);
    const asked = Array.from({ length: 100 }, (_, n) => locate(link, String(n)));
    await turn();
    assert.equal(hub.writes, 1);
    assert.equal(hub.calls.length, 100);
    for (const [n, { fields }] of [...hub.calls.entries()].toReversed()) {
      const name = fields.text();
      hub.answer(n, (writer) => writer.text(`at ${name}`));
    }
    assert.deepEqual(
      await Promise.all(asked),
      asked.map((_, n) => `at ${n}`),
    );
  });

  it("refuses calls beyond maxPendingBytes until answers have come; one that is longer goes alone", async () => {
    const { link, hub } = await connected();
    const long = locate(link, "long", 5000);
    await assert.rejects(locate(link, "a", 1), UNAVAILABLE);
    await turn();
    hub.answer(0, (writer) => writer.text("x"));
    await long;
    const two = [locate(link, "a", 500), locate(link, "b", 500)];
    await assert.rejects(locate(link, "c", 1), UNAVAILABLE);
    await turn();
    assert.equal(hub.calls.length, 3, "a call that was refused is not sent later");
    for (const n of [1, 2]) hub.answer(n, (writer) => writer.text("x"));
    await Promise.all(two);
  });

  it("is given up when an answer does not come in time, with all calls, and opened again", async () => {
    const { link, hub, ends, errors, clock } = await connected();
    const asked = locate(link, "a");
    const refused = assert.rejects(asked, UNAVAILABLE);
    await clock.advance(TIMEOUT_MS - 1);
    assert.equal(hub.isDestroyed, false);
    await clock.advance(2);
    assert.equal(hub.isDestroyed, true);
    await refused;
    assert.equal(errors.length, 1);
    await assert.rejects(locate(link, "b"), UNAVAILABLE);
    await clock.advance(1000);
    await turn();
    assert.equal(ends.length, 2);
    ends[1]!.answer(0, (writer) => writer.number(EPOCH));
    const again = locate(link, "c");
    await turn();
    assert.deepEqual(
      ends[1]!.calls.map(({ kind }) => kind),
      [CALL.HELLO, CALL.LOCATE],
      "nothing of the connection before",
    );
    ends[1]!.answer(1, (writer) => writer.text("here"));
    assert.equal(await again, "here");
  });

  it("gives the hub its time from when the calls have left: a process that was busy writes them late", async () => {
    const { link, hub, errors, clock } = await connected();
    const asked = locate(link, "a");
    // As if it had been busy: the time passes before the end of the turn.
    clock.advance(TIMEOUT_MS - 1);
    await turn();
    clock.advance(TIMEOUT_MS - 1);
    assert.deepEqual(errors, []);
    hub.answer(0, (writer) => writer.text("here"));
    assert.equal(await asked, "here");
  });

  it("is opened again when the hub does not answer the hello in time, counted from when that has left", async () => {
    const { ends, errors, clock } = newLink();
    clock.advance(TIMEOUT_MS - 1);
    await turn();
    clock.advance(TIMEOUT_MS - 1);
    assert.deepEqual(errors, []);
    clock.advance(2);
    assert.equal(errors.length, 1);
    clock.advance(1000);
    assert.equal(ends.length, 2);
  });

  it("reports once that the hub is away, however often it cannot be reached", async () => {
    const { ends, errors, clock } = await connected();
    for (let n = 0; n < 5; n++) {
      ends.at(-1)!.end();
      await clock.advance(1000);
    }
    assert.equal(ends.length, 6);
    assert.equal(errors.length, 1);
  });

  const wrong: readonly [what: string, say: (hub: HubEnd) => void][] = [
    ["a frame that is too long", (hub) => hub.say(Buffer.from("ffffffff6400000001", "hex"))],
    ["an answer without its fields", (hub) => hub.answer(0)],
    ["an answer of another kind", (hub) => hub.answer(0, () => {}, 99)],
    [
      "the same answer twice",
      (hub) => {
        hub.answer(1, (writer) => writer.text("x"));
        hub.answer(1, (writer) => writer.text("x"));
      },
    ],
  ];
  for (const [what, say] of wrong) {
    it(`is given up for ${what}`, async () => {
      const { link, hub, errors } = await connected();
      const asked = [locate(link, "a"), locate(link, "b")];
      const settled = Promise.allSettled(asked);
      await turn();
      say(hub);
      assert.equal(hub.isDestroyed, true);
      assert.equal(errors.length, 1);
      assert.equal((await settled)[0]!.status, "rejected");
    });
  }

  it("ends for good when it is closed: calls reject, and nothing is opened again", async () => {
    const { link, hub, ends, errors, clock } = await connected();
    const refused = assert.rejects(locate(link, "a"), UNAVAILABLE);
    link.close();
    await refused;
    hub.end();
    await clock.advance(60_000);
    assert.equal(ends.length, 1);
    assert.deepEqual(errors, []);
    await assert.rejects(locate(link, "b"), UNAVAILABLE);
  });
});
