// Nothing that a client can repeat costs more than linear work: each row does its work for n and for 4 n, and compares the
// CPU time. Linear work takes 4 times as long, quadratic work 16 times. The limit is 9, and the best of five tries counts,
// since other programs share the machine.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concat, latin1Bytes } from "../src/base/bytes.ts";
import { Queue } from "../src/base/queue.ts";
import { Inbox } from "../src/channel/inbox.ts";
import { ChunkedBodyDecoder } from "../src/codec/http1-body.ts";
import { RequestDecoder } from "../src/codec/http1-request.ts";
import { EventDecoder } from "../src/codec/sse.ts";
import { parseExtensions } from "../src/codec/ws-extensions.ts";
import { encodeMaskedFrame, OPCODE } from "../src/codec/ws-frame.ts";
import { readHandshake } from "../src/codec/ws-handshake.ts";
import { MessageDecoder } from "../src/codec/ws-message.ts";
import { Session } from "../src/protocol/session.ts";
import { BufferBudget } from "../src/transport/io/buffer-budget.ts";

const TRIES = 5;
const MOST = 9;
/** Less CPU time than this says nothing: n is then made larger. */
const LEAST_US = 2000;

const CLIENT_FRAMES = { masked: true, allowRsv1: false };
const LIMITS = {
  maxHeaderBytes: 1 << 26,
  maxHeaderCount: 1 << 22,
  maxTargetBytes: 1 << 26,
};

/** Prepares work of size n and returns it; only the returned function is measured. */
type Row = (n: number) => () => void;

function cpuUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** The decoder gets the bytes one by one, and is asked after each. */
function byteByByte(decoder: { push(bytes: Uint8Array): void; next(): unknown }, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    decoder.push(bytes.slice(i, i + 1));
    decoder.next();
  }
}

function handshake(name: string, value: string): Parameters<typeof readHandshake>[0] {
  const fields = ["Host", "x", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13"];
  fields.push("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  const own = fields.indexOf(name);
  if (own === -1) fields.push(name, value);
  else fields[own + 1] = value;
  return { kind: "upgrade", method: "GET", fields, minor: 1, hasBody: false };
}

function refused(work: () => unknown): void {
  try {
    work();
  } catch {}
}

const ROWS: Record<string, Row> = {
  "a request's head in single bytes": (n) => {
    const bytes = latin1Bytes(`GET / HTTP/1.1\r\nHost: x\r\n${"X-A: b\r\n".repeat(n / 8)}\r\n`);
    return () => byteByByte(new RequestDecoder(LIMITS), bytes);
  },
  "pipelined bytes of which nobody asks": (n) => {
    const decoder = new RequestDecoder(LIMITS);
    const one = latin1Bytes("x");
    return () => {
      for (let i = 0; i < n; i++) decoder.push(one);
    };
  },
  "a chunked body in single bytes": (n) => {
    const bytes = latin1Bytes("1\r\nx\r\n".repeat(n / 6));
    return () =>
      byteByByte(new ChunkedBodyDecoder({ maxBodyBytes: 1 << 30, maxTrailerBytes: 1024, maxTrailerCount: 8 }), bytes);
  },
  "a WebSocket message in single bytes": (n) => {
    const bytes = encodeMaskedFrame(OPCODE.TEXT, latin1Bytes("x".repeat(n)), new Uint8Array(4));
    return () => byteByByte(new MessageDecoder({ maxMessageBytes: 1 << 30, maxFragments: 1024 }, CLIENT_FRAMES), bytes);
  },
  "a WebSocket message in fragments": (n) => {
    const frames = Array.from({ length: n / 64 }, (_, i) =>
      encodeMaskedFrame(i === 0 ? OPCODE.BINARY : OPCODE.CONTINUATION, new Uint8Array(64), new Uint8Array(4), 0),
    );
    const bytes = concat(frames);
    return () => {
      const decoder = new MessageDecoder({ maxMessageBytes: 1 << 30, maxFragments: 1024 }, CLIENT_FRAMES);
      decoder.push(bytes);
      while (decoder.next() !== undefined);
    };
  },
  "events of empty lines": (n) => {
    const bytes = latin1Bytes("data:\n".repeat(n));
    return () => {
      const decoder = new EventDecoder({ maxEventBytes: 1 << 30 });
      decoder.push(bytes);
      decoder.next();
    };
  },
  "an event's line in single bytes": (n) => {
    const bytes = latin1Bytes(`data:${"x".repeat(n)}`);
    return () => byteByByte(new EventDecoder({ maxEventBytes: 1 << 30 }), bytes);
  },
  "many small events at once": (n) => {
    const bytes = latin1Bytes("data\n\n".repeat(n));
    return () => {
      const decoder = new EventDecoder();
      decoder.push(bytes);
      while (decoder.next() !== undefined);
    };
  },
  "a queue that is filled and emptied": (n) => () => {
    const queue = new Queue<number>();
    for (let i = 0; i < n; i++) queue.push(i);
    while (queue.shift() !== undefined);
  },
  "messages that wait for setup": (n) => () => {
    const receiver = { receive: () => undefined };
    const buffered = new BufferBudget(Number.POSITIVE_INFINITY);
    const inbox = new Inbox(receiver, { pause() {}, resume() {} }, buffered, { inboxEnded() {}, answer() {} });
    for (let i = 0; i < n; i++) inbox.accept("x");
    inbox.release();
  },
  "what a session keeps, acknowledged one by one": (n) => () => {
    const session = new Session();
    for (let i = 0; i < n; i++) session.send({ type: "message", data: "x" });
    for (let i = 1; i <= n; i++) session.acknowledge(i);
  },
};

for (const name of [
  "Upgrade",
  "Connection",
  "Sec-WebSocket-Protocol",
  "Sec-WebSocket-Key",
  "Sec-WebSocket-Extensions",
]) {
  ROWS[`a handshake's ${name} with inner white space`] = (n) => {
    const head = handshake(name, `a${" ".repeat(n)}b`);
    return () => refused(() => readHandshake(head));
  };
  ROWS[`a handshake's ${name} of empty elements`] = (n) => {
    const head = handshake(name, `${", ".repeat(n)}a`);
    return () => refused(() => readHandshake(head));
  };
}
ROWS["extensions with white space and quotes"] = (n) => {
  const text = `a; b="${"\\\\x".repeat(n / 4)}" ${" ".repeat(n)};`;
  return () => refused(() => parseExtensions(text));
};

describe("four times as much from a client costs about four times as much, not sixteen times:", () => {
  for (const [what, row] of Object.entries(ROWS)) {
    it(what, () => {
      let n = 1 << 12;
      while (n < 1 << 20 && cpuUs(row(n)) < LEAST_US) n *= 2;
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < TRIES && least > MOST; i++) {
        const once = Math.max(cpuUs(row(n)), 1);
        least = Math.min(least, cpuUs(row(4 * n)) / once);
      }
      assert.ok(least <= MOST, `4 n cost ${least.toFixed(1)} times what n = ${n} did`);
    });
  }
});
