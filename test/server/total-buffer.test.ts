// `maxTotalBufferedBytes`: many clients that never read, and some that do, on a Unix socket: there the system takes little
// for a client that does not read.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, ChannelError, type CloseStatus, withChannel } from "../../src/index.ts";
import type { EngineServer } from "../../src/server/engine-server.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, serving, socketPath } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";
import { upgradeRequest } from "../support/ws-client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const MESSAGE_BYTES = 64 * KIB;
const STUCK = 200;
const READERS = 4;

const REQUESTS = {
  websocket: (path: string) => upgradeRequest(path),
  sse: (path: string) => request(`GET ${path} HTTP/1.1\r\nAccept: text/event-stream`),
};

/** Its number, and 64 KiB in all. */
function message(round: number): Uint8Array {
  const bytes = Buffer.alloc(MESSAGE_BYTES, ".");
  bytes.write(`#${round}#`);
  return bytes;
}

describe("maxTotalBufferedBytes", () => {
  it("bounds the memory of 400 clients that never read, and others get everything in order", async (t) => {
    const channels: { path: string; channel: Channel; status: CloseStatus | undefined }[] = [];
    const site = await serving(
      t,
      (r) => {
        const entry = {
          path: r.path,
          channel: undefined as unknown as Channel,
          status: undefined as CloseStatus | undefined,
        };
        return withChannel(r, (channel) => {
          entry.channel = channel;
          channels.push(entry);
          channel.onClose((status) => {
            entry.status = status;
          });
          channel.send("hello");
        });
      },
      {
        path: socketPath(t),
        maxBufferedBytes: 8 * MIB,
        maxTotalBufferedBytes: 32 * MIB,
        closeTimeoutMs: 500,
        pingIntervalMs: 0,
      },
    );
    const readers: { kind: "websocket" | "sse"; client: RawClient }[] = [];
    for (const kind of ["websocket", "sse"] as const) {
      for (let i = 0; i < STUCK + READERS; i++) {
        const isStuck = i >= READERS;
        const client = await site.connect();
        client.write(REQUESTS[kind](isStuck ? "/stuck" : "/reads"));
        if (isStuck) client.pause();
        else readers.push({ kind, client });
      }
    }
    await until(() => channels.length === 2 * (STUCK + READERS), "all are there");
    const before = process.memoryUsage().rss;
    let most = 0;
    for (let round = 0; round < 60; round++) {
      for (const { path, channel } of channels) {
        const taken = channel.send(message(round));
        if (path === "/reads") assert.equal(taken, true, `round ${round}`);
      }
      most = Math.max(most, process.memoryUsage().rss - before);
      await turn();
      await until(
        () => channels.every(({ path, channel }) => path !== "/reads" || channel.bufferedAmount === 0),
        "read",
      );
    }
    // Without the limit it would be 1.5 GiB.
    assert.ok(most < 400 * MIB, `${Math.round(most / MIB)} MiB`);
    for (const { kind, client } of readers) {
      const pad = kind === "sse" ? 8 : 10;
      await client.until(() => client.peek().length >= 60 * (MESSAGE_BYTES + pad), "all rounds");
      const numbers = [
        ...client
          .peek()
          .toString("latin1")
          .matchAll(/#(\d+)#/g),
      ].map(([, number]) => Number(number));
      assert.deepEqual(
        numbers,
        Array.from({ length: 60 }, (_, round) => round),
      );
    }
    for (const { error, source } of site.takeReports()) {
      assert.ok(error instanceof ChannelError && error.code === "BUFFER_OVERFLOW" && source === "send");
      assert.match(error.message, /maxTotalBufferedBytes/);
    }
    // A few may have less than their share of it. What they are sent now is more than maxBufferedBytes.
    await until(() => {
      const open = channels.filter(({ path, status }) => path === "/stuck" && status === undefined);
      for (const { channel } of open) channel.send(message(60));
      return open.length === 0;
    }, "the stuck are closed");
    for (const { path, status } of channels) {
      if (path === "/reads") assert.equal(status, undefined);
      else assert.deepEqual([status?.by, status?.code], ["server", 1013]);
    }
    assert.ok(site.takeReports().every(({ error }) => (error as ChannelError).code === "BUFFER_OVERFLOW"));
  });

  it("answers 503 in place of a large answer while it is exceeded, and goes on with small ones", async (t) => {
    const site = await serving(t, ({ path }) => (path === "/small" ? "ok" : "x".repeat(MIB)), {
      maxTotalBufferedBytes: 2 * MIB,
    });
    const { buffered } = (site.server as EngineServer).exchanges;
    const get = (path: string) => site.request(`GET ${path} HTTP/1.1`);
    assert.equal((await get("/large")).status, 200);
    for (let i = 0; i < 8; i++) buffered.change(0, MIB / 4 + 1);
    assert.equal(buffered.isExceeded, true);
    const refused = await get("/large");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, ["1"]]);
    assert.equal((await get("/small")).status, 200);
    for (let i = 0; i < 8; i++) buffered.change(MIB / 4 + 1, 0);
    assert.equal((await get("/large")).status, 200);
  });
});
