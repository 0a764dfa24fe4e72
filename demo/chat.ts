// The chat room for clients without a session: a poll or a POST of curl, an event stream, a plain WebSocket.

import { type ChannelRequest, type HandlerResult, json, withChannel } from "../src/index.ts";
import { enter, missedSince, say } from "./room.ts";

export async function chat(request: ChannelRequest): Promise<HandlerResult> {
  const name = request.query.get("name") ?? "";
  if (request.method === "POST") return `${say(name, await request.text(), "post")} received it\n`;

  return withChannel(request, (channel) => {
    channel.onMessage((message) => say(name, String(message), "websocket"));
    const missed = missedSince(request.query.get("since"));
    // On plain HTTP this is the answer, and closes the channel. A channel that stays open joins the room.
    if (missed.length > 0) channel.send(json(missed));
    if (channel.isOpen) enter(channel);
  });
}
