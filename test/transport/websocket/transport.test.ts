// One WebSocket over a stream of two queues, in virtual time: when is written, when is read, when it ends.
// What the frames mean is the business of test/protocol/websocket.test.ts; heartbeats are in tick.test.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Output } from "../../../src/base/output.ts";
import { encodeMaskedFrame, OPCODE } from "../../../src/codec/ws-frame.ts";
import type { OutboundMessage } from "../../../src/protocol/outbound-message.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import type { WebSocketOptions } from "../../../src/transport/exchange.ts";
import { BufferBudget } from "../../../src/transport/io/buffer-budget.ts";
import { Flusher } from "../../../src/transport/io/flusher.ts";
import type { TransportListener } from "../../../src/transport/transport.ts";
import { WebSocketTransport } from "../../../src/transport/websocket/transport.ts";
import { bytesOf } from "../../support/cut.ts";
import { hex } from "../../support/hex.ts";
import { MemoryStream, Turn } from "../../support/memory-stream.ts";
import { text } from "../../support/pieces.ts";

const { TEXT, BINARY, CLOSE, PING, PONG } = OPCODE;
const CLOSE_TIMEOUT_MS = 5000;
const OPTIONS = { maxMessageBytes: 1 << 20, maxFragments: 10, closeTimeoutMs: CLOSE_TIMEOUT_MS };
const KEY = hex("37fa213d");
/** Close frames with 1000, from a client and from us. */
const CLOSE_1000 = encodeMaskedFrame(CLOSE, hex("03e8"), KEY);
const OUR_CLOSE_1000 = "\x88\x02\x03\xe8";

function frame(opcode: number, payload: string): Uint8Array {
  return encodeMaskedFrame(opcode, bytesOf(payload), KEY);
}

function message(body: string | Uint8Array | null): OutboundMessage {
  return { status: undefined, fields: [], body, event: undefined, length: undefined };
}

/** The reports of the end. */
function ends(told: readonly string[]): string[] {
  return told.filter((what) => what.startsWith("closed"));
}

interface Bench {
  readonly stream: MemoryStream;
  readonly transport: WebSocketTransport;
  readonly turn: Turn;
  readonly clock: VirtualClock;
  /** The calls of the listener, in order. */
  readonly told: string[];
}

/** The unwritten output of HTTP. */
function switching(): Output {
  const output = new Output();
  output.text("101\r\n");
  return output;
}

/** `react` is called with each thing that the listener is told, from inside the call. */
function bench(react: (what: string, bench: Bench) => void = () => {}, options: Partial<WebSocketOptions> = {}): Bench {
  const turn = new Turn();
  const clock = new VirtualClock();
  const stream = new MemoryStream();
  const transport = new WebSocketTransport(
    stream,
    { clock, flusher: new Flusher(turn.schedule), received: new BufferBudget(Number.POSITIVE_INFINITY) },
    { ...OPTIONS, ...options },
  );
  stream.listener = transport;
  const it: Bench = { stream, transport, turn, clock, told: [] };
  const tell = (what: string): void => {
    it.told.push(what);
    react(what, it);
  };
  const listener: TransportListener = {
    messageArrived: (data) => tell(typeof data === "string" ? data : `[${text(data)}]`),
    pingArrived: (data) => tell(`ping ${text(data)}`),
    pongArrived: (data) => tell(`pong ${text(data)}`),
    bufferEmptied: () => tell("drain"),
    transportClosed: ({ by, code, reason }) => tell(`closed by ${by} ${code} ${reason}`.trim()),
  };
  transport.listen(listener);
  transport.open();
  turn.end();
  return it;
}

