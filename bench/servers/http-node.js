// @ts-check
// The HTTP work on node:http.
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";

const server = createServer((request, response) => {
  if (request.method !== "POST") return hello(response);
  /** @type {Buffer[]} */
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    Buffer.concat(parts);
    hello(response);
  });
});
server.listen(0, "127.0.0.1", () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));

/** @param {import("node:http").ServerResponse} response */
function hello(response) {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 11 });
  response.end("hello world");
}
