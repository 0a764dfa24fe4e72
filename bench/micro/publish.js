// @ts-check
// One message to many (src/group, src/protocol/encoded-message.ts): encoded once for all members and, in a burst, joined
// once for all, compared with a send to each. A thousand WebSockets through the whole server except its sockets; each burst is
// timed until it is written.
import { bench, run, summary } from "mitata";
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { loadEngine } from "../lib/engine.js";
import { upgradeRequest } from "../lib/frames.js";

const MEMBERS = 1000;
const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
/** @type {import("../../dist/src/index.js").Channel[]} */
const channels = [];
const { serve } = await loadEngine();
const connect = serve((request) =>
  withChannel(request, (channel) => {
    channels.push(channel);
    store.addToGroup("all", channel);
  }),
);
for (let i = 0; i < MEMBERS; i++) connect().listener.onBytes(Buffer.from(upgradeRequest()));

for (const burst of [1, 16]) {
  summary(() => {
    bench(`${burst} to ${MEMBERS}: publish`, async () => {
      for (let i = 0; i < burst; i++) void store.publish("all", MESSAGE);
      await new Promise(setImmediate);
    });
    bench(`${burst} to ${MEMBERS}: send to each`, async () => {
      for (let i = 0; i < burst; i++) for (const channel of channels) channel.send(MESSAGE);
      await new Promise(setImmediate);
    });
  });
}

await run();
process.exit();