describe("WebSocketTransport: one write per turn", () => {
  it("writes sixteen sends of one turn at once, at the turn's end", () => {
    const { stream, transport, turn } = bench();
    for (let count = 0; count < 16; count++) transport.send(message(String(count % 10)));
    assert.deepEqual(stream.writes, []);
    turn.end();
    assert.deepEqual(stream.writes, [Array.from({ length: 16 }, (_, count) => `\x81\x01${count % 10}`).join("")]);
    turn.end();
    assert.equal(stream.writes.length, 1);
  });

  it("writes sixteen answers to one read at once, when the read is over", () => {
    const { stream } = bench((what, { transport }) => {
      if (what.startsWith("m")) transport.send(message(what));
    });
    const frames = Array.from({ length: 16 }, (_, count) => frame(TEXT, `m${count}`));
    stream.arrive(Buffer.concat(frames));
    assert.equal(stream.writes.length, 1);
    assert.equal(stream.take().length, 10 * 4 + 6 * 5);
  });

  it("RFC 6455 §5.5.2: writes the pongs of one read at once, among the answers", () => {
    const { stream } = bench((what, { transport }) => {
      if (what === "m") transport.send(message("r"));
    });
    stream.arrive(Buffer.concat([frame(PING, "1"), frame(TEXT, "m"), frame(PING, "2")]));
    assert.deepEqual(stream.writes, ["\x8a\x011\x81\x01r\x8a\x012"]);
  });

  it("writes within the turn once output has grown to 64 KiB", () => {
    const { stream, transport, turn } = bench();
    for (let count = 0; count < 7; count++) transport.send(message(new Uint8Array(10_000)));
    assert.equal(stream.writes.length, 1);
    turn.end();
    assert.equal(stream.writes.length, 1);
  });

  it("sends a message in fragments: the first says what it is", () => {
    const { stream, transport, turn } = bench();
    transport.begin();
    transport.part("a");
    transport.part(hex("62"));
    transport.finish();
    transport.begin();
    transport.part(hex("63"));
    transport.finish();
    transport.begin();
    transport.finish();
    turn.end();
    assert.equal(stream.take(), "\x01\x01a\0\x01b\x80\0" + "\x02\x01c\x80\0" + "\x81\0");
  });

  it("sends nothing for a message without a body, and a close frame behind a last one", () => {
    const { stream, transport, turn } = bench();
    transport.send(message(null));
    turn.end();
    assert.deepEqual(stream.writes, []);
    transport.sendLast(message("bye"));
    turn.end();
    assert.deepEqual(stream.writes, [`\x81\x03bye${OUR_CLOSE_1000}`]);
  });
});

describe("WebSocketTransport: the beginning", () => {
  it("delivers nothing before it is opened, then everything in order", () => {
    const turn = new Turn();
    const stream = new MemoryStream();
    const context = {
      clock: new VirtualClock(),
      flusher: new Flusher(turn.schedule),
      received: new BufferBudget(Number.POSITIVE_INFINITY),
    };
    const transport = new WebSocketTransport(stream, context, OPTIONS, switching());
    stream.listener = transport;
    transport.begins(frame(TEXT, "behind"));
    stream.arrive(frame(TEXT, "early"), frame(PING, "p"));
    const told: unknown[] = [];
    transport.listen({
      messageArrived: (data) => told.push(data),
      pingArrived: () => told.push("ping"),
      pongArrived: () => {},
      bufferEmptied: () => {},
      transportClosed: () => {},
    });
    transport.open();
    assert.deepEqual(told, ["behind", "early", "ping"]);
    turn.end();
    assert.equal(stream.take(), "101\r\n\x8a\x01p");
  });

  it("reports an end that arrived before it was opened", () => {
    const stream = new MemoryStream();
    const context = {
      clock: new VirtualClock(),
      flusher: new Flusher(() => {}),
      received: new BufferBudget(Number.POSITIVE_INFINITY),
    };
    const transport = new WebSocketTransport(stream, context, OPTIONS, switching());
    stream.listener = transport;
    transport.begins(undefined);
    stream.arrive(frame(TEXT, "only"));
    stream.eof();
    stream.closed();
    const told: unknown[] = [];
    transport.listen({
      messageArrived: (data) => told.push(data),
      pingArrived: () => {},
      pongArrived: () => {},
      bufferEmptied: () => {},
      transportClosed: ({ by, code }) => told.push(by, code),
    });
    transport.open();
    assert.deepEqual(told, ["only", "network", 1006]);
  });
});

