// @ts-check
// Clients that send orders and wait for the answers, in order: as fast as they come back, or (`perSecond`) so many a second from all
// clients together. Each answer is compared. Before, one order with a mistake must be refused.
import { measureApplication, steadily } from "../lib/application.js";
import { maskedFrame, TEXT } from "../lib/frames.js";
import { fail, openMany } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { receiptOf, someOrders } from "../lib/orders.js";
import { openSocketIo } from "../lib/socket-io.js";
import { openWebSocket, texts } from "../lib/web-socket.js";

/** @type {import("../lib/application.js").ApplicationConfig & { kind: keyof typeof kinds, perSecond?: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, connections, perSecond } = config;
const kinds = { webSocket, socketIo };

/** @typedef {import("node:net").Socket} Socket */
/** @typedef {(payload: Buffer, socket: Socket) => void} Hear */

const { open, request, answer } = kinds[config.kind]();
const orders = someOrders(64).map((value, index) => ({
  frame: maskedFrame(TEXT, Buffer.from(request(value, index))),
  answer: Buffer.from(answer(receiptOf(value), index)),
}));

let answered = 0;
let asked = 0;
let isOver = false;

await refusal();
const clients = await openMany(connections, client);
let next = 0;
const end = perSecond === undefined ? undefined : steadily(perSecond, () => clients[next++ % connections]?.());
if (end === undefined) for (const ask of clients) ask();
await measureApplication(config, {
  count: () => answered,
  stop() {
    isOver = true;
    end?.();
  },
  missing: () => (answered < asked ? `${asked - answered} orders are not answered` : undefined),
});

/** Resolves with a function that sends the client's next order. @param {number} index */
async function client(index) {
  let sent = index;
  let received = index;
  /** When the orders that are not answered yet were sent. @type {number[]} */
  const sentAt = [];
  const socket = await open((payload) => {
    if (!orders[received++ % orders.length]?.answer.equals(payload)) {
      fail(new Error(`not the answer to order ${received - 1}: ${payload}`));
    }
    tookSince(/** @type {number} */ (sentAt.shift()));
    answered += 1;
    if (perSecond === undefined && !isOver) ask();
  });
  function ask() {
    sentAt.push(performance.now());
    asked += 1;
    socket.write(/** @type {Buffer} */ (orders[sent++ % orders.length]?.frame));
  }
  return ask;
}

/** Resolves when the server has closed a connection whose order has a quantity of 0. */
async function refusal() {
  const [good] = someOrders(1);
  const items = good?.items.map((item) => ({ ...item, quantity: 0 }));
  await new Promise((resolve) => {
    const hear = (/** @type {Buffer} */ payload, /** @type {Socket} */ socket) => {
      if (payload.includes("total")) fail(new Error(`a bad order was answered: ${payload}`));
      socket.end();
    };
    open(hear, () => resolve(undefined)).then((socket) =>
      socket.write(maskedFrame(TEXT, Buffer.from(request({ ...good, items }, 0)))),
    );
  });
}

function webSocket() {
  return {
    /** @param {Hear} hear @param {() => void} [onClose] */
    open: (hear, onClose) => openWebSocket({ port, onClose }, texts(hear)),
    request: (/** @type {unknown} */ value) => JSON.stringify(value),
    answer: (/** @type {unknown} */ value) => JSON.stringify(value),
  };
}

/** An event and its acknowledgement. */
function socketIo() {
  return {
    /** @param {Hear} hear @param {() => void} [onClose] */
    async open(hear, onClose) {
      const { socket } = await openSocketIo({ port, onClose }, () => {}, "", hear);
      return socket;
    },
    request: (/** @type {unknown} */ value, /** @type {number} */ id) => `42${id}${JSON.stringify(["order", value])}`,
    answer: (/** @type {unknown} */ value, /** @type {number} */ id) => `43${id}${JSON.stringify([value])}`,
  };
}
