// @ts-check
// The server of http-unichannel.js from the package as its users install it: the row `start` packs it before it measures.
import { ready } from "../lib/ready.js";

/** @type {typeof import("../../dist/src/index.js")} */
const { serve } = await import(new URL("../../dist/package/dist/src/index.js", import.meta.url).href);

const headers = { "Content-Type": "text/plain" };
const hello = () => ({ status: 200, headers, body: "hello world" });
const server = await serve(hello, { port: 0, host: "127.0.0.1" });
ready(server.port);
