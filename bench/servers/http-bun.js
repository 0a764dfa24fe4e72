// The HTTP work on Bun.serve. Runs on Bun.
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => new Response("hello world", { headers });
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => (request.method === "POST" ? request.arrayBuffer().then(hello) : hello()),
});
ready(server.port);
