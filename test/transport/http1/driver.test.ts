// One HTTP/1.1 connection over a MemoryStream, in virtual time: when it is written, read and ended. The meaning of the bytes is
// tested in test/protocol/http1.test.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelError } from "../../../src/base/errors.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import type { Exchange, ExchangeListener } from "../../../src/transport/exchange.ts";
import { Http1Driver } from "../../../src/transport/http1/driver.ts";
import { BufferBudget } from "../../../src/transport/io/buffer-budget.ts";
import { Flusher } from "../../../src/transport/io/flusher.ts";
import { MemoryStream, Turn } from "../../support/memory-stream.ts";
import { text } from "../../support/pieces.ts";

const KIB = 1024;
const CLOSE_TIMEOUT_MS = 5000;
const OK = { status: 200, fields: [] };

interface Bench {
  readonly stream: MemoryStream;
  readonly driver: Http1Driver;
  readonly turn: Turn;
  readonly clock: VirtualClock;
  /** In the order in which they were handed out. */
  readonly exchanges: Exchange[];
}

function bench(onExchange: (exchange: Exchange) => void = () => {}): Bench {
  const turn = new Turn();
  const clock = new VirtualClock();
  const exchanges: Exchange[] = [];
  const stream = new MemoryStream();
  const driver = new Http1Driver(stream, {
    http: {
      maxHeaderBytes: 16 * KIB,
      maxHeaderCount: 100,
      maxTargetBytes: 8 * KIB,
      maxBodyBytes: 1024 * KIB,
      dateField: () => "",
      serverField: "",
    },
    clock,
    flusher: new Flusher(turn.schedule),
    received: new BufferBudget(Number.POSITIVE_INFINITY),
    closeTimeoutMs: CLOSE_TIMEOUT_MS,
    timeouts: { headerTimeoutMs: 10_000, requestTimeoutMs: 60_000, keepAliveTimeoutMs: 60_000 },
    onExchange: (exchange) => {
      exchanges.push(exchange);
      onExchange(exchange);
    },
    onExchangeEnd() {},
    onExchangeCut() {},
    onRefusal() {},
  });
  stream.listener = driver;
  return { stream, driver, turn, clock, exchanges };
}

function get(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
}

function post(length: number, fields = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${fields}\r\n`;
}

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Answers with its own target, now. */
function echo(exchange: Exchange): void {
  exchange.respond(OK, exchange.head.target);
}

/** Writes down what a listener is told. */
function listen(exchange: Exchange): string[] {
  const told: string[] = [];
  const listener: ExchangeListener = {
    onDrain: () => told.push("drain"),
    onHalfClose: () => told.push("half-close"),
    onGone: (error) => told.push(`gone ${error === undefined ? "" : error.message}`.trim()),
  };
  exchange.listener = listener;
  return told;
}

/** Lets promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ChannelError, String(error));
    return error.code;
  }
  return assert.fail("it was not rejected");
}

describe("Http1Driver: one write per turn", () => {
  it("writes the answers to all requests of one read at once, when the read is over", () => {
    const { stream } = bench(echo);
    stream.arrive(get("/1") + get("/2") + get("/3"));
    assert.deepEqual(stream.writes, [answer("/1") + answer("/2") + answer("/3")]);
  });

  it("joins the answers that a handler gives later in one turn, at the turn's end", async () => {
    const { stream, turn } = bench((exchange) => void Promise.resolve().then(() => echo(exchange)));
    stream.arrive(get("/1") + get("/2") + get("/3"));
    await settle();
    assert.deepEqual(stream.writes, []);
    turn.end();
    assert.deepEqual(stream.writes, [answer("/1") + answer("/2") + answer("/3")]);
    turn.end();
    assert.equal(stream.writes.length, 1);
  });

  it("joins the parts of a stream that are written in one turn", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/"));
    const exchange = exchanges[0]!;
    exchange.start(OK);
    for (let part = 0; part < 16; part++) exchange.write("x");
    assert.deepEqual(stream.writes, []);
    turn.end();
    assert.deepEqual(stream.writes, [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(16)}`,
    ]);
    exchange.write("y");
    exchange.end();
    turn.end();
    assert.deepEqual(stream.writes.slice(1), ["1\r\ny\r\n0\r\n\r\n"]);
  });

  it("writes output of 64 KiB within the turn", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/"));
    exchanges[0]!.start(OK, 100 * KIB);
    exchanges[0]!.write("a".repeat(60 * KIB));
    assert.equal(stream.writes.length, 0);
    exchanges[0]!.write("a".repeat(10 * KIB));
    assert.equal(stream.writes.length, 1);
    exchanges[0]!.write("a".repeat(30 * KIB));
    exchanges[0]!.end();
    turn.end();
    assert.equal(stream.writes.length, 2);
    assert.ok(stream.take().endsWith(`\r\n\r\n${"a".repeat(100 * KIB)}`));
  });

  it("writes nothing in a turn without output", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive("GET / HT");
    stream.arrive("TP/1.1\r\nHost: a\r\n\r\n");
    exchanges[0]!.start(OK);
    turn.end();
    stream.take();
    exchanges[0]!.write("");
    turn.end();
    assert.deepEqual(stream.writes, []);
  });
});

