// @ts-check
// The HTTP work on unichannel: the answer to a GET is 11 bytes, also to a POST once its body has been read.
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

const headers = { "Content-Type": "text/plain" };
const hello = () => ({ status: 200, headers, body: "hello world" });
const server = await listening((request) => (request.method === "POST" ? request.bytes().then(hello) : hello()));
ready(server.port);
