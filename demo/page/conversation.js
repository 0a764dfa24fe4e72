// @ts-check
// The page's end of the session. Every message has a number, and the server answers with it: so the page knows what came,
// how often, and how long it took.

import { connect } from "/unichannel/client/index.js";
import { environment, NetworkWebSocket, networkFetch } from "./network.js";

/** @typedef {{ id: number, name: string, text: string, via: "websocket" | "sse" | "poll" | "http" | "post" }} Line */
/** @typedef {{ n: number, sentAt: number, json: string, text: string | undefined, isAgain: boolean }} Message */

/**
 * @typedef {object} Listener
 * @property {(message: Message) => void} [sent]
 * @property {(message: Message, ms: number) => void} [heard] The server has answered.
 * @property {(line: Line) => void} [line] Somebody has spoken.
 */

const NUMBER_MS = 1000;

/** Nobody else knows it: the server forgets the sessions of whoever says it. */
const visitor = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("");
/** The last line that is here. */
let since = 0;
let lastNumber = 0;

/** Sent, and not answered. @type {Map<number, Message>} */
export const waiting = new Map();
/** Sent again after a lost session: how many answers may still come. @type {Map<number, number>} */
const answersDue = new Map();
export const tally = { sent: 0, heard: 0, lost: 0, twice: 0, resumed: 0, forgotten: 0 };

/** @type {Listener[]} */
const listeners = [];
/** @param {Listener} listener */
export const listen = (listener) => void listeners.push(listener);

export const connection = connect("/chat/session", {
  WebSocket: NetworkWebSocket,
  fetch: networkFetch,
  environment,
  backoff: { firstMs: 250, capMs: 1000 },
  // A new session begins with what was said after `since`. The name is in each message: it may change.
  params: () => ({ visitor, since: String(since) }),
});

connection.onMessage((message) => {
  const news = JSON.parse(String(message));
  if (!Array.isArray(news)) return heard(news.heard);
  for (const line of news) {
    since = line.id;
    for (const listener of listeners) listener.line?.(line);
  }
});

connection.onOpen(({ session }) => {
  if (session === "resumed") tally.resumed += 1;
  if (session !== "lost") return;
  tally.forgotten += 1;
  // An answer may be lost as well as a message. The server knows by their numbers the lines that it has, and what has never
  // left goes out by itself: each of these may be answered twice.
  for (const message of waiting.values()) {
    message.isAgain = true;
    if (connection.send(message.json)) answersDue.set(message.n, (answersDue.get(message.n) ?? 0) + 1);
  }
});

/** Without `text` it is a number, and for the server alone. @param {{ name: string, text: string }} [saying] */
export function say(saying) {
  const n = lastNumber + 1;
  const json = JSON.stringify({ n, ...saying });
  if (!connection.send(json)) return;
  lastNumber = n;
  tally.sent += 1;
  const message = { n, sentAt: performance.now(), json, text: saying?.text, isAgain: false };
  waiting.set(n, message);
  for (const listener of listeners) listener.sent?.(message);
}

/** @param {number} n */
function heard(n) {
  const message = waiting.get(n);
  if (message === undefined) {
    const due = answersDue.get(n) ?? 0;
    if (due === 0) tally.twice += 1;
    else answersDue.set(n, due - 1);
    return;
  }
  // A session keeps the order: what was sent before and is not here will never be.
  for (const before of waiting.values()) {
    if (before.n === n) break;
    if (before.isAgain) continue;
    waiting.delete(before.n);
    tally.lost += 1;
  }
  waiting.delete(n);
  tally.heard += 1;
  for (const listener of listeners) listener.heard?.(message, performance.now() - message.sentAt);
}

/** Has the server forget this page's sessions. By the page's own network: it is the hand on the server, not the chat. */
export const forget = () => fetch(`/chat/forget?visitor=${visitor}`, { method: "POST" });

let isCounting = true;
/** Numbers go out, or not. @param {boolean} isOn */
export function setCounting(isOn) {
  isCounting = isOn;
}
setInterval(() => {
  if (isCounting && !document.hidden) say();
}, NUMBER_MS);