describe("Http1Driver: the order of answers", () => {
  it("RFC 9112 §9.3.2: hands out the next request when the previous one is answered, not sooner", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/1") + get("/2"));
    assert.equal(exchanges.length, 1);
    echo(exchanges[0]!);
    assert.equal(exchanges.length, 2);
    echo(exchanges[1]!);
    turn.end();
    assert.deepEqual(stream.writes, [answer("/1") + answer("/2")]);
  });

  it("keeps the order when some are answered at once and some later", async () => {
    const { stream, turn } = bench((exchange) => {
      if (exchange.head.target.startsWith("/later")) setImmediate(() => echo(exchange));
      else echo(exchange);
    });
    const targets = ["/now1", "/later1", "/now2", "/now3", "/later2", "/later3", "/now4"];
    stream.arrive(targets.map((target) => get(target)).join(""));
    for (let turns = 0; turns < targets.length; turns++) {
      await settle();
      turn.end();
    }
    assert.equal(stream.take(), targets.map(answer).join(""));
  });

  it("answers ten thousand requests of one read without a deep stack", () => {
    const { stream } = bench(echo);
    stream.arrive(get("/").repeat(10_000));
    assert.equal(stream.take().length, answer("/").length * 10_000);
  });

  it("answers a request whose handler was called inside the previous answer", () => {
    const { stream, exchanges } = bench((exchange) => {
      if (exchange.head.target === "/2") echo(exchange);
    });
    stream.arrive(get("/1") + get("/2") + get("/3"));
    echo(exchanges[0]!);
    assert.equal(exchanges.length, 3);
  });

  it("ignores calls on an exchange whose response has ended", async () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/1") + get("/2"));
    const [first] = exchanges;
    echo(first!);
    assert.equal(first!.isAnswered, true);
    assert.equal(exchanges[1]!.isAnswered, false);
    first!.respond(OK, "again");
    assert.equal(first!.start(OK), false);
    first!.write("more");
    first!.end();
    first!.abort();
    assert.equal(first!.bufferedAmount, 0);
    assert.equal(await first!.readBody(), undefined);
    echo(exchanges[1]!);
    turn.end();
    assert.equal(stream.take(), answer("/1") + answer("/2"));
    assert.equal(stream.isDestroyed, false);
  });

  it("rejects reading the body of a request that was answered", async () => {
    const { stream, exchanges } = bench();
    stream.arrive(post(5));
    const pending = exchanges[0]!.readBody();
    exchanges[0]!.respond(OK, null);
    assert.equal(await codeOf(pending), "ALREADY_ANSWERED");
    assert.equal(await codeOf(exchanges[0]!.readBody()), "ALREADY_ANSWERED");
  });

  it("tells the listener of a response that has begun that the connection is gone", () => {
    const { stream, exchanges } = bench();
    stream.arrive(get("/"));
    const told = listen(exchanges[0]!);
    exchanges[0]!.start(OK);
    stream.closed(new Error("reset"));
    assert.deepEqual(told, ["gone reset"]);
    assert.equal(exchanges[0]!.isClientGone, true);
    assert.equal(exchanges[0]!.isAnswered, true);
    exchanges[0]!.write("x");
    exchanges[0]!.end();
  });
});

