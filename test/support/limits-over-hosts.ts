// The limits of a host's WebSockets, from both sides, against a server that is a host's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import type { HostOptions } from "../../src/fetch-host.ts";
import { type Channel, ChannelError, type CloseStatus, openChannel, type ServeOptions } from "../../src/index.ts";
import type { Serving } from "./serving.ts";
import { deferred, settled, turn, until } from "./wait.ts";
import { frame, WsClient } from "./ws-client.ts";

const KIB = 1024;

interface Differences {
  readonly skip?: string | false;
  /** The host can stop reading. */
  readonly holdsBack: boolean;
  /** The host sends fragments, so that a message in parts is not joined. */
  readonly fragments: boolean;
  /** The host sends the pings that it is told to send, and tells of those that come. */
  readonly pings: boolean;
  /** The host can drop a WebSocket whose client does not read. */
  readonly drops: boolean;
}

export function limitsOver(
  host: string,
  carrier: Serving,
  { skip = false, holdsBack, fragments, pings, drops }: Differences,
): void {
  describe(`the limits of a WebSocket over ${host}`, { skip }, () => {
    for (const [bytes, code] of [
      [100, undefined],
      [101, 1009],
    ] as const) {
      it(`${code === undefined ? "take" : "refuse"} a message of ${bytes} bytes where the channel's maxMessageBytes is 100`, async (t) => {
        const status = deferred<CloseStatus>();
        const got: unknown[] = [];
        const handlers = { message: (message: unknown) => void got.push(message), close: status.resolve };
        const site = await carrier(t, (request) => openChannel(request, handlers, { maxMessageBytes: 100 }));
        const client = await WsClient.open(t, site.target);
        client.send("x".repeat(bytes));
        if (code === undefined) await until(() => got.length === 1, "it has come");
        else assert.deepEqual([(await status.promise).by, (await status.promise).code, got], ["server", code, []]);
      });
    }

    it("refuse a message over the server's maxMessageBytes with 1009, in the host's own protocol", async (t) => {
      const status = deferred<CloseStatus>();
      const site = await carrier(t, (request) => openChannel(request, { close: status.resolve }), {
        maxMessageBytes: 100,
      });
      const client = await WsClient.open(t, site.target);
      client.send("x".repeat(101));
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code, reason], ["server", 1009, "message exceeds maxMessageBytes"]);
    });

    it("are not what ends a client that sends a ping of 126 bytes", async (t) => {
      const status = deferred<CloseStatus>();
      const site = await carrier(t, (request) => openChannel(request, { close: status.resolve }));
      const client = await WsClient.open(t, site.target);
      client.raw.write(frame(OPCODE.PING, "x".repeat(126)));
      // Bun says what was wrong, the others only that it is over.
      assert.ok([1002, 1006].includes((await status.promise).code));
    });

    it("deliver what waits for a slow receiver within maxUnreadBytes", async (t) => {
      const gate = deferred();
      let got = 0;
      const handlers = {
        async message() {
          await gate.promise;
          got += 1;
        },
      };
      const options = { maxUnreadBytes: 512 * KIB } as HostOptions as ServeOptions;
      const site = await carrier(t, (request) => openChannel(request, handlers), options);
      const client = await WsClient.open(t, site.target);
      for (let i = 0; i < 400; i++) client.send("x".repeat(KIB));
      await settled(() => got);
      gate.resolve();
      await until(() => got === 400, "all have come");
    });

    it("close a client with 1013 that sends more than that", { skip: holdsBack && "it is made to wait" }, async (t) => {
      const gate = deferred();
      const status = deferred<CloseStatus>();
      const handlers = { message: () => gate.promise, close: status.resolve };
      const options = { maxUnreadBytes: 256 * KIB } as HostOptions as ServeOptions;
      const site = await carrier(t, (request) => openChannel(request, handlers), options);
      const client = await WsClient.open(t, site.target);
      for (let i = 0; i < 600; i++) client.send("x".repeat(KIB));
      const isOver = (): boolean => client.raw.isEnded || client.raw.isClosed;
      // Deno cuts the connection behind its close frame, which is lost then.
      await until(() => isOver() || client.raw.peek().length > 0, "the close");
      gate.resolve();
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code], ["server", 1013]);
      assert.match(reason, /maxUnreadBytes/);
      if (!isOver()) client.close(1013);
      await until(isOver, "the end of the connection");
    });

    for (const [parts, fits] of [
      [4, true],
      [5, fragments],
    ] as const) {
      const name = `${fits ? "send" : "refuse"} a message of ${parts} parts of 64 KiB where maxBufferedBytes is 256 KiB`;
      it(fits ? name : `${name}: the host takes whole messages only`, async (t) => {
        const status = deferred<CloseStatus>();
        const site = await carrier(
          t,
          (request) =>
            openChannel(request, { close: status.resolve, open: (channel) => void channel.send(inParts(parts)) }),
          { maxBufferedBytes: 256 * KIB },
        );
        const client = await WsClient.open(t, site.target);
        if (fits) {
          assert.equal(await client.message(), "x".repeat(parts * 64 * KIB));
          client.close(1000);
        } else {
          const { code } = await client.closed();
          client.close(code);
          assert.match(site.takeMessages().join(), /^send: .*sends no fragments.*up to maxBufferedBytes/);
          assert.equal((await status.promise).code, 1011);
        }
        await status.promise;
        await until(() => site.server.stats().bufferedBytes === 0, "nothing of it is kept");
      });
    }

    it("end a WebSocket whose client answers no ping, and leave one that does", async (t) => {
      const statuses = new Map<string, CloseStatus>();
      const site = await carrier(
        t,
        (request) => openChannel(request, { close: (status) => void statuses.set(request.path, status) }),
        // Deno counts in seconds.
        { pingIntervalMs: pings ? 100 : 1000, pongTimeoutMs: pings ? 500 : 1000 },
      );
      const silent = await WsClient.open(t, site.target, { path: "/silent" });
      const alive = await WsClient.open(t, site.target, { path: "/alive" });
      const answering = answerPings(alive);
      assert.equal((await silent.frame()).opcode, OPCODE.PING);
      await until(() => statuses.has("/silent"), "the silent one is given up");
      const { by, code } = statuses.get("/silent")!;
      assert.deepEqual([by, code], ["network", 1006]);
      await silent.raw.until(() => silent.raw.isEnded, "the end of the silent one");
      await until(() => answering.count >= 3, "the other one has been asked three times");
      assert.equal(statuses.has("/alive"), false);
    });

    const noControls = !pings && "the host answers pings by itself, and does not tell of them";
    it("take as many pings in a second as maxControlFramesPerSecond says", { skip: noControls }, async (t) => {
      let got = 0;
      const handlers = { ping: () => void (got += 1) };
      const options = { maxControlFramesPerSecond: 50 };
      const site = await carrier(t, (request) => openChannel(request, handlers), options);
      const client = await WsClient.open(t, site.target);
      client.raw.write(Buffer.concat(Array.from({ length: 50 }, () => frame(OPCODE.PING))));
      for (let i = 0; i < 50; i++) assert.equal(await client.pong(), "");
      await until(() => got === 50, "all were told of");
      assert.equal(site.server.stats().channels.websocket, 1);
    });

    it("close a client with 1008 that sends more of them", { skip: noControls }, async (t) => {
      const status = deferred<CloseStatus>();
      const options = { maxControlFramesPerSecond: 50 };
      const site = await carrier(t, (request) => openChannel(request, { close: status.resolve }), options);
      const client = await WsClient.open(t, site.target);
      // More than twice as many: a second may end between them.
      client.raw.write(Buffer.concat(Array.from({ length: 110 }, () => frame(OPCODE.PING))));
      const { by, code } = await status.promise;
      assert.deepEqual([by, code], ["server", 1008]);
      let closing = await client.frame();
      while (closing.opcode === OPCODE.PONG) closing = await client.frame();
      assert.deepEqual([closing.opcode, closing.payload.readUInt16BE()], [OPCODE.CLOSE, 1008]);
    });

    it("give a WebSocket up whose client takes nothing for writeTimeoutMs", async (t) => {
      const status = deferred<CloseStatus>();
      const options = { writeTimeoutMs: 500, maxBufferedBytes: 1 << 30, pingIntervalMs: 0 };
      let channel: Channel | undefined;
      const site = await carrier(t, (request) => (channel = openChannel(request, { close: status.resolve })), options);
      const client = await WsClient.open(t, site.target);
      client.raw.pause();
      await until(() => channel !== undefined, "the channel is there");
      await fillUp(channel!);
      assert.ok(site.server.stats().bufferedBytes > 0);
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code, reason], ["network", 1006, new ChannelError("WRITE_TIMEOUT").message]);
      assert.equal(site.server.stats().bufferedBytes, 0);
      if (drops) await until(() => site.server.stats().connections === 0, "its connection is dropped");
      client.raw.resume();
      if (!drops) {
        let last = await client.frame();
        while (last.opcode !== OPCODE.CLOSE) last = await client.frame();
        client.close(1011);
      }
      await client.raw.until(() => client.raw.isEnded, "the end of the connection");
    });

    it("leave a WebSocket whose client reads slowly", async (t) => {
      const status = deferred<CloseStatus>();
      const options = { writeTimeoutMs: 2000, maxBufferedBytes: 1 << 30, pingIntervalMs: 0 };
      let channel: Channel | undefined;
      const site = await carrier(t, (request) => (channel = openChannel(request, { close: status.resolve })), options);
      const client = await WsClient.open(t, site.target);
      client.raw.pause();
      await until(() => channel !== undefined, "the channel is there");
      await fillUp(channel!);
      // Longer than writeTimeoutMs, in which it always takes a little.
      const end = Date.now() + 3000;
      while (Date.now() < end) {
        const before = client.raw.peek().length;
        client.raw.resume();
        await client.raw.until(() => client.raw.peek().length > before || client.raw.isEnded, "some bytes");
        client.raw.pause();
        channel!.send("x".repeat(256 * KIB));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const ended = await Promise.race([status.promise, undefined]);
      assert.deepEqual(ended, undefined);
      assert.equal(channel!.isOpen, true);
    });
  });
}

async function* inParts(count: number): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) yield "x".repeat(64 * KIB);
}

/** Answers all pings from now on. */
function answerPings(client: WsClient): { readonly count: number } {
  const answering = { count: 0 };
  const answer = async (): Promise<void> => {
    for (;;) {
      const { opcode, payload } = await client.frame();
      if (opcode !== OPCODE.PING) continue;
      client.raw.write(frame(OPCODE.PONG, payload));
      answering.count += 1;
    }
  };
  // Until the connection ends.
  answer().catch(() => {});
  return answering;
}

/** Sends until the system takes no more. */
async function fillUp(channel: Channel): Promise<void> {
  while (channel.bufferedAmount < 2048 * KIB) {
    assert.equal(channel.send("x".repeat(256 * KIB)), true);
    await turn();
  }
}
