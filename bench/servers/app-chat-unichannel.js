// @ts-check
// A chat on unichannel: a group, whose history has the lines, and one for the notices of typing.
import { createChannelStore, json, openChannel } from "../../dist/src/index.js";
import { KEPT } from "../lib/chat.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

let n = 0;
let t = 0;
/** @type {import("../../dist/src/index.js").ChannelStore<string>} */
const store = createChannelStore({
  history: { size: KEPT, ttlMs: 3_600_000 },
  onLeave(group, _, name) {
    if (group === "chat") store.broadcast("chat", { type: "left", n: ++n, name });
  },
});

const server = await listening((request) => {
  const name = request.query.get("name") ?? "";
  return openChannel(request, {
    open(channel) {
      store.broadcast("chat", { type: "joined", n: ++n, name });
      const names = store.members("chat").map(([, name]) => name);
      channel.send(json({ type: "welcome", n, t, names }));
      store.addToGroup("chat", channel, name, { since: "" });
      store.addToGroup("typing", channel, name);
    },
    message(message, channel) {
      const { type, text } = JSON.parse(String(message));
      if (type === "say") void store.publish("chat", { type: "said", n: ++n, name, text });
      else void store.publish("typing", { type: "typing", t: ++t, name }, { except: channel });
    },
  });
});
ready(server.port, () => store.size("chat"));
