// The answers of a language model on better-sse and node:http: a session that iterates over the tokens.
import { createServer } from "node:http";
import { createSession } from "better-sse";
import { ready } from "../lib/ready.js";
import { answer, answersUnderWay, lengthIn } from "../lib/tokens.js";

const server = createServer(async (request, response) => {
  if (request.url === "/running") return response.end(String(answersUnderWay()));
  // The tokens are JSON already.
  const session = await createSession(request, response, { serializer: (token) => token });
  const reader = new AbortController();
  session.once("disconnected", () => reader.abort());
  await session.iterate(answer(lengthIn(request.url), reader.signal), { eventName: "token" });
  response.end();
});
server.listen(0, "127.0.0.1", 1024, () => ready(server.address().port));
