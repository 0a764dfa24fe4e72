// @ts-check
// Next with a custom server: channels beside its pages, and in development beside its hot module replacement.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import next from "next";
import { attach } from "unichannel/node";
import { WebSocketServer } from "ws";
import { live, publish, refusalOf, run } from "../live.js";

const dev = process.env.NODE_ENV !== "production";
// Next listens for upgrades here, and gets those that are not ours: it ends the WebSockets of paths that its pages match.
const upgradesOfNext = createServer();
const app = next({ dev, dir: import.meta.dirname, httpServer: upgradesOfNext });
const handle = app.getRequestHandler();
await app.prepare();

const server = createServer(async (req, res) => {
  res.setHeader("X-Framework", "next");
  const { pathname, searchParams } = new URL(req.url ?? "/", "http://localhost");
  if (pathname === "/live") {
    const status = refusalOf(searchParams.get("user"));
    if (status === undefined) live(attached.request(req, res));
    else res.writeHead(status).end();
  } else if (pathname === "/stats") res.end(JSON.stringify(attached.stats()));
  else if (pathname === "/news") {
    publish(await text(req));
    res.end();
  } else await handle(req, res);
});
const attached = attach(server, { upgrades: "/live" });

// Other owners of upgrades on the same server: those outside "/live" are left to them.
const others = new WebSocketServer({ noServer: true });
server.on("upgrade", (req, socket, head) => {
  if (req.url === "/other") others.handleUpgrade(req, socket, head, (ws) => ws.send("from ws"));
  else if (!/^\/live(?=[/?]|$)/.test(req.url ?? "") && !upgradesOfNext.emit("upgrade", req, socket, head))
    socket.destroy();
});

server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () =>
  run(server, attached, async () => {
    server.close();
    server.closeAllConnections();
    await app.close();
    // In development Next keeps its watchers of files; its own server ends so, too.
    if (dev) process.exit();
  }),
);
