// @ts-check
// A server of the Model Context Protocol, with its official SDK, whose streams resume: a client whose connection breaks while a tool
// works comes back with `Last-Event-ID`, and gets each notification once, and the result.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createChannelStore, serve } from "unichannel";
import { mcpEventStore } from "unichannel/mcp";
import { z } from "zod";

// How long a client may be away. With `backplane`, another process can replay, too.
const store = createChannelStore({ history: { size: 1000, ttlMs: 300_000 } });

/** The sessions of this process. @type {Map<string, WebStandardStreamableHTTPServerTransport>} */
const transports = new Map();

function counter() {
  const server = new McpServer({ name: "counter", version: "1.0.0" }, { capabilities: { logging: {} } });
  const description = "Counts, and tells each number";
  server.registerTool(
    "count",
    { description, inputSchema: { to: z.number() } },
    async ({ to }, { sendNotification }) => {
      for (let data = 1; data <= to; data++) {
        await sleep(10);
        await sendNotification({ method: "notifications/message", params: { level: "info", data } });
      }
      return { content: [{ type: "text", text: `counted to ${to}` }] };
    },
  );
  return server;
}

async function openTransport() {
  const id = randomUUID();
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => id,
    // Each session has an event store of its own: the SDK gives the streams of all sessions the same names.
    eventStore: mcpEventStore(store, id),
    retryInterval: 200,
    onsessionclosed: () => void transports.delete(id),
  });
  await counter().connect(transport);
  transports.set(id, transport);
  return transport;
}

const server = await serve({
  async fetch(request) {
    const id = request.headers.get("mcp-session-id");
    const transport = id === null ? await openTransport() : transports.get(id);
    return transport?.handleRequest(request) ?? new Response("There is no such session.", { status: 404 });
  },
  host: "127.0.0.1",
  port: Number(process.env["PORT"] ?? 9090),
});

console.log(`Run: node examples/mcp/client.js ${server.url}/ – or ask: curl -i ${server.url}/`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    for (const transport of transports.values()) await transport.close();
    await server.stop();
    process.exit();
  });
}
