// @ts-check
// The answers of a language model on node:http, by hand: an event for each token, at the reader's pace.
import { once } from "node:events";
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";
import { answer, answersUnderWay, lengthIn } from "../lib/tokens.js";

const server = createServer(async (request, response) => {
  if (request.url === "/running") return response.end(String(answersUnderWay()));
  const reader = new AbortController();
  response.on("close", () => reader.abort());
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  try {
    for await (const token of answer(lengthIn(request.url), reader.signal)) {
      if (!response.write(`data: ${token}\n\n`)) await once(response, "drain", { signal: reader.signal });
    }
    response.end();
  } catch (error) {
    if (!reader.signal.aborted) throw error;
  }
});
server.listen(0, "127.0.0.1", 1024, () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
