// @ts-check
// A room of event streams over HTTP/2 on unichannel.
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { listeningHttp2 } from "../lib/listening.js";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const store = createChannelStore();
const server = await listeningHttp2((request) => {
  if (request.path === "/member") {
    return withChannel(request, (channel) => {
      channel.send(GREETING);
      store.addToGroup("all", channel);
    });
  }
  for (let i = countOf(request.url); i > 0; i--) void store.publish("all", MESSAGE);
  return { status: 204 };
});
ready(server.port, () => store.size("all"));
