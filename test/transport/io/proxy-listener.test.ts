import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChannelError } from "../../../src/base/errors.ts";
import type { ProxyProtocolHeader } from "../../../src/codec/proxy-protocol.ts";
import { ProxyListener } from "../../../src/transport/io/proxy-listener.ts";
import { bytesOf, cutEverywhere } from "../../support/cut.ts";
import { MemoryStream } from "../../support/memory-stream.ts";

const LINE = "PROXY TCP4 198.51.100.9 192.0.2.80 56324 80\r\n";

function waiting(header: "required" | "optional" = "required"): {
  stream: MemoryStream;
  listener: ProxyListener;
  told: unknown[];
} {
  const stream = new MemoryStream();
  const told: unknown[] = [];
  const listener = new ProxyListener(stream, header, {
    headerRead(header: ProxyProtocolHeader, rest) {
      told.push(typeof header === "string" ? header : header.sourceAddress, Buffer.from(rest ?? []).toString("latin1"));
    },
    headerRefused(error: ChannelError) {
      told.push(error.code);
      stream.destroy();
    },
  });
  stream.listener = listener;
  return { stream, listener, told };
}

describe("the start of a connection behind a proxy", () => {
  it("is told once, with the bytes that follow it in the same read", () => {
    for (const chunks of cutEverywhere(bytesOf(LINE))) {
      const { stream, told } = waiting();
      const last = chunks.pop()!;
      stream.arrive(...chunks);
      assert.deepEqual(told, []);
      stream.arrive(Buffer.concat([last, bytesOf("GET / HT")]));
      assert.deepEqual(told, ["198.51.100.9", "GET / HT"]);
    }
  });

  it("may have no header unless one is required", () => {
    const optional = waiting("optional");
    optional.stream.arrive("PRO", "PFIND / HTTP/1.1");
    assert.deepEqual(optional.told, ["absent", "PROPFIND / HTTP/1.1"]);
    const required = waiting();
    required.stream.arrive("PRO", "PFIND / HTTP/1.1");
    assert.deepEqual(required.told, ["BAD_REQUEST"]);
  });

  it("a PROXY header that does not arrive within headerTimeoutMs ends the connection", () => {
    const { stream, listener, told } = waiting();
    listener.tick(1_000_000, 10_000);
    stream.arrive("PROXY ");
    listener.tick(1_009_999, 10_000);
    assert.ok(!stream.isDestroyed);
    listener.tick(1_010_000, 10_000);
    assert.deepEqual([stream.isDestroyed, told], [true, []]);
  });

  it("ends with the peer's end, and with the server's", () => {
    const left = waiting();
    left.stream.arrive("PROXY ");
    left.stream.eof();
    assert.deepEqual([left.stream.isDestroyed, left.told], [true, []]);
    const stopped = waiting("optional");
    stopped.listener.closeSoon();
    assert.deepEqual([stopped.stream.isDestroyed, stopped.told], [true, []]);
  });
});
