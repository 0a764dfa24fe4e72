// @ts-check
// One message to many (src/group, src/channel/prepared-message.ts): encoded once for all and, in a burst, joined once for
// all, beside a send to each. A thousand WebSockets through the whole server but its sockets, each burst until it is
// written.
import { bench, run, summary } from "mitata";
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { EngineServer } from "../../dist/src/server/engine-server.js";
import { Http1Driver } from "../../dist/src/transport/http1/driver.js";
import { upgradeRequest } from "../lib/frames.js";
import { Sink } from "../lib/sink.js";

const MEMBERS = 1000;
const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
/** @type {import("../../dist/src/index.js").Channel[]} */
const channels = [];
const server = new EngineServer(
  (request) =>
    withChannel(request, (channel) => {
      channels.push(channel);
      store.addToGroup("all", channel);
    }),
  {},
);
for (let i = 0; i < MEMBERS; i++) {
  const stream = new Sink();
  stream.listener = new Http1Driver(/** @type {any} */ (stream), server);
  stream.listener.onBytes(Buffer.from(upgradeRequest()));
}

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
