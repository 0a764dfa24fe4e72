// @ts-check
// The server of http-unichannel.js from the package as its users install it: the row `start` packs it before it measures.
import { serve } from "../../dist/package/dist/src/index.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => ({ status: 200, headers, body: "hello world" });
const server = await serve(hello, { port: 0, host: "127.0.0.1" });
ready(server.port);
