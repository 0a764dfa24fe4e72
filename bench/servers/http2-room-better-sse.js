// A room of event streams over HTTP/2 on better-sse and node:http2: its own channels.
import { createSecureServer } from "node:http2";
import { createChannel, createSession } from "better-sse";
import { certificate } from "../lib/certificate.js";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const all = createChannel();
const server = createSecureServer(certificate(), async (request, response) => {
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
