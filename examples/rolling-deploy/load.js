// @ts-check
// The load: clients on all carriers, in rooms in which each carrier occurs, and the sum of what they have counted.
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "./client.js";

const CARRIERS = /** @type {const} */ (["websocket", "sse", "poll"]);
const CLIENTS_IN_ROOM = 6;
const PATIENCE_MS = 30_000;

export class Load {
  #clients;

  /** @param {string} url @param {number} size Number of clients. */
  constructor(url, size) {
    this.#clients = Array.from({ length: size }, (_, index) => {
      const carrier = CARRIERS[index % CARRIERS.length] ?? "poll";
      return new Client(url, { name: `${index}`, room: `${Math.floor(index / CLIENTS_IN_ROOM)}`, carrier });
    });
  }

  async begin() {
    await Promise.all(this.#clients.map(({ opened }) => opened));
    for (const client of this.#clients) client.begin();
  }

  /** Resolves when everything that was sent has arrived everywhere; after some time without, the rest counts as lost. */
  async end() {
    for (const client of this.#clients) client.end();
    const deadline = Date.now() + PATIENCE_MS;
    while (this.missing > 0 && Date.now() < deadline) await delay(20);
  }

  close() {
    return Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Number of messages that are still on their way. */
  get missing() {
    return this.#clients.reduce((sum, client) => {
      const room = this.#clients.filter(({ room }) => room === client.room);
      const ofRoom = room.map(({ name, sent }) => sent - (client.fromRoom.get(name)?.last ?? 0));
      const { sent, up, down } = client;
      return sum + (sent - up.last) + (sent - down.last) + ofRoom.reduce((all, one) => all + one, 0);
    }, 0);
  }

  /** The sum of all clients. */
  count() {
    const sequences = this.#clients.flatMap(({ up, down, fromRoom }) => [up, down, ...fromRoom.values()]);
    return {
      messages: sequences.reduce((sum, { last }) => sum + last, 0),
      lost: sequences.reduce((sum, { lost }) => sum + lost, 0),
      doubled: sequences.reduce((sum, { doubled }) => sum + doubled, 0),
      lostSessions: this.#clients.reduce((sum, client) => sum + client.lostSessions, 0),
      longestPauseMs: Math.max(...this.#clients.map(({ longestPauseMs }) => longestPauseMs)),
    };
  }
}
