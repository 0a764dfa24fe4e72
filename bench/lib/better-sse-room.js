// A room of event streams on better-sse: its own channels, in a server of node:http or node:http2.
import { createChannel, createSession } from "better-sse";
import { ready } from "./ready.js";
import { countOf, GREETING, MESSAGE } from "./room.js";

/** `createServer` makes the server of a request listener. */
export function serveRoom(createServer) {
  const all = createChannel();
  const server = createServer(async (request, response) => {
    if (request.url.startsWith("/member")) {
      const session = await createSession(request, response);
      session.push(GREETING);
      all.register(session);
      return;
    }
    for (let i = countOf(request.url); i > 0; i--) all.broadcast(MESSAGE, "message");
    response.writeHead(204);
    response.end();
  });
  server.listen(0, "127.0.0.1", 1024, () => ready(server.address().port, () => all.sessionCount));
}
