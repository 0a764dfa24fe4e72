// NestJS: one route of a controller for WebSockets, event streams, streams, polls and sessions, behind a guard.
// Build and start it: npx tsc -p nest && node nest/dist/main.js

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { NestFactory } from "@nestjs/core";
import { WebSocketServer } from "ws";
// @ts-expect-error: plain JavaScript, shared by the examples
import { run } from "../../live.js";
import { AppModule } from "./app.module.js";
import { Channels } from "./channels.js";

// Browsers open connections before they have a request: `close` would wait for them.
const app = await NestFactory.create(AppModule, { forceCloseConnections: true, logger: ["error", "warn"] });
app.use((_req: IncomingMessage, res: ServerResponse, next: () => void) => {
  res.setHeader("X-Framework", "nest");
  next();
});

// Another owner of upgrades on the same server: those outside "/live" are left to it.
const others = new WebSocketServer({ noServer: true });
const server: Server = app.getHttpServer();
server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => {
  if (req.url === "/other") others.handleUpgrade(req, socket, head, (ws) => ws.send("from ws"));
});

await app.listen(process.env["PORT"] ?? 3000, "127.0.0.1");
run(server, app.get(Channels).attached, () => app.close());
