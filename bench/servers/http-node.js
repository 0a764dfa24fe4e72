// @ts-check
// GET of 11 bytes on node:http.
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";

const server = createServer((_request, response) => {
  response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": 11 });
  response.end("hello world");
});
server.listen(0, "127.0.0.1", () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