describe("Http1Driver: when the stream is read", () => {
  it("goes on reading while a request is parked, up to 64 KiB, then pauses", () => {
    const { stream } = bench();
    stream.arrive(get("/parked"));
    const request = get("/x");
    stream.arrive(request.repeat(Math.floor((64 * KIB) / request.length)));
    assert.equal(stream.isPaused, false);
    stream.arrive(request.repeat(2));
    assert.equal(stream.isPaused, true);
  });

  it("reads again when all held requests are handed out, so that a client that leaves is noticed", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/parked"));
    stream.arrive(get("/x").repeat(3000));
    assert.equal(stream.isPaused, true);
    stream.arrive(get("/last"));
    assert.equal(stream.waiting, 1);
    for (let index = 0; index < 3000; index++) {
      assert.equal(stream.isPaused, true, String(index));
      echo(exchanges[index]!);
    }
    assert.equal(stream.isPaused, false);
    echo(exchanges[3000]!);
    stream.deliver();
    echo(exchanges[3001]!);
    turn.end();
    assert.ok(stream.take().endsWith(answer("/x") + answer("/last")));
  });

  it("pauses also for a client that sends more with every answer", () => {
    const { stream, exchanges } = bench();
    const request = get("/x");
    let sent = 0;
    stream.arrive(request);
    for (let index = 0; index < 20 && !stream.isPaused; index++) {
      const burst = request.repeat(Math.floor((30 * KIB) / request.length));
      sent += burst.length;
      stream.arrive(burst);
      echo(exchanges[index]!);
    }
    assert.equal(stream.isPaused, true);
    assert.ok(sent < 100 * KIB, `${sent} bytes were taken`);
  });

  it("pauses for a body that the handler does not read, and resumes when it does", async () => {
    const { stream, exchanges } = bench();
    stream.arrive(post(200 * KIB));
    stream.arrive("a".repeat(64 * KIB));
    assert.equal(stream.isPaused, false);
    stream.arrive("a".repeat(KIB));
    assert.equal(stream.isPaused, true);
    stream.arrive("a".repeat(135 * KIB));
    assert.equal(stream.waiting, 1);

    let read = 0;
    while (read < 65 * KIB) read += (await exchanges[0]!.readBody())!.length;
    assert.equal(stream.isPaused, true);
    const next = exchanges[0]!.readBody();
    assert.equal(stream.isPaused, false);
    stream.deliver();
    assert.equal((await next)!.length, 135 * KIB);
    assert.equal(await exchanges[0]!.readBody(), undefined);
  });

  it("pauses for a body in chunks that is read more slowly than it arrives", async () => {
    const { stream, exchanges } = bench();
    stream.arrive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let sent = 0;
    for (let read = 0; read < 20 && !stream.isPaused; read++) {
      stream.arrive(`400\r\n${"a".repeat(1024)}\r\n`.repeat(30));
      sent += 30 * 1031;
      assert.equal((await exchanges[0]!.readBody())!.length, 1024);
    }
    assert.equal(stream.isPaused, true);
    assert.ok(sent < 100 * KIB, `${sent} bytes were taken`);
  });

  it("does not pause while a reader waits", async () => {
    const { stream, exchanges } = bench();
    stream.arrive(post(500 * KIB));
    for (let read = 0; read < 5; read++) {
      const part = exchanges[0]!.readBody();
      stream.arrive("a".repeat(100 * KIB));
      assert.equal((await part)!.length, 100 * KIB);
      assert.equal(stream.isPaused, false);
    }
    assert.equal(await exchanges[0]!.readBody(), undefined);
  });

  it("RFC 9112 §9.3: discards an unread body of any size, then serves the next request", () => {
    const { stream, exchanges } = bench();
    stream.arrive(post(300 * KIB));
    stream.arrive("a".repeat(100 * KIB));
    assert.equal(stream.isPaused, true);
    exchanges[0]!.respond(OK, null);
    assert.equal(stream.isPaused, false);
    stream.arrive("a".repeat(100 * KIB), "a".repeat(100 * KIB), get("/next"));
    assert.equal(stream.isPaused, false);
    assert.equal(exchanges[1]?.head.target, "/next");
  });

  it("RFC 9110 §10.1.1: sends 100 when the body is first read", async () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(post(2, "Expect: 100-continue\r\n"));
    assert.deepEqual(stream.writes, []);
    const part = exchanges[0]!.readBody();
    turn.end();
    assert.equal(stream.take(), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.arrive("ab");
    assert.equal(text(await part), "ab");
    assert.equal(await exchanges[0]!.readBody(), undefined);
    turn.end();
    assert.deepEqual(stream.writes, []);
  });
});

