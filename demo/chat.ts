// A chat room for whoever comes: a browser's WebSocket, a poll or a POST of curl, an event stream.

import { type ChannelRequest, type HandlerResult, json, MemoryChannelStore, withChannel } from "../src/index.ts";

interface Line {
  readonly id: number;
  readonly name: string;
  readonly text: string;
  /** How it came: the page shows it. */
  readonly via: "websocket" | "post";
}

const KEPT = 100;
const MAX_NAME = 24;
const MAX_TEXT = 500;
const ROOM = "chat";

const room = new MemoryChannelStore();
const lines: Line[] = [];
let lastId = 0;

export async function chat(request: ChannelRequest): Promise<HandlerResult> {
  const name = request.query.get("name") ?? "";
  if (request.method === "POST") return `${say(name, await request.text(), "post")} heard it\n`;

  // `since` is the id of the last line that the client has. Without it only what comes next is of interest.
  const asked = Number(request.query.get("since") ?? lastId);
  // A number that was never given out is from before a restart.
  const since = asked > lastId ? 0 : asked;
  return withChannel(request, (channel) => {
    channel.onReceive((message) => say(name, String(message), "websocket"));
    const missed = lines.filter((line) => line.id > since);
    // On plain HTTP this is the answer, and it closes the channel. What stays open joins the room.
    if (missed.length > 0) channel.send(json(missed));
    if (channel.isOpen) room.addToGroup(ROOM, channel);
  });
}

/** Adds a line and tells everybody: who waits in a poll is answered, a WebSocket gets one more message. */
function say(name: string, text: string, via: Line["via"]): number {
  lastId += 1;
  const line = { id: lastId, name: name.trim().slice(0, MAX_NAME) || "guest", text: text.slice(0, MAX_TEXT), via };
  lines.push(line);
  if (lines.length > KEPT) lines.shift();
  return room.broadcast(ROOM, [line]);
}
