// Timeouts of HTTP, and heartbeats of WebSockets and event streams, with ticks in virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Piece } from "../../src/base/bytes.ts";
import { encodeMaskedFrame, OPCODE } from "../../src/codec/ws-frame.ts";
import type { CloseStatus } from "../../src/transport/close-status.ts";
import type { Exchange } from "../../src/transport/exchange.ts";
import type { ExchangeContext } from "../../src/transport/exchange-context.ts";
import { PLAIN } from "../../src/transport/http/format.ts";
import { EVENT_STREAM } from "../../src/transport/http/sse.ts";
import { HttpTransport } from "../../src/transport/http/transport.ts";
import { Http1Driver } from "../../src/transport/http1/driver.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";
import type { ByteStream, ByteStreamListener } from "../../src/transport/io/byte-stream.ts";
import { Flusher } from "../../src/transport/io/flusher.ts";
import type { TransportListener } from "../../src/transport/transport.ts";
import { WebSocketTransport } from "../../src/transport/websocket/transport.ts";

const HEARTBEAT = { pingIntervalMs: 25_000, pongTimeoutMs: 20_000 };
const NEVER = { setTimer: () => 0, clearTimer: () => {}, now: () => 0 };

class Wire implements ByteStream {
  listener!: ByteStreamListener;
  readonly bufferedAmount = 0;
  readonly remoteAddress = "192.0.2.1";
  readonly isEncrypted = false;
  written = "";
  isEnded = false;
  isDestroyed = false;