describe("Http1Driver: unsent bytes", () => {
  it("counts in bufferedAmount the output that waits for the turn's end and the bytes that the system has not taken", () => {
    const { stream, turn, exchanges } = bench();
    stream.isStalled = true;
    stream.arrive(get("/"));
    const exchange = exchanges[0]!;
    const told = listen(exchange);
    exchange.start(OK, 10);
    exchange.write("hello");
    const size = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".length;
    assert.equal(exchange.bufferedAmount, size);
    turn.end();
    assert.equal(exchange.bufferedAmount, size);
    assert.deepEqual(told, []);
    exchange.write("hel");
    assert.equal(exchange.bufferedAmount, size + 3);
    turn.end();
    stream.drain();
    assert.equal(exchange.bufferedAmount, 0);
    assert.deepEqual(told, ["drain"]);
  });

  it("reports a drain at once when the system has taken everything", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/"));
    const told = listen(exchanges[0]!);
    exchanges[0]!.start(OK);
    assert.deepEqual(told, []);
    turn.end();
    assert.deepEqual(told, ["drain"]);
  });
});

describe("Http1Driver: a client that does not read its answers", () => {
  const MUCH = "x".repeat(64 * KIB);

  it("gets no pipelined request begun while more than 64 KiB is unsent, and gets all answers in the end", () => {
    const { stream, exchanges } = bench((exchange) => exchange.respond(OK, MUCH));
    stream.isStalled = true;
    stream.arrive(get("/").repeat(3));
    assert.equal(exchanges.length, 1);
    stream.arrive(get("/"));
    assert.equal(exchanges.length, 1);
    for (let count = 2; count <= 4; count++) {
      stream.drain();
      assert.equal(exchanges.length, count);
    }
    assert.equal(stream.take(), answer(MUCH).repeat(4));
  });

  it("gets the next request begun while at most 64 KiB is unsent", () => {
    const { stream, turn, exchanges } = bench((exchange) => exchange.respond(OK, "x".repeat(1000)));
    stream.isStalled = true;
    for (let count = 1; stream.bufferedAmount <= 64 * KIB; count++) {
      stream.arrive(get("/"));
      assert.equal(exchanges.length, count);
      turn.end();
    }
    stream.arrive(get("/"));
    assert.equal(exchanges.length, Math.floor((64 * KIB) / answer("x".repeat(1000)).length) + 1);
  });

  it("is not read when it has sent 64 KiB meanwhile, and no timeout applies to it", () => {
    const { stream, driver } = bench((exchange) => exchange.respond(OK, MUCH));
    stream.isStalled = true;
    stream.arrive(get("/"), get("/pipelined").slice(0, 20));
    for (let now = 0; now <= 120_000; now += 1000) driver.tick(now);
    assert.equal(stream.take(), answer(MUCH));
    assert.ok(!stream.isEnded);
    stream.arrive("x".repeat(64 * KIB - 20));
    assert.equal(stream.isPaused, false);
    stream.arrive("x".repeat(100));
    assert.equal(stream.isPaused, true);
  });

  it("ends after closeSoon, after the unsent bytes", () => {
    const { stream, driver, clock, exchanges } = bench((exchange) => exchange.respond(OK, MUCH));
    stream.isStalled = true;
    stream.arrive(get("/").repeat(2));
    driver.closeSoon();
    assert.equal(exchanges.length, 1);
    assert.ok(stream.isEnded);
    assert.equal(clock.pending, 0);
    stream.drain();
    assert.equal(clock.pending, 1);
  });
});

