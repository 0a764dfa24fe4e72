// @ts-check
// GET of 11 bytes on unichannel.
import { serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const server = await serve(() => ({ status: 200, headers, body: "hello world" }), { port: 0, host: "127.0.0.1" });
ready(server.port);
