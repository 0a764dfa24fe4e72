// The HTTP work on Deno.serve. Runs on Deno.
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => new Response("hello world", { headers });
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) =>
  request.method === "POST" ? request.arrayBuffer().then(hello) : hello(),
);
ready(server.addr.port);
