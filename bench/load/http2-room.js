// @ts-check
// A room of event streams over HTTP/2, many on each connection. As in room.js, a connection of its own asks for more as soon as
// everybody has what was said.
import { fail, openMany } from "../lib/generator.js";
import { openHttp2 } from "../lib/http2-client.js";
import { RoomMembers } from "../lib/room-members.js";

/** @type {import("../lib/generator.js").LoadConfig & { streams: number, burst: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, burst, connections, streams } = config;

const sessions = await openMany(connections, () => openHttp2(port));
const room = new RoomMembers(config, request);
await openMany(connections * streams, (index) =>
  join(/** @type {any} */ (sessions[index % connections]), room.member(index)),
);
const control = await openHttp2(port);
room.begin(connections * streams);
room.ask();

function request() {
  const stream = control.request({ ":method": "POST", ":path": `/publish?count=${burst}` }, { endStream: true });
  stream.on("error", fail);
  stream.resume();
}

/**
 * Resolves when the stream has begun.
 * @param {import("node:http2").ClientHttp2Session} session
 * @param {import("../lib/room-members.js").Hear} hear
 * @returns {Promise<void>}
 */
function join(session, hear) {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": "/member", accept: "text/event-stream" });
    stream.on("error", fail);
    stream.on("response", (head) => {
      if (head[":status"] !== 200) fail(new Error(`status ${head[":status"]}`));
      resolve();
    });
    stream.on("data", hear);
  });
}
