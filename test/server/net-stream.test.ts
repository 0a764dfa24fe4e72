// A ByteStream over real sockets, with a peer that reads when the test says so, and ticks in virtual time.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { Piece } from "../../src/base/bytes.ts";
import { runtime } from "../../src/base/runtime.ts";
import { toSocketHandlers } from "../../src/server/bun/listener.ts";
import { bunApi } from "../../src/server/bun/sockets.ts";
import { BunStream } from "../../src/server/bun/stream.ts";
import type { EngineStream, StreamOwner } from "../../src/server/engine-stream.ts";
import { NetStream } from "../../src/server/net-stream.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";
import { seeded } from "../support/random.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate } from "../support/serving.ts";
import { deferred, settled, until, within } from "../support/wait.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const WRITE_TIMEOUT_MS = 5000;
/** More than the system takes for a peer that does not read: receive buffers of Linux grow to 32 MiB (tcp_rmem). */
const MUCH = 48 * MIB;

interface Pair {
  readonly stream: EngineStream;
  readonly peer: Socket;
  readonly buffered: BufferBudget;
  /** The calls of the stream's listener, in order. */
  readonly told: string[];
}

/** Listens, and gives each accepted connection as a stream. */
type Listen = (t: TestContext, owner: StreamOwner, onStream: (stream: EngineStream) => void) => Promise<number>;

const listenOnNet: Listen = async (t, owner, onStream) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    onStream(new NetStream(socket, owner));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
};

const listenOnTls: Listen = async (t, owner, onStream) => {
  const server = createTlsServer({ ...certificate(), allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy());
    onStream(new NetStream(socket, owner));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
};

const listenOnBun: Listen = async (t, owner, onStream) => {
  const listening = bunApi().listen<BunStream>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: toSocketHandlers(
      (socket) => onStream(new BunStream(socket, owner)),
      (error) => assert.fail(error),
    ),
  });
  t.after(() => listening.stop());
  return listening.port;
};

/** The streams that this runtime has. */
const STREAMS: Readonly<Record<string, Listen>> =
  runtime === "bun" ? { NetStream: listenOnNet, BunStream: listenOnBun } : { NetStream: listenOnNet };

async function pairOver(
  listen: Listen,
  t: TestContext,
  buffered: BufferBudget,
  connectTo: (port: number) => Socket = (port) => connect(port, "127.0.0.1"),
): Promise<Pair> {
  const told: string[] = [];
  const accepted = deferred<EngineStream>();
  const owner: StreamOwner = {
    ...{ buffered, writeTimeoutMs: WRITE_TIMEOUT_MS },
    tickListener: () => false,
    streamClosed: () => told.push("streamClosed"),
  };
  const port = await listen(t, owner, (made) => {
    made.listener = {
      onBytes: (bytes) => told.push(`bytes ${bytes.length}`),
      onEof: () => told.push("eof"),
      onDrain: () => told.push("drain"),
      onClosed: (error) => told.push(`closed ${(error as { code?: string } | undefined)?.code ?? ""}`.trim()),
    };
    accepted.resolve(made);
  });
  const peer = connectTo(port);
  peer.pause();
  peer.on("error", () => {});
  t.after(() => peer.destroy());
  const stream = await within(accepted.promise, () => "the connection");
  t.after(() => stream.destroy());
  return { stream, peer, buffered, told };
}

/** Everything that `peer` gets until it has `size` bytes. */
async function readAll(peer: Socket, size: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let got = 0;
  peer.on("data", (bytes) => {
    parts.push(bytes);
    got += bytes.length;
  });
  peer.resume();
  await until(() => got >= size, `${size} bytes have come`);
  return Buffer.concat(parts);
}

