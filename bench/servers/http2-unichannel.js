// @ts-check
// GET over HTTP/2 on unichannel.
import { listeningHttp2 } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const server = await listeningHttp2(() => ({ status: 200, headers, body: "hello world" }));
ready(server.port);
