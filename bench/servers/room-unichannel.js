// @ts-check
// A room on unichannel for members of any kind: WebSockets and event streams at /member, long polls at /poll.
import { createChannelStore, pollGroup, withChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const store = createChannelStore();
const server = await listening((request) => {
  if (request.path === "/poll") return pollGroup(request, store, "all");
  if (request.path === "/member") {
    return withChannel(request, (channel) => {
      if (!channel.isWebSocket) channel.send(GREETING);
      store.addToGroup("all", channel);
    });
  }
  for (let i = countOf(request.url); i > 0; i--) void store.publish("all", MESSAGE);
  return { status: 204 };
});
ready(server.port, () => store.size("all"));
