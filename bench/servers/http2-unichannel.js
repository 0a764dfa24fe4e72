// @ts-check
// GET over HTTP/2 on unichannel.
import { serve } from "../../dist/src/index.js";
import { certificate } from "../lib/certificate.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const server = await serve(() => ({ status: 200, headers, body: "hello world" }), {
  port: 0,
  host: "127.0.0.1",
  tls: certificate(),
  http2: true,
});
ready(server.port);
