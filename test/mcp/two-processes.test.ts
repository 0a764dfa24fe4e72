// A session of the Model Context Protocol, with its official SDK, whose process is killed in the middle of a tool: another process
// replays over a real broker what the client has missed.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { EventDecoder } from "../../src/codec/sse.ts";
import { type ChannelStore, createChannelStore } from "../../src/index.ts";
import { mcpEventStore } from "../../src/mcp.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import type { McpOrder } from "../support/mcp-child.ts";
import { mcpSdk, needsMcpSdk } from "../support/mcp-sdk.ts";
import { needs } from "../support/needs.ts";
import { spawnChild } from "../support/spawn-child.ts";

const PROTOCOL = "2025-06-18";

interface Event {
  readonly id: string;
  readonly n: number;
}

/** Reads the numbers of a response until `isEnough`, or until nothing has come for a while. */
async function numbersOf(response: Response, isEnough: (events: readonly Event[]) => boolean): Promise<Event[]> {
  const events: Event[] = [];
  const decoder = new EventDecoder();
  const reader = response.body!.getReader();
  while (!isEnough(events)) {
    const silence = new Promise<undefined>((resolve) => void setTimeout(resolve, 2000));
    const read = await Promise.race([reader.read().catch(() => undefined), silence]);
    if (read?.value === undefined) break;
    decoder.push(read.value);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.data === "") continue;
      const { params } = JSON.parse(event.data) as { readonly params?: { readonly data: number } };
      if (params !== undefined) events.push({ id: event.lastEventId, n: params.data });
    }
  }
  await reader.cancel().catch(() => {});
  return events;
}

function post(url: string, sessionId: string | undefined, message: object): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": PROTOCOL,
      ...(sessionId === undefined ? {} : { "Mcp-Session-Id": sessionId }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", ...message }),
  });
}

/** The answer of another process to a client that comes back with the id of an event. Sessions are not checked there. */
async function replay(store: ChannelStore, sessionId: string, lastEventId: string): Promise<Response> {
  const { WebStandardStreamableHTTPServerTransport } = await mcpSdk();
  const transport = new WebStandardStreamableHTTPServerTransport({ eventStore: mcpEventStore(store, sessionId) });
  return transport.handleRequest(
    new Request("http://localhost/", {
      headers: { Accept: "text/event-stream", "Last-Event-ID": lastEventId, "Mcp-Session-Id": sessionId },
    }),
  );
}

async function open(t: TestContext, broker: BrokerName, port: number): Promise<ChannelStore> {
  const opened = await BROKER_KITS[broker].open(port);
  const store = createChannelStore({ backplane: opened.backplane, history: { size: 10_000, ttlMs: 60_000 } });
  t.after(async () => {
    await store.close();
    await opened.close();
  });
  return store;
}

for (const broker of ["redis", "nats"] as const satisfies readonly BrokerName[]) {
  const skip = needsMcpSdk() || needs(`${broker}-server`);
  describe(`the events of a session whose process is killed (${broker})`, { skip }, () => {
    it("are replayed by another process, in order and each once, from any of them on", async (t) => {
      const started = await BROKER_KITS[broker].start();
      t.after(() => started.stop());
      const sessionId = randomUUID();
      const order: McpOrder = { broker, port: started.port, sessionId };
      const child = await spawnChild("mcp-child.ts", order);
      t.after(() => child.kill());
      const url = child.said;
      const clientInfo = { name: "client", version: "1" };
      const params = { protocolVersion: PROTOCOL, capabilities: {}, clientInfo };
      const first = await post(url, undefined, { id: 1, method: "initialize", params });
      assert.equal(first.headers.get("mcp-session-id"), sessionId);
      await first.text();
      await (await post(url, sessionId, { method: "notifications/initialized" })).text();
      const counting = await post(url, sessionId, { id: 2, method: "tools/call", params: { name: "count" } });
      const seen = await numbersOf(counting, (events) => events.length >= 100);
      const store = await open(t, broker, started.port);
      // While the tool still counts, in its own process.
      const early = await numbersOf(await replay(store, sessionId, seen[9]!.id), (events) => events.length >= 50);
      assert.deepEqual(
        early.slice(0, 50).map(({ n }) => n),
        Array.from({ length: 50 }, (_, i) => 11 + i),
      );
      await child.kill();
      const last = seen.at(-1)!;
      const missed = await numbersOf(await replay(store, sessionId, last.id), () => false);
      assert.deepEqual(
        missed.map(({ n }) => n),
        Array.from({ length: missed.length }, (_, i) => last.n + 1 + i),
      );
      assert.ok(missed.length > 0, "the tool went on without its client");
      const all = await numbersOf(await replay(store, sessionId, seen[0]!.id), () => false);
      assert.deepEqual(
        [seen[0]!, ...all].map(({ n }) => n).slice(0, seen.length),
        seen.map(({ n }) => n),
      );
      assert.equal(all.length + 1, missed.at(-1)!.n);
      // Another session has no such events.
      assert.equal((await replay(store, "other", last.id)).status, 500);
    });
  });
}
