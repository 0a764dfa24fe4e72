// A group on unichannel, inside an application of uWebSockets.js.
import uws from "@trufflesuite/uws-js-unofficial";
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { attachUws } from "../../dist/src/uws.js";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
const app = uws.App();
attachUws(app).route("/*", (request) =>
  withChannel(request, (channel) => {
    store.addToGroup("all", channel);
    channel.onMessage((count) => {
      for (let i = Number(count); i > 0; i--) void store.publish("all", MESSAGE);
    });
  }),
);
app.listen("127.0.0.1", 0, (socket) => ready(uws.us_socket_local_port(socket), () => store.size("all")));
