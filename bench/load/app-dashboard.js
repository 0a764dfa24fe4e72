// @ts-check
// The members of a dashboard, each of whom watches one panel over a WebSocket, an event stream or polls. The server makes the messages;
// their time is in them, and latency is the time until a member has one. Each member must receive every message of its panel,
// in order, and each message is compared.
import { measureApplication } from "../lib/application.js";
import { now } from "../lib/clock.js";
import { GROUPS, groupName, update } from "../lib/dashboard.js";
import { eventStreams } from "../lib/event-streams.js";
import { exchangeOnce, exchanges } from "../lib/exchanges.js";
import { fail, openMany } from "../lib/generator.js";
import { took } from "../lib/latencies.js";
import { openSocketIo, openSocketIoPolls } from "../lib/socket-io.js";
import { openWebSocket, texts } from "../lib/web-socket.js";

/** @type {import("../lib/application.js").ApplicationConfig & { shares: Partial<Record<keyof typeof kinds, number>> }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port } = config;

/** @typedef {(json: string) => void} Hear */

const kinds = {
  webSocket: (/** @type {string} */ group, /** @type {Hear} */ hear) =>
    openWebSocket(
      { port, path: `/live?group=${group}` },
      texts((text) => hear(text.toString("latin1"))),
    ),
  stream: joinStream,
  poll: joinPolls,
  socketIo: (/** @type {string} */ group, /** @type {Hear} */ hear) =>
    openSocketIo({ port }, (text) => hear(dataOf(text)), JSON.stringify({ group })),
  socketIoPoll: joinSocketIoPolls,
};

/** The latest messages of each group by their number, as the first member has received them. @type {Map<string, Map<number, Noted>>} */
const latest = new Map(Array.from({ length: GROUPS }, (_, i) => [groupName(i), new Map()]));
/** A member that is further behind than this is lost. */
const REMEMBERED = 256;
/** @typedef {{ json: string, at: number }} Noted */

let deliveries = 0;
/** The number of the last message of each member, by group. @type {{ group: number, n: number }[]} */
const members = [];
/** The numbers of messages of all groups, once the server has stopped. @type {readonly number[]} */
let published = [];

const order = Object.entries(kinds).flatMap(([name, open]) => {
  const share = config.shares[/** @type {keyof typeof kinds} */ (name)] ?? 0;
  return Array.from({ length: Math.round(share * config.connections) }, () => open);
});
await openMany(order.length, (index) => Promise.resolve(order[index]?.(groupName(index), member(index % GROUPS))));

await exchangeOnce({ port }, "POST", "/start");
await measureApplication(config, {
  count: () => deliveries,
  async stop() {
    published = JSON.parse(await exchangeOnce({ port }, "POST", "/stop"));
  },
  missing() {
    const behind = members.filter(({ group, n }) => n !== published[group]);
    if (behind.length === 0) return undefined;
    return `${behind.length} of ${members.length} members have not received everything`;
  },
});

/** @param {number} group @returns {Hear} */
function member(group) {
  const self = { group, n: 0 };
  members.push(self);
  const name = groupName(group);
  const known = /** @type {Map<number, Noted>} */ (latest.get(name));
  return (json) => {
    self.n += 1;
    const noted = known.get(self.n) ?? note(name, self.n, json);
    if (noted.json !== json) fail(new Error(`a member misses ${noted.json}, or receives something else: ${json}`));
    took(now() - noted.at);
    deliveries += 1;
  };
}

/** Notes a message that no other member has received. @param {string} group @param {number} n @param {string} json */
function note(group, n, json) {
  const { at } = JSON.parse(json);
  const noted = { json: JSON.stringify(update(group, n, at)), at };
  const known = /** @type {Map<number, Noted>} */ (latest.get(group));
  known.set(n, noted);
  known.delete(n - REMEMBERED);
  return noted;
}

/** Resolves when the stream has begun. @param {string} group @param {Hear} hear @returns {Promise<void>} */
function joinStream(group, hear) {
  return new Promise((resolve) => {
    const { ask } = eventStreams(
      { port },
      { onOpen: resolve, onData: hear, onEnd: () => fail(new Error("the stream ended")) },
    );
    ask(`/live?group=${group}`);
  });
}

/** Resolves when the member knows the id from which to poll. @param {string} group @param {Hear} hear @returns {Promise<void>} */
function joinPolls(group, hear) {
  return new Promise((resolve) => {
    const ask = exchanges({ port }, (body) => {
      const { messages, next } = JSON.parse(body);
      ask("GET", `/poll?group=${group}&since=${next}`);
      for (const { data } of messages) hear(typeof data === "string" ? data : JSON.stringify(data));
      resolve();
    });
    ask("GET", `/poll?group=${group}`);
  });
}

/** @param {string} group @param {Hear} hear */
function joinSocketIoPolls(group, hear) {
  const auth = JSON.stringify({ group });
  return openSocketIoPolls(
    { port },
    (packets) => {
      for (const packet of packets.split("\x1e")) if (packet.startsWith("42")) hear(dataOf(packet));
    },
    auth,
  );
}

/** The value in an event of Socket.IO. @param {string} packet */
function dataOf(packet) {
  return packet.slice(packet.indexOf(",") + 1, -1);
}
