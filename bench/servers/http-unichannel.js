// @ts-check
// The HTTP work on unichannel: the answer to a GET is 11 bytes, also to a POST once its body has been read.
import { serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => ({ status: 200, headers, body: "hello world" });
const server = await serve((request) => (request.method === "POST" ? request.bytes().then(hello) : hello()), {
  port: 0,
  host: "127.0.0.1",
});
ready(server.port);