  write(output: Piece | readonly Piece[]): void {
    for (const piece of [output].flat() as Piece[]) {
      this.written += typeof piece === "string" ? piece : Buffer.from(piece).toString("latin1");
    }
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  pause(): void {}
  resume(): void {}
}

class Listener implements TransportListener {
  status: CloseStatus | undefined;
  messageArrived(): void {}
  pingArrived(): void {}
  pongArrived(): void {}
  bufferEmptied(): void {}
  transportClosed(status: CloseStatus): void {
    this.status = status;
  }
}

function http(onExchange: (exchange: Exchange) => void = () => {}): { wire: Wire; driver: Http1Driver } {
  const context: ExchangeContext = {
    http: {
      maxHeaderBytes: 16_384,
      maxHeaderCount: 100,
      maxTargetBytes: 8192,
      maxBodyBytes: 1024,
      dateField: () => "",
      serverField: "",
    },
    clock: NEVER,
    flusher: new Flusher((run) => run()),
    received: new BufferBudget(Number.POSITIVE_INFINITY),
    closeTimeoutMs: 5000,
    timeouts: { headerTimeoutMs: 10_000, requestTimeoutMs: 60_000, keepAliveTimeoutMs: 60_000 },
    onExchange,
    onExchangeEnd() {},
    onExchangeCut() {},
    onRefusal() {},
  };
  const wire = new Wire();
  const driver = new Http1Driver(wire, context);
  wire.listener = driver;
  return { wire, driver };
}

function ticks(target: { tick(now: number): void }, from: number, to: number): void {
  for (let now = from; now <= to; now += 1000) target.tick(now);
}

describe("an HTTP connection", () => {
  it("answers 408 when a head is not complete within headerTimeoutMs, even if bytes of it keep arriving", () => {
    const { wire, driver } = http();
    for (let now = 0; now <= 9000; now += 1000) {
      driver.onBytes(Buffer.from(now === 0 ? "GET / HT" : now === 1000 ? "TP/1.1\r\n" : "A: b\r\n"));
      driver.tick(now);
      assert.equal(wire.written, "");
    }
    driver.tick(10_000);
    assert.match(wire.written, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.ok(wire.isEnded);
  });

  it("is closed without an answer after keepAliveTimeoutMs between requests", () => {
    const { wire, driver } = http((exchange) => exchange.respond({ status: 204, fields: [] }, null));
    driver.onBytes(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    const { written } = wire;
    ticks(driver, 0, 59_000);
    assert.ok(!wire.isEnded);
    ticks(driver, 60_000, 60_000);
    assert.ok(wire.isEnded);
    assert.equal(wire.written, written);
  });

  it("counts the idle time from the last request", () => {
    const { wire, driver } = http((exchange) => exchange.respond({ status: 204, fields: [] }, null));
    ticks(driver, 0, 50_000);
    driver.onBytes(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ticks(driver, 51_000, 110_000);
    assert.ok(!wire.isEnded);
    ticks(driver, 111_000, 111_000);
    assert.ok(wire.isEnded);
  });

  it("answers 408 when a body that is being read stops arriving for requestTimeoutMs", async () => {
    let reading: Promise<unknown> | undefined;
    const { wire, driver } = http((exchange) => {
      reading = exchange.readBody().then(() => exchange.readBody());
    });
    driver.onBytes(Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
    await new Promise(setImmediate);
    ticks(driver, 0, 59_000);
    assert.equal(wire.written, "");
    ticks(driver, 60_000, 60_000);
    await assert.rejects(reading!, { code: "REQUEST_TIMEOUT" });
    assert.match(wire.written, /^HTTP\/1\.1 408 /);
  });

  it("has no timeout for a handler and a parked poll", () => {
    const { wire, driver } = http();
    driver.onBytes(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ticks(driver, 0, 600_000);
    assert.ok(!wire.isEnded);
    assert.equal(wire.written, "");
  });
});

describe("a parked poll", () => {
  for (const [code, by] of [
    ["ETIMEDOUT", "network"],
    ["EHOSTUNREACH", "network"],
    ["ECONNRESET", "client"],
  ] as const) {
    it(`ends by the ${by} when its connection fails with ${code}, as TCP keep-alive has it`, () => {
      const listener = new Listener();
      const { driver } = http((exchange) => new HttpTransport(exchange, PLAIN, []).listen(listener));
      driver.onBytes(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      ticks(driver, 0, 600_000);
      assert.equal(listener.status, undefined);
      driver.onClosed(Object.assign(new Error(`read ${code}`), { code }));
      assert.equal((listener as Listener).status?.by, by);
      assert.equal((listener as Listener).status?.code, by === "network" ? 1006 : 1001);
    });
  }
});

describe("a silent WebSocket", () => {
  function open(received = new BufferBudget(Number.POSITIVE_INFINITY)): {
    wire: Wire;
    transport: WebSocketTransport;
    listener: Listener;
  } {
    const wire = new Wire();
    const transport = new WebSocketTransport(
      wire,
      { clock: NEVER, flusher: new Flusher((run) => run()), received },
      { maxMessageBytes: 1024, maxFragments: 16, closeTimeoutMs: 5000 },
    );
    const listener = new Listener();
    transport.listen(listener);
    transport.open();
    return { wire, transport, listener };
  }
  const run = (transport: WebSocketTransport, from: number, to: number): void =>
    ticks({ tick: (now) => transport.tick(now, HEARTBEAT) }, from, to);

  it("is pinged after pingIntervalMs, and lost pongTimeoutMs later: 1006 by the network", () => {
    const { wire, transport, listener } = open();
    run(transport, 0, 24_000);
    assert.equal(wire.written, "");
    run(transport, 25_000, 44_000);
    assert.equal(wire.written, "\x89\x00");
    assert.equal(listener.status, undefined);
    run(transport, 45_000, 45_000);
    assert.deepEqual(listener.status, { by: "network", code: 1006, reason: "", name: "abnormal" });
    assert.ok(wire.isDestroyed);
  });

  it("lives on with any byte from the client", () => {
    const { wire, transport, listener } = open();
    run(transport, 0, 44_000);
    transport.onBytes(encodeMaskedFrame(OPCODE.PONG, new Uint8Array(0), new Uint8Array([1, 2, 3, 4])));
    run(transport, 45_000, 69_000);
    assert.equal(listener.status, undefined);
    assert.equal(wire.written, "\x89\x00");
    run(transport, 70_000, 70_000);
    assert.equal(wire.written, "\x89\x00\x89\x00");
  });

  it("is not taken to be lost while it is not read", () => {
    const { wire, transport, listener } = open();
    transport.pause();
    run(transport, 0, 300_000);
    assert.equal(wire.written, "");
    assert.equal(listener.status, undefined);
  });

  it("is not pinged with pingIntervalMs 0", () => {
    const { wire, transport } = open();
    for (let now = 0; now < 600_000; now += 1000) transport.tick(now, { pingIntervalMs: 0, pongTimeoutMs: 20_000 });
    assert.equal(wire.written, "");
  });
});

describe("a silent event stream", () => {
  it("gets a comment after pingIntervalMs without an event, and no other transport does", () => {
    let transport: HttpTransport | undefined;
    const { wire, driver } = http((exchange) => {
      transport = new HttpTransport(exchange, EVENT_STREAM, []);
    });
    driver.onBytes(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"));
    transport!.listen(new Listener());
    transport!.send({ status: undefined, fields: [], body: "a", event: undefined, length: undefined });
    const { written } = wire;
    for (let now = 0; now < 25_000; now += 1000) transport!.tick(now, HEARTBEAT);
    assert.equal(wire.written, written);
    transport!.tick(25_000, HEARTBEAT);
    assert.match(wire.written.slice(written.length), /^[0-9a-f]+\r\n:[^\n]*\n\n\r\n$/);
  });
});
