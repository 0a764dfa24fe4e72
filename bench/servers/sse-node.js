// @ts-check
// Event streams on node:http, by hand: greeted once, and then silent.
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";

let open = 0;
const server = createServer((_request, response) => {
  open++;
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write("data: hello\n\n");
  response.on("close", () => open--);
});
server.listen(0, "127.0.0.1", 1024, () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => open);
});
