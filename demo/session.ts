// The chat room for the page: a session, so that nothing is lost between two connections. Every message has a number, and the
// answer repeats it, so that the page can count answers.

import { type Channel, type ChannelRequest, type HandlerResult, json, openSession } from "../src/index.ts";
import { channelsOf, enterPage, missedSince, say } from "./room.ts";

/** A message from the page. Without a text it is not for the room: the page only wants to know that it has arrived. */
interface Saying {
  readonly n: number;
  readonly name?: string;
  readonly text?: string;
}

/** `server`: the number of the server that is asked. The page shows which one has its session. */
export function session(request: ChannelRequest, server: number): Channel {
  const visitor = request.query.get("visitor") ?? "";
  return openSession(request, {
    // Called for new sessions only: a resumed session, here or at another server, has kept its messages and its place in the
    // room. A new one gets the lines that the room has kept.
    open(channel) {
      const missed = missedSince(request.query.get("since"));
      channel.send(JSON.stringify({ server }));
      if (missed.length > 0) channel.send(json(missed));
      enterPage(channel, visitor, request.query.get("count"));
    },
    // In the new server, in place of `open`: the session has come from one that was replaced.
    restored: (channel) => void channel.send(JSON.stringify({ server })),
    message(message, channel) {
      const saying = parse(message);
      if (saying === undefined) return;
      const { n, name = "", text } = saying;
      // After a lost session the page repeats its messages. The room ignores a line that it has.
      if (text !== undefined) say(name, text, channel.transport, `${visitor} ${n}`);
      channel.send(JSON.stringify({ heard: n }));
    },
  });
}

/**
 * Ends the sessions of a visitor, as a restart of the server would. The page notices when it reconnects. `visitor` is a secret
 * number of the page.
 */
export function forget(request: ChannelRequest): HandlerResult {
  if (request.method !== "POST") return { status: 405, headers: { Allow: "POST" } };
  const visitor = request.query.get("visitor");
  if (!visitor) return { status: 400, body: "visitor is missing\n" };
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
