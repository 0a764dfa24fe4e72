// The official SDK of the Model Context Protocol, which is installed for its example alone. The parts of it that tests use.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const FOLDER = "examples/mcp/node_modules";

interface Notification {
  readonly method: string;
  readonly params: object;
}

interface McpTransport {
  handleRequest(request: Request): Promise<Response>;
  close(): Promise<void>;
}

export interface McpSdk {
  readonly McpServer: new (
    info: object,
    options: object,
  ) => {
    registerTool(
      name: string,
      options: object,
      tool: (extra: { sendNotification(notification: Notification): Promise<void> }) => Promise<object>,
    ): void;
    connect(transport: McpTransport): Promise<void>;
  };
  readonly WebStandardStreamableHTTPServerTransport: new (options: object) => McpTransport;
}

/** For the `skip` option of a test. */
export function needsMcpSdk(): string | false {
  if (existsSync(`${FOLDER}/.package-lock.json`)) return false;
  const reason = "the packages of examples/mcp are not installed";
  if (process.env["UNICHANNEL_REQUIRE_ALL"]) throw new Error(`${reason}, and UNICHANNEL_REQUIRE_ALL is set`);
  return reason;
}

export async function mcpSdk(): Promise<McpSdk> {
  const load = (path: string): Promise<object> =>
    import(pathToFileURL(resolve(FOLDER, "@modelcontextprotocol/sdk/dist/esm/server", path)).href);
  const [server, transport] = await Promise.all([load("mcp.js"), load("webStandardStreamableHttp.js")]);
  return { ...server, ...transport } as McpSdk;
}
