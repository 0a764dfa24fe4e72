// Requests that are slow, endless, too many, or whose answers nobody reads.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RawClient } from "../support/raw-client.ts";
import { request } from "../support/serving.ts";
import { turn } from "../support/wait.ts";
import { besieged, type Siege } from "./siege.ts";

const MIB = 1 << 20;
/** Connections that are slow together. */
const SLOW = 200;
const CHUNKED = request("POST /body\r\nTransfer-Encoding: chunked");

/** `count` clients that send `first`, and then a byte now and then until the server has answered, or ended it. */
async function trickle(siege: Siege, count: number, first: string, byte: string): Promise<RawClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, async () => (await siege.connect()).write(first)));
  const isWaiting = (client: RawClient): boolean => client.peek().length === 0 && !client.isEnded;
  while (clients.some(isWaiting)) {
    for (const client of clients) if (isWaiting(client)) client.write(byte);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return clients;
}

async function refuses(siege: Siege, bytes: string, status: number): Promise<void> {
  const client = await siege.connect();
  client.write(bytes);
  assert.equal((await client.response()).status, status);
  await client.ended();
  client.end();
}

describe("An HTTP client that attacks", () => {
  const server = besieged();
  // closeTimeoutMs is longer than a busy machine lets a client wait: one that writes to a connection that is gone loses the
  // answer which it has not read (RFC 9112 §9.6).
  const hasty = besieged({
    server: { headerTimeoutMs: 200, requestTimeoutMs: 200, keepAliveTimeoutMs: 2000, closeTimeoutMs: 3000 },
  });

  it("600 connections that send a head or a body byte by byte, or nothing, get 408 and end", async (t) => {
    const siege = await hasty.begin(t);
    const silent = await Promise.all(Array.from({ length: SLOW }, () => siege.connect()));
    const [heads, bodies] = await Promise.all([
      trickle(siege, SLOW, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "a"),
      trickle(siege, SLOW, request("POST /body\r\nContent-Length: 1000000"), "a"),
    ]);
    for (const client of [...heads, ...bodies]) assert.equal((await client.response()).status, 408);
    for (const client of [...heads, ...bodies, ...silent]) await client.ended();
    await siege.ended("/body REQUEST_TIMEOUT", SLOW);
    // None of them ends its side: closeTimeoutMs.
    await siege.holds();
  });

  it("more header lines than allowed get 431, one or 100,000 too many", async (t) => {
    const siege = await server.begin(t);
    const lines = (count: number): string => "a: b\r\n".repeat(count);
    // Host is one of them.
    assert.equal((await whole(siege, `GET / HTTP/1.1\r\nHost: a\r\n${lines(99)}\r\n`)).status, 200);
    await refuses(siege, `GET / HTTP/1.1\r\nHost: a\r\n${lines(100)}\r\n`, 431);
    await refuses(siege, `GET / HTTP/1.1\r\nHost: a\r\n${lines(100_000)}`, 431);
    await refuses(siege, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(MIB)}`, 431);
    await refuses(siege, `GET /${"x".repeat(MIB)}`, 414);
    await siege.holds();
  });

  it("a body of a million chunks of one byte is read", async (t) => {
    const siege = await server.begin(t);
    const client = await siege.connect();
    const chunks = "1\r\na\r\n".repeat(20_000);
    client.write(CHUNKED);
    for (let times = 0; times < 50; times++) client.write(chunks);
    client.write("0\r\n\r\n");
    assert.equal((await client.response("POST")).text, "1000000");
    client.reset();
    await siege.holds();
  });

  it("endless chunk extensions get 400, endless trailers 431", async (t) => {
    const siege = await server.begin(t);
    await refuses(siege, `${CHUNKED}1;${"x".repeat(MIB)}`, 400);
    await refuses(siege, CHUNKED + "1;x=y\r\na\r\n".repeat(100_000), 400);
    await refuses(siege, `${CHUNKED}0\r\n${"a: b\r\n".repeat(100_000)}`, 431);
    await siege.holds();
  });

  it("a chunk that is too big gets 413, a length beyond any number 400", async (t) => {
    const siege = await server.begin(t);
    for (const size of ["800001", "fffffffffffff"]) await refuses(siege, `${CHUNKED}${size}\r\nx`, 413);
    for (const size of ["20000000000000", "ffffffffffffffff"]) await refuses(siege, `${CHUNKED}${size}\r\nx`, 400);
    await siege.holds();
  });

  it("a client that requests 64 MiB and never reads them costs no more than a few parts of them", async (t) => {
    const siege = await server.begin(t);
    const clients = await Promise.all(Array.from({ length: 20 }, () => siege.connect()));
    for (const client of clients) {
      client.pause();
      client.write(request("GET /big"));
    }
    await siege.when(({ stats }) => stats.requests > 0 && stats.connections >= 22, "all are asked for");
    for (let turns = 0; turns < 100; turns++) await turn();
    await siege.holdsAtMost(8);
    for (const client of clients) client.reset();
    await siege.holds();
  });

  it("a client that pipelines requests and never reads the answers is no longer read", async (t) => {
    const siege = await server.begin(t);
    const client = await siege.connect();
    client.pause();
    let sent = 0;
    const some = request("GET /whole").repeat(500);
    await client.clog(() => {
      sent += 500;
      client.write(some);
    });
    await siege.holdsAtMost(8);
    client.resume();
    for (let answers = 0; answers < Math.min(sent, 400); answers++)
      assert.equal((await client.response()).body.length, 65_536);
    client.reset();
    await siege.holds();
  });
});

async function whole(siege: Siege, bytes: string): Promise<{ status: number }> {
  const client = await siege.connect();
  client.write(bytes);
  const response = await client.response();
  client.reset();
  return response;
}
