// @ts-check
// The members of a room, whatever brings them its messages: as soon as all of them have the last message, more are requested.
// Messages are counted by their mark, in any framing; each member's first burst is compared completely.

import { fail, measureTurns } from "./generator.js";
import { tookSince } from "./latencies.js";
import { MARK, MESSAGE } from "./room.js";

/** @typedef {(bytes: Buffer | string) => void} Hear handles the bytes that a member receives */

const MARK_BYTE = MARK.charCodeAt(0);

export class RoomMembers {
  #config;
  #request;
  #members = 0;
  #deliveries = 0;
  #missing = 0;
  /** Number of messages to each member so far. */
  #said = 0;
  #askedAt = 0;
  /** @type {() => void} */
  #turnIsOver = () => {};

  /**
   * @param {import("./generator.js").LoadConfig & { burst: number }} config
   * @param {() => void} request requests a message, or a burst in one turn
   */
  constructor(config, request) {
    this.#config = config;
    this.#request = request;
  }

  /** Begins to measure. Call it when all members are there. @param {number} members */
  begin(members) {
    this.#members = members;
    this.#turnIsOver = measureTurns(this.#config, () => this.#deliveries);
  }

  ask() {
    this.#missing = this.#members;
    this.#said += this.#config.burst;
    this.#askedAt = performance.now();
    this.#request();
  }

  /** Every tenth member measures the time from the request to the last message. @param {number} index @returns {Hear} */
  member(index) {
    const isTimed = index % 10 === 0;
    let heard = 0;
    /** The bytes of the first burst, until they are compared. @type {string | undefined} */
    let early = "";
    return (bytes) => {
      const text = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
      if (early !== undefined) early = this.#compared(early + text.toString("latin1"));
      const before = heard;
      for (let at = text.indexOf(MARK_BYTE); at !== -1; at = text.indexOf(MARK_BYTE, at + 1)) heard++;
      if (heard === before) return;
      this.#deliveries += heard - before;
      if (heard > this.#said) fail(new Error("a member heard something twice"));
      if (heard < this.#said) return;
      if (isTimed) tookSince(this.#askedAt);
      this.#missing -= 1;
      if (this.#missing > 0) return;
      this.#turnIsOver();
      this.ask();
    };
  }

  /** Returns undefined when the first burst is complete and correct; the text while it is incomplete. @param {string} text */
  #compared(text) {
    const { burst } = this.#config;
    const messages = text.split(MARK).slice(1);
    if (messages.length < burst || (messages[burst - 1]?.length ?? 0) < MESSAGE.length - MARK.length) return text;
    const isRight = messages.every((message) => `${MARK}${message}`.startsWith(MESSAGE));
    if (!isRight || messages.length > burst) fail(new Error(`not what was to be said: ${text}`));
    return undefined;
  }
}