describe("WebSocketTransport: reading pace", () => {
  it("pauses inside a read: the rest of it waits, and with 64 KiB of it the socket is not read", () => {
    const { stream, transport, told } = bench((what, it) => {
      if (what === "2") it.transport.pause();
    });
    const large = "x".repeat(65_536);
    stream.arrive(Buffer.concat([frame(TEXT, "1"), frame(TEXT, "2"), frame(TEXT, "3")]), frame(TEXT, "4"));
    assert.deepEqual(told, ["1", "2"]);
    assert.deepEqual([stream.isPaused, stream.waiting], [false, 0]);
    stream.arrive(frame(TEXT, large), frame(TEXT, "6"));
    assert.deepEqual(told, ["1", "2"]);
    assert.deepEqual([stream.isPaused, stream.waiting], [true, 1]);
    transport.resume();
    assert.deepEqual(told, ["1", "2", "3", "4", large]);
    stream.deliver();
    assert.deepEqual(told, ["1", "2", "3", "4", large, "6"]);
  });

  it("pauses and resumes from inside a delivery without a second loop", () => {
    const { stream, told } = bench((_, { transport }) => {
      transport.pause();
      transport.resume();
    });
    stream.arrive(Buffer.concat(["1", "2", "3", "4"].map((data) => frame(TEXT, data))));
    assert.deepEqual(told, ["1", "2", "3", "4"]);
  });

  it("pings that waited are answered when reading goes on", () => {
    const { stream, transport, turn } = bench((what, it) => {
      if (what === "1") it.transport.pause();
    });
    stream.arrive(Buffer.concat([frame(TEXT, "1"), frame(PING, "p")]));
    assert.deepEqual(stream.writes, []);
    transport.resume();
    turn.end();
    assert.deepEqual(stream.writes, ["\x8a\x01p"]);
  });

  it("an end that arrives while paused is reported at once, after the messages before it", () => {
    const { stream, told } = bench((what, it) => {
      if (what === "1") it.transport.pause();
    });
    stream.arrive(Buffer.concat([frame(TEXT, "1"), frame(TEXT, "2")]));
    assert.deepEqual(told, ["1"]);
    stream.closed(new Error("reset"));
    assert.deepEqual(told, ["1", "2", "closed by network 1006"]);
  });

  it("a close frame that comes while paused is found by the next tick, and answered", () => {
    const { stream, transport, turn, told } = bench((what, it) => {
      if (what === "1") it.transport.pause();
    });
    stream.arrive(
      Buffer.concat([frame(TEXT, "1"), frame(TEXT, "2"), encodeMaskedFrame(CLOSE, hex("0fa0627965"), KEY)]),
    );
    assert.deepEqual(told, ["1"]);
    transport.tick(0, { pingIntervalMs: 0, pongTimeoutMs: 0 });
    turn.end();
    assert.deepEqual(
      told.filter((what) => what !== "drain"),
      ["1", "2", "closed by client 4000 bye"],
    );
    assert.deepEqual(stream.writes, ["\x88\x02\x0f\xa0"]);
  });

  it("sends a pong with each tick while the socket is not read, and none where it is", () => {
    const { stream, transport, turn } = bench((what, it) => {
      if (what === "1") it.transport.pause();
    });
    const tick = (): void => {
      transport.tick(0, { pingIntervalMs: 0, pongTimeoutMs: 0 });
      turn.end();
    };
    stream.arrive(frame(TEXT, "1"));
    tick();
    assert.deepEqual(stream.writes, []);
    stream.arrive(frame(TEXT, "x".repeat(65_536)));
    tick();
    tick();
    assert.deepEqual(stream.writes, ["\x8a\x00", "\x8a\x00"]);
    transport.resume();
    tick();
    assert.deepEqual(stream.writes, ["\x8a\x00", "\x8a\x00"]);
  });
});

describe("WebSocketTransport: what the client has not taken", () => {
  it("bufferedAmount counts what waits for the turn's end and what the system has not taken", () => {
    const { stream, transport, turn, told } = bench();
    stream.isStalled = true;
    transport.send(message("hello"));
    assert.equal(transport.bufferedAmount, 7);
    turn.end();
    assert.equal(transport.bufferedAmount, 7);
    transport.send(message("x"));
    assert.equal(transport.bufferedAmount, 10);
    turn.end();
    assert.deepEqual(told, []);
    stream.drain();
    assert.equal(transport.bufferedAmount, 0);
    assert.deepEqual(told, ["drain"]);
  });

  it("a send from inside `drain` leaves with the next turn", () => {
    let count = 0;
    const { stream, transport, turn } = bench((what, it) => {
      if (what === "drain" && count++ < 3) it.transport.send(message(String(count)));
    });
    transport.send(message("0"));
    for (let turns = 0; turns < 6; turns++) turn.end();
    assert.deepEqual(stream.writes, ["\x81\x010", "\x81\x011", "\x81\x012", "\x81\x013"]);
  });
});

