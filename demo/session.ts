// The chat room for the page: a session, so that nothing is lost between two connections. Every message has a number, and is
// answered with it: the page counts what comes back.

import { type Channel, type ChannelRequest, type HandlerResult, json, openSession } from "../src/index.ts";
import { channelsOf, enter, missedSince, say } from "./room.ts";

/** A message from the page. Without a text it is not for the room: the page only wants to know that it has arrived. */
interface Saying {
  readonly n: number;
  readonly name?: string;
  readonly text?: string;
}

export function session(request: ChannelRequest): Channel {
  const visitor = request.query.get("visitor") ?? "";
  return openSession(request, {
    // A new one only. A session that is taken up has kept what was missed; this one is told what the room has kept.
    open(channel) {
      const missed = missedSince(request.query.get("since"));
      if (missed.length > 0) channel.send(json(missed));
      enter(channel, visitor);
    },
    receive(message, channel) {
      const saying = parse(message);
      if (saying === undefined) return;
      const { n, name = "", text } = saying;
      // After a lost session the page asks again. A line that was said is not said twice.
      if (text !== undefined) say(name, text, channel.transport, `${visitor} ${n}`);
      channel.send(JSON.stringify({ heard: n }));
    },
  });
}

/**
 * Ends the sessions of a visitor, as a restart of the server would: the page finds out when it comes back. `visitor` is a
 * number that nobody else knows.
 */
export function forget(request: ChannelRequest): HandlerResult {
  if (request.method !== "POST") return { status: 405, headers: { Allow: "POST" } };
  const visitor = request.query.get("visitor");
  if (!visitor) return { status: 400, body: "whose?\n" };
  const channels = channelsOf(visitor);
  for (const channel of channels) channel.terminate();
  return `${channels.length} forgotten\n`;
}

function parse(message: string | Uint8Array): Saying | undefined {
  try {
    const { n, name, text } = JSON.parse(String(message));
    if (typeof n !== "number") return undefined;
    return { n, ...(typeof text === "string" && { text }), ...(typeof name === "string" && { name }) };
  } catch {
    return undefined;
  }
}
