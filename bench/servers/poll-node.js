// @ts-check
// Parked long polls on node:http: every response is kept and never answered.
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";

/** @type {Set<import("node:http").ServerResponse>} */
const parked = new Set();
const server = createServer((_request, response) => {
  parked.add(response);
  response.on("close", () => parked.delete(response));
});
server.listen(0, "127.0.0.1", 1024, () => {
  ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port, () => parked.size);
});
