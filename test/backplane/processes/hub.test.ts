// The hub and processes that misbehave, with sockets in memory: what it keeps for a process that does not read, and what it does with
// one that says something else.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Frame, FrameDecoder, FrameWriter } from "../../../src/backplane/processes/frame.ts";
import { Hub } from "../../../src/backplane/processes/hub.ts";
import type { HubSocket } from "../../../src/backplane/processes/hub-socket.ts";
import { CALL, PROTOCOL_VERSION, REPLY } from "../../../src/backplane/processes/kinds.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

/** A process at the other end of a socket. It reads when it is told to. */
class Peer {
  readonly frames: Frame[] = [];
  isDestroyed = false;
  isPaused = false;
  writes = 0;
  /** Bytes that the hub has written, and that were not read. */
  unread = 0;
  readonly #decoder = new FrameDecoder();
  readonly #writer = new FrameWriter();
  readonly #written: { readonly bytes: Uint8Array; readonly done: (() => void) | undefined }[] = [];
  #onData!: (bytes: Buffer) => void;
  #onClose!: () => void;
  #calls = 0;

  readonly socket: HubSocket = {
    write: (bytes, done) => {
      this.writes += 1;
      this.unread += bytes.length;
      this.#written.push({ bytes, done });
    },
    pause: () => {
      this.isPaused = true;
    },
    resume: () => {
      this.isPaused = false;
    },
    destroy: () => {
      this.isDestroyed = true;
      this.#onClose();
    },
    on: (event: string, listener: never) => {
      if (event === "data") this.#onData = listener;
      if (event === "close") this.#onClose = listener;
    },
  };

  constructor(hub: Hub) {
    hub.accept(this.socket);
  }

