// A room of event streams over HTTP/2 on better-sse and node:http2.
import { createSecureServer } from "node:http2";
import { serveRoom } from "../lib/better-sse-room.js";
import { certificate } from "../lib/certificate.js";

serveRoom((listener) => createSecureServer(certificate(), listener));