describe("WebSocketTransport: the closing handshake (RFC 6455 §7)", () => {
  it("§7.1.1: ours: the close frame, the answer, then TCP from our side first", () => {
    const { stream, transport, turn, clock, told } = bench();
    transport.close(1000, "");
    turn.end();
    assert.equal(stream.take(), OUR_CLOSE_1000);
    assert.equal(stream.isEnded, false);
    stream.arrive(CLOSE_1000);
    assert.deepEqual(told.slice(-1), ["closed by server 1000"]);
    assert.equal(stream.isEnded, true);
    assert.equal(stream.isDestroyed, false);
    stream.eof();
    stream.closed();
    assert.equal(clock.pending, 0);
    assert.equal(ends(told).length, 1);
    assert.deepEqual(stream.writes, []);
  });

  it("§7.1.1: theirs: the echo and our end of TCP go out at once", () => {
    const { stream, told } = bench();
    stream.arrive(encodeMaskedFrame(CLOSE, bytesOf("\x0f\xa1why"), KEY));
    assert.equal(stream.take(), "\x88\x02\x0f\xa1");
    assert.equal(stream.isEnded, true);
    assert.deepEqual(told.slice(-1), ["closed by client 4001 why"]);
  });

  it("closeTimeoutMs: a peer that does not answer our close frame is dropped", () => {
    const { stream, transport, turn, clock, told } = bench();
    transport.close(1001, "going");
    turn.end();
    clock.advance(CLOSE_TIMEOUT_MS - 1);
    assert.equal(stream.isDestroyed, false);
    clock.advance(1);
    assert.equal(stream.isDestroyed, true);
    assert.deepEqual(told.slice(-1), ["closed by server 1001 going"]);
    stream.closed();
    assert.equal(clock.pending, 0);
    assert.equal(ends(told).length, 1);
  });

  it("closeTimeoutMs: a peer that closes and never ends TCP is dropped too", () => {
    const { stream, clock, told } = bench();
    stream.arrive(CLOSE_1000);
    clock.advance(CLOSE_TIMEOUT_MS);
    assert.equal(stream.isDestroyed, true);
    stream.closed();
    assert.equal(clock.pending, 0);
    assert.equal(ends(told).length, 1);
  });

  it("a close answers a paused peer, too: reading goes on, messages are dropped", () => {
    const { stream, transport, turn, told } = bench();
    transport.pause();
    stream.arrive(frame(TEXT, "unread"), CLOSE_1000);
    transport.close(1000, "");
    stream.deliver();
    turn.end();
    assert.deepEqual(ends(told), ["closed by server 1000"]);
    assert.equal(told.includes("unread"), false);
    assert.equal(stream.isEnded, true);
  });

  it("a close from inside a delivery drops the rest of the read", () => {
    const { stream, told } = bench((what, { transport }) => {
      if (what === "1") transport.close(4000, "enough");
    });
    stream.arrive(Buffer.concat([frame(TEXT, "1"), frame(TEXT, "2"), frame(PING, "p"), CLOSE_1000]));
    assert.deepEqual(stream.writes, ["\x88\x08\x0f\xa0enough"]);
    assert.deepEqual(
      told.filter((what) => what !== "drain"),
      ["1", "closed by server 4000 enough"],
    );
  });

  it("messages sent after a close are discarded", () => {
    const { stream, transport, turn } = bench();
    transport.close(1000, "");
    transport.send(message("late"));
    transport.ping(hex("01"));
    transport.close(1001, "again");
    turn.end();
    assert.deepEqual(stream.writes, [OUR_CLOSE_1000]);
  });

  it("§7.1.7: what breaks the protocol is answered with its close code, and TCP ends", () => {
    const { stream, told } = bench();
    stream.arrive(Buffer.concat([frame(TEXT, "ok"), hex("83 80 00000000")]), frame(TEXT, "late"));
    assert.deepEqual(stream.writes, ["\x88\x02\x03\xea"]);
    assert.equal(stream.isEnded, true);
    assert.equal(told[0], "ok");
    assert.match(told.at(-1)!, /^closed by server 1002 malformed/);
  });

  it("a message in parts that will not be whole closes with 1011", () => {
    const { stream, transport, turn } = bench();
    transport.begin();
    transport.part("half");
    transport.fail(1011, "");
    turn.end();
    assert.deepEqual(stream.writes, ["\x01\x04half\x88\x02\x03\xf3"]);
  });
});

