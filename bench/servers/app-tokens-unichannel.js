// @ts-check
// The answers of a language model on unichannel, as in the guide: a message for each token, at the reader's pace.
import { withChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";
import { answer, answersUnderWay, lengthIn } from "../lib/tokens.js";

const server = await listening((request) => {
  if (request.path === "/running") return String(answersUnderWay());
  return withChannel(request, async (channel) => {
    for await (const token of answer(lengthIn(request.url), channel.signal)) {
      if (!channel.send(token, { close: false })) break;
      await channel.drained();
    }
    channel.close();
  });
});
ready(server.port);