/** Lets `peer` read some bytes and no more. */
async function readSome(peer: Socket, size: number): Promise<void> {
  let got = 0;
  // Paused here: on a busy machine much more would come before `until` looks again.
  const onData = (bytes: Buffer): void => {
    got += bytes.length;
    if (got >= size) peer.pause();
  };
  peer.on("data", onData);
  peer.resume();
  await until(() => got >= size, `${size} bytes have come`);
  peer.off("data", onData);
}

/** Bytes whose place can be told, as text of one byte per character or as bytes. */
function block(size: number, seed: number, asText: boolean): Piece {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >>> 8) * 13 + seed) & 0xff;
  return asText ? bytes.toString("latin1") : bytes;
}

describe("the bytes of a NetStream", () => {
  /** A stream whose socket the test has, too. */
  async function accepted(
    t: TestContext,
    keepAliveMs?: number,
  ): Promise<{ stream: NetStream; socket: Socket; peer: Socket }> {
    const owner: StreamOwner = {
      ...{ buffered: new BufferBudget(MIB), writeTimeoutMs: WRITE_TIMEOUT_MS },
      ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
      tickListener: () => false,
      streamClosed: () => {},
    };
    const made = deferred<{ stream: NetStream; socket: Socket }>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const stream = new NetStream(socket, owner);
      stream.listener = { onBytes: () => {}, onEof: () => {}, onDrain: () => {}, onClosed: () => {} };
      made.resolve({ stream, socket });
    });
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const peer = connect((server.address() as { port: number }).port, "127.0.0.1");
    t.after(() => peer.destroy());
    const one = await within(made.promise, () => "the connection");
    t.after(() => one.stream.destroy());
    return { ...one, peer };
  }

  for (let seed = 1; seed <= 20; seed++) {
    it(`come whole and in order, however often it is paused within and between them (seed ${seed})`, async (t) => {
      const { stream, socket, peer } = await accepted(t);
      const { randomInt } = seeded(seed);
      const random = (): number => randomInt(1000) / 1000;
      const total = 400_000;
      const parts: Uint8Array[] = [];
      let got = 0;
      let hasEnded = false;
      let isPaused = false;
      stream.listener.onBytes = (bytes) => {
        assert.equal(isPaused, false, "nothing comes while it is paused");
        parts.push(Buffer.from(bytes));
        got += bytes.length;
        if (random() < 0.5) return;
        isPaused = true;
        stream.pause();
        const goOn = (): void => {
          isPaused = false;
          stream.resume();
        };
        if (random() < 0.3) goOn();
        else if (random() < 0.5) setImmediate(goOn);
        else setTimeout(goOn, 2);
      };
      stream.listener.onEof = () => (hasEnded = true);
      // Somebody else listens for a while.
      const others: Buffer[] = [];
      const other = (bytes: Buffer): void => void others.push(bytes);
      const sent = Buffer.alloc(total);
      for (let i = 0; i < total; i++) sent[i] = (i * 7 + (i >>> 8) * 13 + seed) & 0xff;
      for (let at = 0; at < total; ) {
        const size = 1 + Math.floor(random() * 20_000);
        peer.write(sent.subarray(at, at + size));
        at += size;
        if (random() < 0.3) await new Promise(setImmediate);
        if (random() < 0.1) socket.on("data", other);
        else if (random() < 0.2) socket.off("data", other);
      }
      peer.end();
      await until(() => hasEnded, "its end");
      assert.equal(got, total);
      assert.ok(Buffer.concat(parts).equals(sent));
    });
  }

  it("come to others that listen to its socket, too", async (t) => {
    const { stream, socket, peer } = await accepted(t);
    let own = "";
    let other = "";
    stream.listener.onBytes = (bytes) => (own += Buffer.from(bytes).toString());
    peer.write("one ");
    await until(() => own === "one ", "the first part");
    socket.on("data", (bytes: Buffer) => (other += bytes.toString()));
    peer.write("two ");
    await until(() => own === "one two ", "the second part");
    assert.equal(other, "two ");
  });

  it("go to the next owner of its socket, when it was released", async (t) => {
    const { stream, peer } = await accepted(t);
    let own = "";
    stream.listener.onBytes = (bytes) => (own += Buffer.from(bytes).toString());
    peer.write("one");
    await until(() => own === "one", "the first part");
    const socket = stream.release(Buffer.from("rest "));
    let next = "";
    socket.on("data", (bytes: Buffer) => (next += bytes.toString()));
    socket.resume();
    peer.write("two");
    await until(() => next === "rest two", "the rest");
    assert.equal(own, "one");
  });

  it("are missed by TCP itself, which probes a silent peer from the first tick on", {
    skip: process.platform !== "linux" && "only Linux shows the timers of sockets",
  }, async (t) => {
    const { stream, socket } = await accepted(t, 30_000);
    // proc_pid_net(5), /proc/net/tcp: the addresses in hexadecimal, and the timer: 00 none, 02 keep-alive.
    const timer = async (): Promise<string | undefined> => {
      const hex = (port: number | undefined): string => (port ?? 0).toString(16).toUpperCase().padStart(4, "0");
      const [own, other] = [`0100007F:${hex(socket.localPort)}`, `0100007F:${hex(socket.remotePort)}`];
      const row = (await readFile("/proc/self/net/tcp", "latin1"))
        .split("\n")
        .find((line) => line.includes(`${own} ${other} `));
      return row?.trim().split(/\s+/)[5]?.slice(0, 2);
    };
    assert.equal(await timer(), "00");
    stream.tick(0);
    assert.equal(await timer(), "02");
    let calls = 0;
    socket.setKeepAlive = () => {
      calls += 1;
      return socket;
    };
    stream.tick(500);
    assert.equal(calls, 0, "it was asked once");
  });
});