describe("WebSocketTransport: the end without a handshake", () => {
  it("§7.1.5: the peer ends TCP: 1006, and ours ends too", () => {
    const { stream, told } = bench();
    stream.eof();
    assert.deepEqual(told.slice(-1), ["closed by network 1006"]);
    assert.equal(stream.isEnded, true);
    stream.closed();
    assert.equal(ends(told).length, 1);
  });

  it("the connection breaks: 1006, once", () => {
    const { stream, clock, told } = bench();
    stream.closed(new Error("reset"));
    assert.deepEqual(told, ["closed by network 1006"]);
    assert.equal(clock.pending, 0);
  });

  it("terminate drops the connection, and we did it", () => {
    const { stream, transport, clock, told } = bench();
    transport.send(message("unsent"));
    transport.terminate();
    assert.equal(stream.isDestroyed, true);
    stream.closed();
    transport.terminate();
    assert.deepEqual(ends(told), ["closed by server 1006"]);
    assert.equal(clock.pending, 0);
  });

  it("a connection that broke after our close frame was closed by us", () => {
    const { stream, transport, turn, told } = bench();
    transport.close(1001, "going");
    turn.end();
    stream.closed(new Error("reset"));
    assert.deepEqual(
      told.filter((what) => what !== "drain"),
      ["closed by server 1001 going"],
    );
  });

  it("a close of a connection that is gone, with messages still waiting, leaves no timer", () => {
    const { stream, transport, clock, told } = bench();
    stream.arrive(frame(TEXT, "1"));
    transport.pause();
    stream.closed();
    transport.close(1000, "");
    assert.match(told.at(-1)!, /^closed by/);
    assert.equal(clock.pending, 0);
  });
});

describe("WebSocketTransport: a client that does not read", () => {
  const BEAT = { pingIntervalMs: 0, pongTimeoutMs: 0 };

  it("RFC 6455 §5.5.3: is answered the latest of its pings, when it reads again", () => {
    const { stream, transport, turn, told } = bench();
    stream.isStalled = true;
    transport.send(message("unread"));
    turn.end();
    for (let count = 0; count < 10_000; count++) stream.arrive(frame(PING, String(count)));
    assert.equal(stream.take(), "\x81\x06unread\x8a\x010");
    assert.equal(told.filter((what) => what.startsWith("ping")).length, 10_000);
    stream.isStalled = false;
    stream.drain();
    turn.end();
    assert.equal(stream.take(), "\x8a\x049999");
    stream.arrive(frame(PING, "a"), frame(PING, "b"));
    assert.equal(stream.take(), "\x8a\x01a\x8a\x01b");
  });

  it("RFC 6455 §5.5.3: is answered about once a second, if it reads slowly", () => {
    const { stream, transport, turn } = bench();
    stream.isStalled = true;
    transport.send(message("much"));
    turn.end();
    for (let second = 0; second < 3; second++) {
      for (let count = 0; count < 100; count++) stream.arrive(frame(PING, `${second}`));
      stream.take();
      transport.tick(1000 * second, BEAT);
      turn.end();
      assert.equal(stream.take(), `\x8a\x01${second}`);
    }
    transport.tick(3000, BEAT);
    turn.end();
    assert.equal(stream.take(), "");
  });

  it("closeTimeoutMs counts from when our close frame is out", () => {
    const { stream, transport, turn, clock, told } = bench();
    stream.isStalled = true;
    transport.send(message("much"));
    transport.close(1000, "");
    turn.end();
    clock.advance(10 * CLOSE_TIMEOUT_MS);
    assert.equal(stream.isDestroyed, false);
    stream.drain();
    clock.advance(CLOSE_TIMEOUT_MS - 1);
    assert.equal(stream.isDestroyed, false);
    clock.advance(1);
    assert.equal(stream.isDestroyed, true);
    assert.deepEqual(ends(told), ["closed by server 1000"]);
  });

  it("closeTimeoutMs counts at once where it is cut off", () => {
    const { stream, transport, turn, clock } = bench();
    stream.isStalled = true;
    transport.send(message("much"));
    transport.fail(1013, "too slow");
    turn.end();
    clock.advance(CLOSE_TIMEOUT_MS);
    assert.equal(stream.isDestroyed, true);
  });
});