  call(kind: number, write: (writer: FrameWriter) => unknown = () => {}): number {
    this.#calls += 1;
    write(this.#writer.begin(kind, this.#calls));
    this.#writer.end();
    this.send(this.#writer.take());
    return this.#calls;
  }

  hello(worker = 1, version: number = PROTOCOL_VERSION): void {
    this.call(CALL.HELLO, (writer) => writer.number(version).number(worker));
  }

  publish(group: string, payload: Uint8Array, size = 1000): void {
    this.call(CALL.PUBLISH, (writer) => writer.text(group).number(size).number(600_000).bytes(payload));
  }

  subscribe(group: string, number = 7): void {
    this.call(CALL.SUBSCRIBE, (writer) => writer.text(group).number(number));
  }

  send(bytes: Uint8Array): void {
    this.#onData(Buffer.from(bytes));
  }

  /** Reads all that the hub writes, until it writes nothing more. */
  async read(): Promise<void> {
    await turn();
    for (let next = this.#written.shift(); next !== undefined; next = this.#written.shift()) {
      this.unread -= next.bytes.length;
      this.#decoder.push(next.bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) this.frames.push(frame);
      next.done?.();
      await turn();
    }
  }

  of(kind: number): Frame[] {
    return this.frames.filter((frame) => frame.kind === kind);
  }
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
  await new Promise(setImmediate);
}

function newHub(): Hub {
  return new Hub(new VirtualClock(), 1_700_000_000_000);
}

/** Two processes at one hub. */
function publisherAndSlow(): { publisher: Peer; slow: Peer } {
  const hub = newHub();
  const [publisher, slow] = [new Peer(hub), new Peer(hub)];
  publisher.hello();
  slow.hello(2);
  return { publisher, slow };
}

const KB = new Uint8Array(1000);
const MB = 1024 * 1024;

describe("a process that does not read from the hub", () => {
  it("gets all entries that the history has kept, in order and once, when it reads; the hub has kept few bytes for it", async () => {
    const { publisher, slow } = publisherAndSlow();
    slow.subscribe("g");
    await slow.read();
    const total = 15_000;
    for (let n = 0; n < total; n++) {
      publisher.publish("g", Buffer.from(`${n}`.padEnd(1000)), total);
      if (n % 100 === 0) await publisher.read();
    }
    assert.ok(slow.unread < 9 * MB, `${slow.unread} bytes of 15 MB wait`);
    await slow.read();
    const heard = slow.of(REPLY.ENTRY).map(({ fields }) => {
      fields.number();
      return Number(Buffer.from(fields.bytes()).toString());
    });
    assert.equal(heard.length, total);
    assert.ok(heard.every((number, n) => number === n));
    assert.deepEqual(slow.of(REPLY.GAP), []);
    publisher.publish("g", Buffer.from("live again"));
    await slow.read();
    assert.equal(slow.of(REPLY.ENTRY).length, total + 1);
  });

  it("is told of no gap in a group that has lost nothing, however many other groups have ended", async () => {
    const { publisher, slow } = publisherAndSlow();
    slow.subscribe("quiet");
    publisher.publish("quiet", KB);
    await slow.read();
    const before = slow.of(REPLY.ENTRY)[0]!.fields.number();
    for (let n = 0; n < 3000; n++) publisher.publish(`group ${n}`, KB, 0);
    publisher.publish("quiet", KB);
    slow.call(CALL.RESUME, (writer) => writer.text("quiet").number(7).number(1_700_000_000_000).number(before));
    await slow.read();
    assert.deepEqual(slow.of(REPLY.GAP), []);
    // The second one came live, and again after the position from which the process went on.
    assert.equal(slow.of(REPLY.ENTRY).length, 3);
  });

  it("is told a gap where the history has dropped entries, once, before the next entry", async () => {
    const { publisher, slow } = publisherAndSlow();
    slow.subscribe("g");
    await slow.read();
    for (let n = 0; n < 12_000; n++) {
      publisher.publish("g", KB, 100);
      if (n % 100 === 0) await publisher.read();
    }
    await slow.read();
    const numbers = slow.frames
      .filter(({ kind }) => kind === REPLY.ENTRY || kind === REPLY.GAP)
      .map(({ kind, fields }) => (kind === REPLY.GAP ? `gap ${fields.number()}` : fields.number()));
    const gap = numbers.indexOf("gap 11900");
    assert.deepEqual(
      numbers.slice(0, gap),
      Array.from({ length: gap }, (_, n) => n + 1),
    );
    assert.deepEqual(
      numbers.slice(gap + 1),
      Array.from({ length: 100 }, (_, n) => 11_901 + n),
    );
  });

  it("gets a long answer in parts, and its further calls are not read while many such answers wait", async () => {
    const hub = newHub();
    const peer = new Peer(hub);
    peer.hello();
    for (let n = 0; n < 2000; n++) peer.publish("g", KB, 10_000);
    await peer.read();
    peer.frames.length = 0;
    for (let n = 0; n < 80; n++) peer.call(CALL.HISTORY, (writer) => writer.text("g").number(0));
    await turn();
    assert.equal(peer.isPaused, true);
    assert.ok(peer.unread < 2 * MB, `${peer.unread} bytes of 160 MB wait`);
    await peer.read();
    assert.equal(peer.isPaused, false);
    assert.equal(peer.of(REPLY.ANSWER).length, 80);
    assert.ok(peer.of(REPLY.PART).length > 2000);
  });

  it("is forgotten when it unsubscribes while it is behind", async () => {
    const { publisher, slow } = publisherAndSlow();
    slow.subscribe("g");
    for (let n = 0; n < 10_000; n++) publisher.publish("g", KB, 100_000);
    slow.call(CALL.UNSUBSCRIBE, (writer) => writer.number(7));
    await slow.read();
    const { length } = slow.of(REPLY.ENTRY);
    assert.ok(length < 10_000);
    publisher.publish("g", KB, 100_000);
    await slow.read();
    assert.equal(slow.of(REPLY.ENTRY).length, length);
  });
});

describe("the hub", () => {
  const wrong: readonly [what: string, say: (peer: Peer) => void][] = [
    ["begins with another call", (peer) => peer.publish("g", KB)],
    ["is of another version", (peer) => peer.hello(1, PROTOCOL_VERSION + 1)],
    [
      "makes a call that does not exist",
      (peer) => {
        peer.hello();
        peer.call(99);
      },
    ],
    [
      "makes a call that lacks a field",
      (peer) => {
        peer.hello();
        peer.call(CALL.PUBLISH, (writer) => writer.text("g"));
      },
    ],
    ["speaks HTTP", (peer) => peer.send(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))],
  ];
  for (const [what, say] of wrong) {
    it(`ends the connection of a process that ${what}, and the others go on`, async () => {
      const hub = newHub();
      const [peer, other] = [new Peer(hub), new Peer(hub)];
      other.hello();
      say(peer);
      assert.equal(peer.isDestroyed, true);
      other.publish("g", KB);
      await other.read();
      assert.equal(other.of(REPLY.ANSWER).length, 2);
    });
  }

  it("writes once per turn to each process: answers and entries together", async () => {
    const hub = newHub();
    const [publisher, other] = [new Peer(hub), new Peer(hub)];
    for (const peer of [publisher, other]) {
      peer.hello();
      peer.subscribe("g");
      await peer.read();
      peer.writes = 0;
    }
    for (let n = 0; n < 100; n++) publisher.publish("g", KB);
    await turn();
    assert.deepEqual([publisher.writes, other.writes], [1, 1]);
    await publisher.read();
    await other.read();
    assert.deepEqual([publisher.of(REPLY.ENTRY).length, other.of(REPLY.ENTRY).length], [100, 100]);
  });

  it("removes the members and subscriptions of a connection that ends, at once", async () => {
    const hub = newHub();
    const [dying, other] = [new Peer(hub), new Peer(hub)];
    dying.hello();
    other.hello(2);
    dying.call(CALL.ENTER, (writer) => writer.text("g").text("ann").bytes(KB));
    other.call(CALL.ENTER, (writer) => writer.text("g").text("bob").bytes(KB));
    dying.socket.destroy();
    other.call(CALL.PRESENT, (writer) => writer.text("g"));
    await other.read();
    const [part, ...more] = other.of(REPLY.PART);
    assert.equal(part!.fields.text(), "bob");
    assert.deepEqual(more, []);
  });

  it("frees the sessions of a worker that has ended: claimed ones are over, taken ones go to the next that asks", async () => {
    const hub = newHub();
    const [dying, other] = [new Peer(hub), new Peer(hub)];
    dying.hello(1);
    other.hello(2);
    for (const token of ["claimed", "taken"]) {
      other.call(CALL.PUT, (writer) => writer.text(token).text("B").number(60_000).bytes(Buffer.from(token)));
      dying.call(CALL.TAKE, (writer) => writer.text(token).text("A").number(60_000).flag(false).text(""));
    }
    dying.call(CALL.CLAIM, (writer) => writer.text("claimed").text("A").number(60_000));
    dying.call(CALL.ANNOUNCE, (writer) => writer.text("A").text("unix:x").number(60_000));
    const taken = async (token: string): Promise<string> => {
      const number = other.call(CALL.TAKE, (writer) =>
        writer.text(token).text("C").number(60_000).flag(false).text(""),
      );
      await other.read();
      return other
        .of(REPLY.ANSWER)
        .find((frame) => frame.number === number)!
        .fields.text();
    };
    dying.socket.destroy();
    // A cut connection alone does not end a process.
    assert.equal(await taken("claimed"), "owned");
    assert.equal(await taken("taken"), "owned");
    hub.workerEnded(1);
    assert.equal(await taken("claimed"), "unknown");
    assert.equal(await taken("taken"), "taken");
    const number = other.call(CALL.LOCATE, (writer) => writer.text("A"));
    await other.read();
    assert.equal(
      other
        .of(REPLY.ANSWER)
        .find((frame) => frame.number === number)!
        .fields.flag(),
      false,
    );
  });
});
