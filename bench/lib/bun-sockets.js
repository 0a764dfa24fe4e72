// Bun.serve with WebSockets and nothing else, which counts those that are open. Runs on Bun.
import { ready } from "./ready.js";

/** `websocket`: Bun's own object, whose `open` runs as well. */
export function serveSockets({ open: opened, ...websocket }) {
  let open = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
    websocket: {
      ...websocket,
      open(socket) {
        open++;
        opened?.(socket);
      },
      close: () => open--,
    },
  });
  ready(server.port, () => open);
  return server;
}
