// A process with one session of the Model Context Protocol, with its official SDK: a tool counts, and the events are kept in the
// groups of a broker. It says its address when it listens, and can be killed in the middle.

import { setTimeout as delay } from "node:timers/promises";
import { createChannelStore, serve } from "../../src/index.ts";
import { mcpEventStore } from "../../src/mcp.ts";
import { BROKER_KITS, type BrokerName } from "./broker-kits.ts";
import { mcpSdk } from "./mcp-sdk.ts";

export interface McpOrder {
  readonly broker: BrokerName;
  readonly port: number;
  readonly sessionId: string;
}

const { broker, port, sessionId } = JSON.parse(process.argv[2]!) as McpOrder;
const { McpServer, WebStandardStreamableHTTPServerTransport } = await mcpSdk();
const { backplane } = await BROKER_KITS[broker].open(port);
const store = createChannelStore({ backplane, history: { size: 10_000, ttlMs: 60_000 } });
const mcp = new McpServer({ name: "counter", version: "1.0.0" }, { capabilities: { logging: {} } });
mcp.registerTool("count", { description: "Counts for ever" }, async ({ sendNotification }) => {
  for (let data = 1; ; data++) {
    await sendNotification({ method: "notifications/message", params: { level: "info", data } });
    await delay(1);
  }
});
const transport = new WebStandardStreamableHTTPServerTransport({
  sessionIdGenerator: () => sessionId,
  eventStore: mcpEventStore(store, sessionId),
});
await mcp.connect(transport);
const server = await serve({ fetch: (request) => transport.handleRequest(request), port: 0 });
console.log(server.url);