describe("Http1Driver: the end of a connection", () => {
  it("RFC 9112 §9.6: ends after the last answer, then waits for the peer's end, no longer than closeTimeoutMs", () => {
    const { stream, clock } = bench(echo);
    stream.arrive(get("/", "Connection: close\r\n"));
    assert.match(stream.take(), /\r\nConnection: close\r\n/);
    assert.equal(stream.isEnded, true);
    clock.advance(CLOSE_TIMEOUT_MS - 1);
    assert.equal(stream.isDestroyed, false);
    clock.advance(1);
    assert.equal(stream.isDestroyed, true);
    stream.closed();
    assert.equal(clock.pending, 0);
  });

  it("RFC 9112 §9.6: reads and drops later bytes, so that no reset destroys the last answer", () => {
    const { stream, exchanges } = bench(echo);
    stream.arrive(get("/", "Connection: close\r\n"));
    stream.arrive(get("/late"), "\0\0\0");
    assert.equal(stream.isPaused, false);
    assert.equal(exchanges.length, 1);
    assert.equal(stream.writes.length, 1);
  });

  it("leaves no timer when the peer has ended", () => {
    const { stream, clock } = bench(echo);
    stream.arrive(get("/", "Connection: close\r\n"));
    stream.eof();
    stream.closed();
    assert.equal(clock.pending, 0);
  });

  it("starts the timer when the system has taken the last answer, not before", () => {
    const { stream, clock } = bench(echo);
    stream.isStalled = true;
    stream.arrive(get("/", "Connection: close\r\n"));
    assert.equal(stream.isEnded, true);
    assert.equal(clock.pending, 0);
    clock.advance(10 * CLOSE_TIMEOUT_MS);
    assert.equal(stream.isDestroyed, false);
    stream.drain();
    clock.advance(CLOSE_TIMEOUT_MS);
    assert.equal(stream.isDestroyed, true);
  });

  it("RFC 9112 §9.6: reads a paused connection again once it has ended", () => {
    const { stream, exchanges } = bench();
    stream.arrive(get("/", "Connection: close\r\n"));
    stream.arrive("x".repeat(70 * KIB));
    assert.equal(stream.isPaused, true);
    echo(exchanges[0]!);
    assert.equal(stream.isEnded, true);
    assert.equal(stream.isPaused, false);
  });

  it("refuses a malformed request after the answers before it, and ends", () => {
    const { stream, exchanges } = bench(echo);
    stream.arrive(`${get("/1")}GET / HTTP/1.1\nHost: a\r\n\r\n`);
    assert.equal(stream.writes.length, 1);
    assert.match(stream.take(), /^HTTP\/1\.1 200 OK\r\n[^/]*\/1HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(stream.isEnded, true);
    assert.equal(exchanges.length, 1);
  });

  it("refuses a malformed body: its reader rejects, and the response is the refusal", async () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const told = listen(exchanges[0]!);
    const part = exchanges[0]!.readBody();
    stream.arrive("x\r\n");
    assert.equal(await codeOf(part), "BAD_REQUEST");
    turn.end();
    assert.match(stream.take(), /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^gone malformed/);
    echo(exchanges[0]!);
    turn.end();
    assert.deepEqual(stream.writes, []);
    assert.equal(stream.isEnded, true);
  });

  it("RFC 9112 §8: cuts off a response that has begun when the body of its request is malformed", async () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    exchanges[0]!.start(OK);
    exchanges[0]!.write("part");
    const part = exchanges[0]!.readBody();
    stream.arrive("x\r\n");
    assert.equal(await codeOf(part), "BAD_REQUEST");
    turn.end();
    assert.ok(stream.take().endsWith("4\r\npart\r\n"));
    assert.equal(stream.isEnded, true);
  });

  it("ends with closeSoon an idle connection now and a busy one after its answer", () => {
    const idle = bench();
    idle.driver.closeSoon();
    assert.equal(idle.stream.isEnded, true);

    const busy = bench();
    busy.stream.arrive(get("/1") + get("/2"));
    busy.driver.closeSoon();
    assert.equal(busy.stream.isEnded, false);
    echo(busy.exchanges[0]!);
    assert.match(busy.stream.take(), /\r\nConnection: close\r\n/);
    assert.equal(busy.stream.isEnded, true);
    assert.equal(busy.exchanges.length, 1);
  });

  it("drops the connection with abort", () => {
    const { stream, exchanges } = bench();
    stream.arrive(get("/"));
    const told = listen(exchanges[0]!);
    exchanges[0]!.start(OK);
    exchanges[0]!.abort();
    assert.equal(stream.isDestroyed, true);
    stream.closed();
    assert.deepEqual(told, ["gone"]);
  });

  it("rejects the reader of an incomplete body when the connection is gone", async () => {
    const { stream, exchanges } = bench();
    stream.arrive(post(5));
    const part = exchanges[0]!.readBody();
    stream.closed(new Error("reset"));
    assert.equal(await codeOf(part), "CLIENT_GONE");
    assert.equal(await codeOf(exchanges[0]!.readBody()), "CLIENT_GONE");
  });
});

