// @ts-check
// One process of the service. Everything that a session is moves to another process when this one stops: its messages, its
// groups, and what this program remembers of it (`save` and `restored`).
import { createClient } from "redis";
import { createChannelStore, openSession, serve, withChannel } from "unichannel";
import { redisBackplane, redisSessions } from "unichannel/redis";
import { Sequence } from "./sequence.js";

/** @typedef {{ name: string, room: string, sent: number, heard: Sequence }} Talk */

const redis = createClient({ url: `redis://127.0.0.1:${process.env["BROKER_PORT"] ?? 6379}` });
const sessions = redisSessions(redis);
const rooms = createChannelStore({ backplane: redisBackplane(redis), history: { size: 1000, ttlMs: 300_000 } });

/** The talk of each channel. @type {WeakMap<object, Talk>} */
const talks = new WeakMap();

const server = await serve(
  (request) => {
    const room = request.query.get("room") ?? "1";
    if (request.path === "/health") return "ok\n";
    if (request.path === "/listen") return withChannel(request, (channel) => rooms.addToGroup(room, channel));
    return openSession(request, {
      open(channel) {
        talks.set(channel, { name: request.query.get("name") ?? "", room, sent: 0, heard: new Sequence() });
        // All that was said: another process may have published before this one listens to the room.
        rooms.addToGroup(room, channel, undefined, { since: "" });
      },
      // In another process: instead of `open`. The channel is a member of its groups already.
      save: (channel) => talks.get(channel),
      restored(channel, state) {
        const talk = /** @type {Talk} */ (state);
        talks.set(channel, { ...talk, heard: new Sequence(talk.heard) });
      },
      // A message of the client is a number. It goes to the room, and is answered with a number.
      async message(text, channel) {
        const talk = /** @type {Talk} */ (talks.get(channel));
        talk.heard.take(Number(text));
        await rooms.publish(talk.room, { from: talk.name, number: Number(text) });
        talk.sent += 1;
        channel.send(JSON.stringify({ number: talk.sent, heard: talk.heard }));
      },
    });
  },
  {
    host: "127.0.0.1",
    port: Number(process.env["PORT"] ?? 9091),
    trustedProxies: ["loopback"],
    sessions,
    stores: { rooms },
  },
);

process.send?.("ready");
process.once("SIGTERM", async () => {
  await server.stop();
  await rooms.close();
  await sessions.close();
  process.exit();
});
