// Event streams on better-sse and node:http: one message, and then silence.
import { createServer } from "node:http";
import { createSession } from "better-sse";
import { ready } from "../lib/ready.js";

let open = 0;
const server = createServer(async (request, response) => {
  const session = await createSession(request, response);
  open++;
  session.push("hello");
  session.on("disconnected", () => open--);
});
server.listen(0, "127.0.0.1", 1024, () => ready(server.address().port, () => open));