describe("WebSocketTransport: maxControlFramesPerSecond", () => {
  const limited = (): Bench => bench(() => {}, { maxControlFramesPerSecond: 10 });
  const pings = (count: number): Uint8Array => Buffer.concat(Array.from({ length: count }, () => frame(PING, "")));

  it("takes so many in each second, for ever", () => {
    const { stream, clock, told } = limited();
    for (let second = 0; second < 20; second++) {
      stream.arrive(pings(5), frame(TEXT, "m"), ...Array.from({ length: 5 }, () => frame(PONG, "")));
      clock.advance(1000);
    }
    assert.equal(told.filter((what) => /^p[io]ng/.test(what)).length, 200);
    assert.deepEqual(ends(told), []);
  });

  it("closes with 1008 for more", () => {
    const { stream, told } = limited();
    stream.arrive(pings(10));
    assert.deepEqual(ends(told), []);
    stream.take();
    stream.arrive(pings(2));
    assert.equal(stream.take(), "\x8a\x00\x88\x02\x03\xf0");
    assert.deepEqual(ends(told), ["closed by server 1008 more control frames than maxControlFramesPerSecond"]);
    assert.equal(told.filter((what) => what.startsWith("ping")).length, 10);
    assert.ok(stream.isEnded);
  });

  it("closes for one more, whether they come at once or over the second, and at the very start", () => {
    const { stream, clock, told } = limited();
    stream.arrive(pings(4));
    clock.advance(999);
    stream.arrive(pings(6));
    assert.deepEqual(ends(told), []);
    clock.advance(1);
    stream.arrive(pings(10));
    assert.deepEqual(ends(told), []);
    stream.arrive(pings(1));
    assert.equal(ends(told).length, 1);
  });

  it("takes any number of messages", () => {
    const { stream, told } = limited();
    for (let count = 0; count < 1000; count++) stream.arrive(frame(TEXT, "m"));
    assert.equal(told.length, 1000 + told.filter((what) => what !== "m").length);
    assert.deepEqual(ends(told), []);
  });
});

describe("WebSocketTransport: other frames", () => {
  it("passes pings and pongs on, and sends pings", () => {
    const { stream, transport, turn, told } = bench();
    stream.arrive(Buffer.concat([frame(PING, "a"), frame(PONG, "b"), frame(BINARY, "c")]));
    assert.deepEqual(
      told.filter((what) => what !== "drain"),
      ["ping a", "pong b", "[c]"],
    );
    stream.take();
    transport.ping(hex("01"));
    turn.end();
    assert.equal(stream.take(), "\x89\x01\x01");
  });
});

describe("WebSocketTransport: messageTimeoutMs", () => {
  const BEAT = { pingIntervalMs: 0, pongTimeoutMs: 0 };
  const slow = (): Bench => bench(() => {}, { messageTimeoutMs: 60_000 });

  it("ends a message that trickles in, 60 s after its first byte and not before", () => {
    const { stream, transport, told } = slow();
    stream.arrive(frame(BINARY, "x".repeat(100)).subarray(0, 10));
    for (let now = 1000; now <= 60_000; now += 1000) transport.tick(now, BEAT);
    assert.deepEqual(ends(told), []);
    transport.tick(61_000, BEAT);
    assert.deepEqual(ends(told), ["closed by server 1008 message did not arrive in time"]);
  });

  it("gives a message a second for each KiB that has come", () => {
    const { stream, transport, told } = slow();
    stream.arrive(frame(BINARY, "x".repeat(100_000)).subarray(0, 20_000));
    for (let now = 1000; now <= 79_000; now += 1000) transport.tick(now, BEAT);
    assert.deepEqual(ends(told), []);
    transport.tick(81_000, BEAT);
    assert.equal(ends(told).length, 1);
  });

  it("counts each message from its own first byte", () => {
    const { stream, transport, told } = slow();
    const message = frame(BINARY, "x".repeat(100));
    stream.arrive(message.subarray(0, 10));
    for (let now = 1000; now <= 600_000; now += 1000) {
      if (now % 50_000 === 0) stream.arrive(Buffer.concat([message.subarray(10), message.subarray(0, 10)]));
      transport.tick(now, BEAT);
    }
    assert.deepEqual(ends(told), []);
  });
});
