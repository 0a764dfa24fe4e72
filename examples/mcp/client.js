// @ts-check
// A client of the Model Context Protocol, with its official SDK, that asks for a tool and prints what the tool tells. The SDK comes
// back by itself when its connection breaks, with the id of the last event that it has.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const url = new URL(process.argv[2] ?? "http://127.0.0.1:9090/");
const to = Number(process.argv[3] ?? 100);

const client = new Client({ name: "printer", version: "1.0.0" });
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => console.log(params.data));

await client.connect(
  new StreamableHTTPClientTransport(url, {
    reconnectionOptions: {
      initialReconnectionDelay: 50,
      maxReconnectionDelay: 1000,
      reconnectionDelayGrowFactor: 1.5,
      maxRetries: 20,
    },
  }),
);
const { content } = await client.callTool({ name: "count", arguments: { to } });
console.log(content);
await client.close();