describe("Http1Driver: the client ends its side (RFC 9112 §9.6)", () => {
  it("ends an idle connection", () => {
    const { stream } = bench();
    stream.eof();
    assert.equal(stream.isEnded, true);
    assert.deepEqual(stream.writes, []);
  });

  it("ends a connection with part of a request, without an answer", () => {
    const { stream, exchanges } = bench(echo);
    stream.arrive("GET / HTTP/1.1\r\nHost");
    stream.eof();
    assert.equal(stream.isEnded, true);
    assert.deepEqual([stream.writes, exchanges], [[], []]);
  });

  it("tells a parked request, which may still be answered", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/"));
    const told = listen(exchanges[0]!);
    stream.eof();
    assert.deepEqual(told, ["half-close"]);
    assert.equal(exchanges[0]!.isClientGone, true);
    assert.equal(stream.isEnded, false);
    echo(exchanges[0]!);
    turn.end();
    assert.equal(stream.take(), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n/");
    assert.equal(stream.isEnded, true);
    stream.closed();
    assert.deepEqual(told, ["half-close"]);
  });

  it("drops the connection of a parked request whose listener aborts at the end", () => {
    const { stream, exchanges } = bench((exchange) => {
      exchange.listener = { onDrain() {}, onGone() {}, onHalfClose: () => exchange.abort() };
    });
    stream.arrive(get("/1") + get("/2"));
    stream.eof();
    assert.equal(stream.isDestroyed, true);
    stream.closed();
    assert.equal(exchanges.length, 1);
  });

  it("answers all requests that were complete before the end; their exchanges know of the end", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(get("/1") + get("/2") + get("/3"));
    stream.eof();
    for (let index = 0; index < 3; index++) {
      assert.equal(exchanges[index]!.isClientGone, true, String(index));
      echo(exchanges[index]!);
    }
    turn.end();
    assert.equal(
      stream.take(),
      answer("/1") + answer("/2") + "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n/3",
    );
    assert.equal(stream.isEnded, true);
  });

  it("reads a complete body, and rejects one that was cut off with CLIENT_GONE", async () => {
    const whole = bench();
    whole.stream.arrive(`${post(5)}hello`);
    whole.stream.eof();
    assert.equal(text(await whole.exchanges[0]!.readBody()), "hello");
    assert.equal(await whole.exchanges[0]!.readBody(), undefined);
    echo(whole.exchanges[0]!);
    assert.equal(whole.stream.isEnded, true);

    const cut = bench();
    cut.stream.arrive(`${post(5)}hell`);
    cut.stream.eof();
    assert.equal(text(await cut.exchanges[0]!.readBody()), "hell");
    assert.equal(await codeOf(cut.exchanges[0]!.readBody()), "CLIENT_GONE");
    assert.equal(cut.stream.isDestroyed, true);
  });

  it("RFC 9112 §9.6: sends an answer that waits for the turn's end although the next request is aborted", async () => {
    const cut = bench();
    cut.stream.arrive(`${get("/1")}${post(5)}hell`);
    cut.stream.eof();
    echo(cut.exchanges[0]!);
    assert.equal(text(await cut.exchanges[1]!.readBody()), "hell");
    assert.equal(await codeOf(cut.exchanges[1]!.readBody()), "CLIENT_GONE");
    assert.equal(cut.stream.isDestroyed, true);
    assert.equal(cut.stream.take(), answer("/1"));

    const parked = bench();
    parked.stream.arrive(get("/1") + get("/2"));
    echo(parked.exchanges[0]!);
    parked.exchanges[1]!.abort();
    assert.equal(parked.stream.isDestroyed, true);
    assert.equal(parked.stream.take(), answer("/1"));
  });

  it("RFC 9112 §9.6: sends an answer that waits for the turn's end although the rest of its request's body never arrives", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(`${post(5)}he`);
    echo(exchanges[0]!);
    stream.eof();
    turn.end();
    assert.equal(stream.take(), answer("/"));
    assert.equal(stream.isEnded, true);
    assert.equal(stream.isDestroyed, false);
  });
});

