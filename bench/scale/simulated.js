// @ts-check
// Our own part of a delivery, in one process without sockets: the engine over streams that accept all bytes at once (lib/sink.js). It shows how the
// cost grows with the members where one process cannot have so many sockets.
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { loadEngine } from "../lib/engine.js";
import { upgradeRequest } from "../lib/frames.js";
import { answer } from "./child.js";
import { published } from "./messages.js";

/** Deliveries of each measurement, at least: the optimizer counts work, not time. */
const DELIVERIES = 200_000;

const { serve } = await loadEngine();
const handshake = Buffer.from(upgradeRequest());

answer({
  /** @param {{ members: number }} question */
  async measure({ members }) {
    const store = createChannelStore();
    const connect = serve((request) => withChannel(request, (channel) => store.addToGroup("all", channel)));
    /** @type {import("../lib/sink.js").Sink[]} */
    const streams = [];
    for (let i = 0; i < members; i++) {
      const stream = connect();
      stream.listener.onBytes(handshake);
      streams.push(stream);
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
    const writes = () => streams.reduce((sum, stream) => sum + stream.writes, 0);
    const messages = Math.max(3, Math.ceil(DELIVERIES / members));
    /** @param {number} count */
    const publish = async (count) => {
      for (let i = 0; i < count; i++) {
        await store.publish("all", published(i));
        for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      }
    };
    await publish(messages);
    const before = writes();
    const cpu = process.cpuUsage();
    await publish(messages);
    const { user, system } = process.cpuUsage(cpu);
    const deliveries = writes() - before;
    if (deliveries !== messages * members) throw new Error(`${deliveries} deliveries, not ${messages * members}`);
    return { members, deliveries, cpuMicrosEach: (user + system) / deliveries };
  },
});
