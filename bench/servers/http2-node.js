// @ts-check
// GET over HTTP/2 on the stream API of node:http2.
import { createSecureServer } from "node:http2";
import { certificate } from "../lib/certificate.js";
import { ready } from "../lib/ready.js";

const server = createSecureServer(certificate());
server.on("stream", (/** @type {import("node:http2").ServerHttp2Stream} */ stream) => {
  stream.respond({ ":status": 200, "content-type": "text/plain", "content-length": 11 });
  stream.end("hello world");
});
server.listen(0, "127.0.0.1", () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