describe("Http1Driver: a stream that comes from a proxy", () => {
  it("gives its requests the address of the proxy's client, and none where the proxy names none", () => {
    const { stream, driver, exchanges } = bench();
    for (const remoteAddress of [stream.remoteAddress, "198.51.100.9", undefined]) {
      const client = remoteAddress === stream.remoteAddress ? undefined : { remoteAddress, isEncrypted: false };
      stream.listener = new Http1Driver(stream, driver.context, client);
      stream.arrive(get("/"));
      assert.equal(exchanges.at(-1)!.remoteAddress, remoteAddress);
    }
    assert.equal(exchanges.length, 3);
  });
});

describe("Http1Driver: another protocol takes over", () => {
  // The key and its answer are those of RFC 6455 §1.2.
  const UPGRADE = get(
    "/",
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
  );
  const SWITCHING =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  const SOCKET = { maxMessageBytes: 1000, maxFragments: 10, closeTimeoutMs: 5000 };

  it("writes the earlier answers and the 101, and hands over the bytes behind the request", () => {
    const seen: unknown[] = [];
    const { stream, turn } = bench((exchange) => {
      if (exchange.head.target === "/first") return echo(exchange);
      const transport = exchange.acceptWebSocket(["X-Own", "1"], SOCKET);
      transport.listen({
        messageArrived: (data) => seen.push(data),
        pingArrived: () => {},
        pongArrived: () => {},
        bufferEmptied: () => {},
        transportClosed: (status) => seen.push(status.name),
      });
      transport.open();
    });
    stream.arrive(`${get("/first")}${UPGRADE}\x81\x81\0\0\0\0x`);
    turn.end();
    assert.equal(stream.take(), `${answer("/first")}${SWITCHING}X-Own: 1\r\n\r\n`);
    assert.deepEqual(seen, ["x"]);
    stream.arrive("\x81\x81\0\0\0\0y");
    stream.closed();
    assert.deepEqual(seen, ["x", "y", "abnormal"]);
  });

  it("ignores HTTP answers of an exchange that was upgraded", () => {
    const { stream, turn, exchanges } = bench();
    stream.arrive(UPGRADE);
    exchanges[0]!.acceptWebSocket([], SOCKET);
    turn.end();
    stream.take();
    echo(exchanges[0]!);
    exchanges[0]!.abort();
    turn.end();
    assert.deepEqual(stream.writes, []);
    assert.equal(stream.isDestroyed, false);
    assert.equal(exchanges[0]!.isAnswered, true);
  });
});
