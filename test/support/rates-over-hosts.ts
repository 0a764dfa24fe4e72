// Clients that flood a server, over real connections. The rates are so low that no message is due again while a test runs, so
// that each test knows how many messages pass, however slow the machine is.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { type CloseStatus, openChannel, openSession, type ServeOptions } from "../../src/index.ts";
import type { Serving } from "./serving.ts";
import { ask, type Endpoint, opened, poll, post, SocketClient, text } from "./session-client.ts";
import { deferred, until } from "./wait.ts";
import { frame, textFrame, WsClient } from "./ws-client.ts";

/** Ten messages at once, and the next one after 100 s. */
const TEN = { maxMessagesPerSecond: 0.01, rateBurstMs: 1_000_000 } as const;
const REASON = "messages come faster than they may: maxMessagesPerSecond is 0.01";

/** Messages in one segment, from 1 to `count`. */
function flood(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => textFrame(`${i + 1}`)));
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i + 1}`);
}

interface Differences {
  readonly skip?: string | false;
  /** A client that is still sending gets the close frame. Deno cuts the connection behind it, and the frame is lost then. */
  readonly tellsSenders?: boolean;
  /** The reason why frames that come in the segment of the handshake are not delivered. RFC 6455, 4.1: a client must wait with them. */
  readonly leavesEarlyFrames?: string;
}

export function ratesOver(
  host: string,
  carrier: Serving,
  { skip = false, tellsSenders = true, leavesEarlyFrames }: Differences = {},
): void {
  /** Resolves when the client has been closed with 1008. */
  async function refused(client: WsClient): Promise<void> {
    if (tellsSenders) assert.deepEqual(await client.closed(), { code: 1008, reason: REASON });
    else await client.raw.until(() => client.raw.isEnded || client.raw.isClosed, "the end of the connection");
  }

  describe(`a client that floods, over ${host},`, { skip }, () => {
    it("is closed with 1008 and a reason, and the application gets what was within the rate", async (t) => {
      const status = deferred<CloseStatus>();
      const got: unknown[] = [];
      const handlers = { message: (message: unknown) => void got.push(message), close: status.resolve };
      const site = await carrier(t, (request) => openChannel(request, handlers, TEN));
      const client = await WsClient.open(t, site.target);
      client.raw.write(flood(20_000));
      await refused(client);
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code, reason], ["server", 1008, REASON]);
      assert.deepEqual(got, numbers(10));
      assert.deepEqual(site.server.stats().rateExceeded, { close: 1, drop: 0, wait: 0 });
    });

    it("is closed with 1008 also if its first message comes with the handshake", {
      skip: leavesEarlyFrames ?? false,
    }, async (t) => {
      const got: unknown[] = [];
      const site = await carrier(t, (request) => openChannel(request, { message: (one) => void got.push(one) }, TEN));
      const client = await WsClient.open(t, site.target, { first: flood(1000) });
      await refused(client);
      assert.deepEqual(got, numbers(10));
    });

    it("has what is too much dropped, and the application is told how many there were", async (t) => {
      const got: unknown[] = [];
      const status = deferred<CloseStatus>();
      let dropped = 0;
      const site = await carrier(t, (request) =>
        openChannel(
          request,
          {
            message: (message) => void got.push(message),
            dropped: (count) => void (dropped += count),
            close: status.resolve,
          },
          { ...TEN, onRateExceeded: "drop" },
        ),
      );
      const client = await WsClient.open(t, site.target);
      client.raw.write(flood(20_000));
      client.close(1000);
      assert.equal((await status.promise).code, 1000);
      assert.deepEqual([got, dropped], [numbers(10), 19_990]);
      assert.equal(site.server.stats().rateExceeded.drop, 19_990);
    });

    it("is made to wait, and loses nothing", async (t) => {
      const got: unknown[] = [];
      const site = await carrier(t, (request) =>
        openChannel(
          request,
          { message: (message) => void got.push(message) },
          { maxMessagesPerSecond: 500, rateBurstMs: 20, onRateExceeded: "wait" },
        ),
      );
      const client = await WsClient.open(t, site.target);
      client.raw.write(flood(1000));
      await until(() => got.length === 1000, "all have come");
      assert.deepEqual(got, numbers(1000));
      assert.ok(site.server.stats().rateExceeded.wait > 0);
      assert.equal(site.server.stats().channels.websocket, 1);
    });

    it("with messages of many tiny fragments, is closed all the same", async (t) => {
      const got: unknown[] = [];
      const site = await carrier(t, (request) => openChannel(request, { message: (one) => void got.push(one) }, TEN));
      const client = await WsClient.open(t, site.target);
      const parts = Array.from({ length: 1000 }, (_, i) =>
        frame(i === 0 ? OPCODE.TEXT : OPCODE.CONTINUATION, "x", i === 999),
      );
      client.raw.write(Buffer.concat(Array.from({ length: 100 }, () => parts).flat()));
      await refused(client);
      assert.deepEqual(got, Array(10).fill("x".repeat(1000)));
    });

    for (const onRateExceeded of ["close", "drop", "wait"] as const) {
      it(`does not keep another client from its answers, with the policy ${onRateExceeded}`, async (t) => {
        const site = await carrier(t, (request) =>
          openChannel(
            request,
            { message: (message, channel) => void channel.send(message) },
            request.path === "/flood" ? { ...TEN, onRateExceeded } : {},
          ),
        );
        const bad = await WsClient.open(t, site.target, { path: "/flood" });
        const good = await WsClient.open(t, site.target, { path: "/good" });
        for (let i = 0; i < 50; i++) {
          if (!bad.raw.isEnded && !bad.raw.isClosed) bad.raw.write(flood(200));
          good.send(`${i}`);
          assert.equal(await good.message(), `${i}`);
        }
      });
    }

    it("on a session, by POSTs, is told that its session is closed, and no message beyond the rate is acknowledged", async (t) => {
      const got: unknown[] = [];
      const status = deferred<CloseStatus>();
      const handlers = { message: (message: unknown) => void got.push(message), close: status.resolve };
      const site = await carrier(t, (request) => openSession(request, handlers, TEN));
      const endpoint: Endpoint = { ...site.target, pathname: "/" };
      const { session } = opened(await poll(t, endpoint));
      const answers = await Promise.all(
        numbers(4).map((_, i) => post(t, endpoint, session, i * 100 + 1, ...numbers(100).map(text))),
      );
      for (const { status, records } of answers) {
        // A POST whose turn has not come may find a gap before it, or the session over.
        assert.ok([200, 409].includes(status), `${status}`);
        const [ack] = records;
        assert.ok(ack?.type === "ack" && ack.received <= 10, JSON.stringify(ack));
      }
      const told = await poll(t, endpoint, { session, after: 0 });
      assert.deepEqual(told.records.at(-1), { type: "close", code: 1008, reason: REASON });
      // The close is record 1.
      await post(t, endpoint, session, 11, { type: "ack", received: 1 });
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code, reason], ["server", 1008, REASON]);
      assert.deepEqual(got, numbers(10));
      const query = { session, from: 11 };
      assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: x\n\n" })).status, 410);
    });

    it("on a session, without ever acknowledging its end, is cut off: 1008", async (t) => {
      const got: unknown[] = [];
      const status = deferred<CloseStatus>();
      const handlers = { message: (message: unknown) => void got.push(message), close: status.resolve };
      const site = await carrier(t, (request) => openSession(request, handlers, TEN));
      const client = await SocketClient.open(t, { ...site.target, pathname: "/" });
      await client.opened();
      client.send(...numbers(20).map(text));
      let record = await client.record();
      while (record.type === "ack") record = await client.record();
      assert.deepEqual(record, { type: "close", code: 1008, reason: REASON });
      const flooding = setInterval(() => client.send(...numbers(20).map(text)), 50);
      t.after(() => clearInterval(flooding));
      assert.equal((await client.closed()).code, 1008);
      clearInterval(flooding);
      assert.equal((await status.promise).code, 1008);
      assert.deepEqual(got, numbers(10));
    });

    it("with many sessions and WebSockets of one address, gets what the address may have", async (t) => {
      let got = 0;
      const handlers = { message: () => void (got += 1) };
      const limits: ServeOptions = {
        maxMessagesPerSecondPerAddress: 0.01,
        rateBurstMs: 1_000_000,
        onRateExceeded: "wait",
      };
      const site = await carrier(
        t,
        (request) => (request.path === "/session" ? openSession(request, handlers) : openChannel(request, handlers)),
        limits,
      );
      const endpoint: Endpoint = { ...site.target, pathname: "/session" };
      for (let i = 0; i < 5; i++) {
        const { session } = opened(await poll(t, endpoint));
        await ask(t, endpoint, { method: "POST", query: { session, from: 1 }, body: "data: x\n\n".repeat(4) });
        const client = await WsClient.open(t, site.target, { path: "/channel" });
        client.raw.write(flood(4));
      }
      await until(() => site.server.stats().rateExceeded.wait >= 7, "all channels behind the first ten messages wait");
      assert.equal(got, 10);
    });
  });
}
