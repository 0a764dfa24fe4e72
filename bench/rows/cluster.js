// @ts-check
// Several processes behind a broker: the cost of outgrowing one machine. An operation is a message that all members have
// received, and CPU time is that of all processes together.
import { hasCommand } from "../lib/machine.js";
import { workRow } from "../lib/row.js";

const PROCESSES = 2;
const MEMBERS = 100;
const REDIS = "cluster-unichannel.js redis";
/** @typedef {NonNullable<Parameters<typeof workRow>[0]["brokers"]>} Brokers */
const socketIo = { "Socket.IO": "cluster-socketio.js" };
const TITLE = `messages of 128 bytes to ${MEMBERS} members of ${PROCESSES} processes`;

/**
 * Some hundred messages a second leave the optimizer much to do: in the first seconds its threads took 300 to 1,000 µs for each message,
 * after 3,000 messages 65 µs.
 */
const warm = { warmupCpuSeconds: 5 };

/** @param {Omit<Parameters<typeof workRow>[0], "load" | "config">} facts @param {number} inFlight */
function row(facts, inFlight) {
  return workRow({
    load: "cluster.js",
    config: { connections: MEMBERS, inFlight, ...warm },
    configs: { "Socket.IO": { socketIo: true } },
    processes: PROCESSES,
    ...facts,
  });
}

const redis = {
  peers: { unichannel: REDIS, ...socketIo },
  targets: { "Socket.IO": "≥ 1.3 ×" },
  brokers: /** @type {Brokers} */ ({ unichannel: "redis", "Socket.IO": "redis" }),
};
const nats = {
  peers: { unichannel: "cluster-unichannel.js nats", ...socketIo, "over Redis": REDIS },
  brokers: /** @type {Brokers} */ ({ unichannel: "nats", "Socket.IO": "redis", "over Redis": "redis" }),
  brief: ["unichannel", "Socket.IO"],
  without: {
    "Socket.IO over NATS": "it has no adapter for NATS: it is measured over its Redis streams, in the same run",
  },
};

export const cluster = [
  ...(hasCommand("redis-server")
    ? [
        row({ name: "redis-2", rank: "extra", title: `${TITLE} over Redis, one at a time`, ...redis }, 1),
        row({ name: "redis-2-16", title: `${TITLE} over Redis, 16 on their way`, ...redis }, 16),
      ]
    : []),
  ...(hasCommand("nats-server") && hasCommand("redis-server")
    ? [
        row({ name: "nats-2", rank: "extra", title: `${TITLE} over NATS, one at a time`, ...nats }, 1),
        row({ name: "nats-2-16", title: `${TITLE} over NATS, 16 on their way`, ...nats }, 16),
      ]
    : []),
];
