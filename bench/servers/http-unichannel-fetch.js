// @ts-check
// The HTTP work on unichannel, inside Bun.serve or Deno.serve.
import { fetchListening } from "../lib/fetch-listening.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => ({ status: 200, headers, body: "hello world" });
ready(fetchListening((request) => (request.method === "POST" ? request.bytes().then(hello) : hello())).port);
