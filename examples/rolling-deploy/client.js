// @ts-check
// One client of the load. It sends a number several times a second, and checks every number that it gets: those of the server, and
// those that each client of its room has sent.
import { connect } from "unichannel/client";
import { Sequence } from "./sequence.js";

/** @typedef {import("./sequence.js").Counts} Counts */
/** @typedef {import("unichannel/client").CarrierKind} CarrierKind */

const SEND_EVERY_MS = 200;
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

export class Client {
  name;
  room;
  sent = 0;
  lostSessions = 0;
  longestPauseMs = 0;
  /** Numbers of this client, as the server has counted them. @type {Counts} */
  up = { last: 0, lost: 0, doubled: 0 };
  down = new Sequence();
  /** Numbers of each client in the room. @type {Map<string, Sequence>} */
  fromRoom = new Map();
  #heardAt = 0;
  #connection;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {string} url @param {{ name: string, room: string, carrier: CarrierKind }} options */
  constructor(url, { name, room, carrier }) {
    this.name = name;
    this.room = room;
    this.#connection = connect(`${url}/session`, {
      carriers: [carrier],
      params: { name, room },
      backoff: { firstMs: 100, capMs: 1000 },
      WebSocket: /** @type {typeof globalThis.WebSocket} */ (WebSocket),
    });
    this.#connection.onMessage((text) => this.#take(JSON.parse(String(text))));
    this.#connection.onOpen(({ session }) => {
      if (session === "lost") this.lostSessions += 1;
    });
  }

  get opened() {
    return this.#connection.opened;
  }

  begin() {
    this.#heardAt = Date.now();
    this.#timer = setInterval(() => this.#connection.send(String(++this.sent)), SEND_EVERY_MS);
  }

  end() {
    clearInterval(this.#timer);
  }

  close() {
    this.#connection.close();
    return this.#connection.closed;
  }

  /** @param {{ number: number, heard?: Counts, from?: string }} message */
  #take({ number, heard, from }) {
    if (heard === undefined) return this.#sequenceOf(String(from)).take(number);
    this.up = heard;
    this.down.take(number);
    this.longestPauseMs = Math.max(this.longestPauseMs, Date.now() - this.#heardAt);
    this.#heardAt = Date.now();
  }

  /** @param {string} from */
  #sequenceOf(from) {
    const sequence = this.fromRoom.get(from) ?? new Sequence();
    this.fromRoom.set(from, sequence);
    return sequence;
  }
}