describe("NetStream over TLS", { skip: noCertificate }, () => {
  it("stays while it is not read, and has lost nothing when it is read again", async (t) => {
    const connectTo = (port: number): Socket =>
      connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: certificate().cert });
    const { stream, peer, told } = await pairOver(listenOnTls, t, new BufferBudget(MIB), connectTo);
    peer.write("hello");
    await until(() => told.includes("bytes 5"), "it has come");
    stream.pause();
    for (let now = 0; now < 10 * WRITE_TIMEOUT_MS; now += WRITE_TIMEOUT_MS / 2) {
      stream.tick(now);
      await settled(() => told.length);
    }
    stream.write("while paused");
    assert.equal((await readAll(peer, 12)).toString(), "while paused");
    stream.resume();
    peer.write("bye");
    await until(() => told.includes("bytes 3"), "it is read again");
    assert.deepEqual(told, ["bytes 5", "drain", "bytes 3"]);
  });
});

for (const [name, listen] of Object.entries(STREAMS)) {
  const isNet = name === "NetStream";
  const pair = (t: TestContext, buffered = new BufferBudget(MIB)): Promise<Pair> => pairOver(listen, t, buffered);
  describe(name, () => {
    it("delivers in order what is larger than a slice, whatever it is made of", async (t) => {
      const { stream, peer, told } = await pair(t);
      const sizes = [1, 10, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 196_608, 3, 700_000, 1, 1, 40_000];
      const pieces = sizes.flatMap((size, i) => [block(size, i, true), block(size, i + 100, false)]);
      const expected = Buffer.concat(pieces.map((p) => (typeof p === "string" ? Buffer.from(p, "latin1") : p)));
      for (const piece of pieces) stream.write(piece);
      stream.write(pieces);
      stream.write(Buffer.alloc(MUCH));
      for (const piece of pieces) stream.write(piece);
      stream.write(pieces);
      stream.end();
      stream.write("behind the end");
      const all = await readAll(peer, 4 * expected.length + MUCH);
      assert.equal(all.length, 4 * expected.length + MUCH);
      for (const at of [0, expected.length, 2 * expected.length + MUCH, 3 * expected.length + MUCH]) {
        assert.ok(all.subarray(at, at + expected.length).equals(expected), `from ${at}`);
      }
      await until(() => told.includes("drain"), "it has drained");
      assert.equal(stream.bufferedAmount, 0);
      peer.end();
      await until(() => told.includes("streamClosed"), "the end");
      assert.deepEqual(told, ["drain", "eof", "closed", "streamClosed"]);
    });

    it("tells how much the peer has not taken: 0 for one that keeps up", {
      skip: isNet && lacks("writes that the system takes at once"),
    }, async (t) => {
      const { stream, peer, buffered } = await pair(t);
      stream.write("x");
      assert.equal(stream.bufferedAmount, 0);
      for (let i = 0; i < MUCH / MIB; i++) stream.write(Buffer.alloc(MIB));
      await settled(() => stream.bufferedAmount);
      const stuck = stream.bufferedAmount;
      assert.ok(stuck > 0 && stuck < MUCH, String(stuck));
      stream.write("12345");
      assert.equal(stream.bufferedAmount, stuck + 5);
      assert.equal(buffered.bytes, stuck + 5 + stream.pinnedBytes);
      await readAll(peer, MUCH + 6);
      await until(() => stream.bufferedAmount === 0, "all is taken");
      assert.equal(buffered.bytes, 0);
    });

    it("counts a partly sent message whole, because all of it is kept in memory", {
      skip: isNet && lacks("small buffers of the system"),
    }, async (t) => {
      const { stream, peer, buffered } = await pair(t);
      stream.write(Buffer.alloc(MUCH));
      assert.equal(buffered.bytes, MUCH);
      await readSome(peer, 8 * MIB);
      await settled(() => stream.bufferedAmount);
      assert.ok(stream.bufferedAmount > 0 && stream.bufferedAmount < MUCH - 8 * MIB, String(stream.bufferedAmount));
      assert.equal(stream.bufferedAmount + stream.pinnedBytes, MUCH);
      assert.equal(buffered.bytes, MUCH);
      // Later output does not keep it longer.
      stream.write(Buffer.alloc(MUCH));
      await readSome(peer, MUCH);
      await settled(() => stream.bufferedAmount);
      assert.equal(buffered.bytes, MUCH);
      peer.on("data", () => {});
      peer.resume();
      await until(() => stream.bufferedAmount === 0, "all is taken");
      assert.equal(buffered.bytes, 0);
    });

    it("counts a long text twice while the system has taken a part of it: the socket keeps the text beside its copy", {
      skip: !isNet || runtime !== "node" ? "node:net of Node" : false,
    }, async (t) => {
      const { stream, peer, buffered } = await pair(t);
      const long = "x".repeat(200_000);
      let sent = 0;
      for (; stream.bufferedAmount === 0; sent += 200_001) stream.write(["h", long]);
      assert.equal(stream.pinnedBytes, 200_000);
      assert.equal(buffered.bytes, stream.bufferedAmount + 200_000);
      const read = await readAll(peer, sent);
      await until(() => stream.bufferedAmount === 0, "all is taken");
      assert.equal(buffered.bytes, 0);
      assert.equal(read.length, sent);
      peer.removeAllListeners("data");
      peer.pause();
      while (stream.bufferedAmount === 0) stream.write(["h", Buffer.alloc(100_000)]);
      assert.equal(stream.pinnedBytes, 0);
      assert.equal(buffered.bytes, stream.bufferedAmount);
    });

    it("drops unsent bytes when it is destroyed, also from the server's sum", {
      skip: isNet && lacks("sockets that are closed without an error"),
    }, async (t) => {
      const buffered = new BufferBudget(MIB);
      const one = await pair(t, buffered);
      const other = await pair(t, buffered);
      one.stream.write(Buffer.alloc(MUCH));
      other.stream.write(Buffer.alloc(MUCH));
      assert.equal(buffered.bytes, 2 * MUCH);
      one.stream.destroy();
      await until(() => one.told.includes("streamClosed"), "it is closed");
      assert.equal(one.stream.bufferedAmount, 0);
      assert.equal(buffered.bytes, MUCH);
      assert.deepEqual(one.told, ["closed", "streamClosed"]);
      assert.equal(buffered.isShareSpent(other.stream.bufferedAmount), true);
    });

    it("drops a peer that takes nothing for writeTimeoutMs", async (t) => {
      const { stream, told } = await pair(t);
      stream.write(Buffer.alloc(MUCH));
      await settled(() => stream.bufferedAmount);
      for (let now = 0; now < WRITE_TIMEOUT_MS; now += 500) stream.tick(now);
      await settled(() => told.length);
      assert.equal(told.join(), "");
      stream.tick(WRITE_TIMEOUT_MS);
      await until(() => told.includes("streamClosed"), "it is dropped");
      assert.deepEqual(told, ["closed WRITE_TIMEOUT", "streamClosed"]);
    });

    it("drops such a peer also after end(), and while the peer still sends", async (t) => {
      const { stream, peer, told } = await pair(t);
      stream.write(Buffer.alloc(MUCH));
      stream.end();
      await settled(() => stream.bufferedAmount);
      stream.tick(0);
      for (let now = 1000; now <= 5000; now += 1000) {
        const before = told.length;
        peer.write("still here");
        await until(() => told.length > before, "it is heard");
        stream.tick(now);
      }
      await until(() => told.includes("streamClosed"), "it is dropped");
      assert.deepEqual(
        told.filter((what) => !what.startsWith("bytes")),
        ["closed WRITE_TIMEOUT", "streamClosed"],
      );
    });

    it("keeps a slow peer, after one large write and after many", {
      skip: lacks("small buffers of the system"),
    }, async (t) => {
      for (const write of [
        ({ stream }: Pair) => stream.write(Buffer.alloc(MUCH)),
        ({ stream }: Pair) => {
          for (let i = 0; i < MUCH / KIB; i++) stream.write("x".repeat(KIB));
        },
      ]) {
        const it = await pair(t);
        write(it);
        await settled(() => it.stream.bufferedAmount);
        let now = 0;
        for (let read = 0; read < 12 * MIB; read += 4 * MIB) {
          await readSome(it.peer, 4 * MIB);
          await settled(() => it.stream.bufferedAmount);
          for (let ticks = 0; ticks < 5; ticks++, now += 1000) it.stream.tick(now);
        }
        assert.equal(it.told.join(), "");
        assert.ok(it.stream.bufferedAmount > 0, "and much is left");
      }
    });

    it("keeps a peer that was fast and has become slow", async (t) => {
      const { stream, peer, told } = await pair(t);
      // Eight times in a row, all at once: the largest slices.
      for (let i = 0; i < 8; i++) {
        const read = readAll(peer, 4 * MIB);
        stream.write(Buffer.alloc(4 * MIB));
        await read;
        await until(() => stream.bufferedAmount === 0, "all is taken");
        peer.removeAllListeners("data");
      }
      peer.pause();
      stream.write(Buffer.alloc(2 * MUCH));
      await settled(() => stream.bufferedAmount);
      let now = 0;
      for (let read = 0; read < 12 * MIB; read += 6 * MIB) {
        await readSome(peer, 6 * MIB);
        await settled(() => stream.bufferedAmount);
        for (let ticks = 0; ticks < 5; ticks++, now += 1000) stream.tick(now);
      }
      assert.ok(!told.includes("streamClosed"), told.join());
      assert.ok(stream.bufferedAmount > 0, "and much is left");
    });

    it("keeps a peer that has nothing to take", {
      skip: isNet && lacks("writes that the system takes at once"),
    }, async (t) => {
      const { stream, told } = await pair(t);
      stream.write("x");
      for (let now = 0; now < 600_000; now += 1000) stream.tick(now);
      await settled(() => told.length);
      assert.equal(told.join(), "");
    });
  });
}
