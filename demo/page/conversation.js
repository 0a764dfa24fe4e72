// @ts-check
// The page's end of the session. Every message has a number, and the server answers with it, so the page can count losses,
// duplicates and round-trip times.

import { connect } from "/unichannel/client/index.js";
import { environment, NetworkWebSocket, networkFetch } from "./network.js";

/** @typedef {{ id: number, name: string, text: string, via: "websocket" | "sse" | "poll" | "post" }} Line */
/** @typedef {{ n: number, sentAt: number, json: string, text: string | undefined, isAgain: boolean }} Message */

/**
 * @typedef {object} Listener
 * @property {(message: Message) => void} [sent]
 * @property {(message: Message, ms: number) => void} [heard] The server has answered.
 * @property {(line: Line) => void} [line] The room has a new line.
 * @property {(at: number) => void} [deployed] A new server has taken the place of another one.
 */

const NUMBER_MS = 1000;
/** While new versions are deployed all the time. */
const BUSY_NUMBER_MS = 200;
const DEPLOY_EVERY_MS = 3000;
/** The page hears of a deploy at the latest when it is back. */
const MAX_PAUSE_MS = 10_000;

/** A secret, with which the page can tell the server to forget its sessions. */
const visitor = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("");
/** The id of the last line received. */
let since = 0;
let lastNumber = 0;

/** Messages that were sent and are not answered. @type {Map<number, Message>} */
export const waiting = new Map();
/** Messages sent again after a lost session, with the number of answers that may still arrive. @type {Map<number, number>} */
const answersDue = new Map();
export const tally = {
  sent: 0,
  heard: 0,
  lost: 0,
  twice: 0,
  resumed: 0,
  forgotten: 0,
  deploys: 0,
  ms: 0,
  longestMs: 0,
};

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
  if (news.deploy !== undefined) return deployed(news.at);
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
  // Either a message or its answer may be lost. The server recognises lines that it has by their numbers, and messages that were
  // never sent go out by themselves: each of these may be answered twice.
  for (const message of waiting.values()) {
    message.isAgain = true;
    if (connection.send(message.json)) answersDue.set(message.n, (answersDue.get(message.n) ?? 0) + 1);
  }
});

/** Sends a numbered message. Without `saying` it is not shown in the room. @param {{ name: string, text: string }} [saying] */
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
  // A session keeps the order: an earlier message without an answer is lost.
  for (const before of waiting.values()) {
    if (before.n === n) break;
    if (before.isAgain) continue;
    waiting.delete(before.n);
    tally.lost += 1;
  }
  waiting.delete(n);
  tally.heard += 1;
  tally.ms = performance.now() - message.sentAt;
  tally.longestMs = Math.max(tally.longestMs, tally.ms);
  for (const listener of listeners) listener.heard?.(message, performance.now() - message.sentAt);
}

/** Makes the server forget this page's sessions. Uses the real network, not the one that the switches break. */
export const forget = () => fetch(`/chat/forget?visitor=${visitor}`, { method: "POST" });

/** @param {number} at The time of the server; its clock may be another one. */
function deployed(at) {
  tally.deploys += 1;
  const agoMs = Math.min(Math.max(Date.now() - at, 0), MAX_PAUSE_MS);
  for (const listener of listeners) listener.deployed?.(performance.now() - agoMs);
}

/** Replaces one of the three servers. Uses the real network. */
export const deploy = () => fetch("/deploys", { method: "POST" }).catch(() => {});

/** @type {ReturnType<typeof setInterval> | undefined} */
let deploying;
/** Starts or ends deploys, one after the other, with more numbers meanwhile. @param {boolean} isOn */
export function setDeploying(isOn) {
  clearInterval(deploying);
  deploying = isOn ? setInterval(() => document.hidden || deploy(), DEPLOY_EVERY_MS) : undefined;
  if (isOn) deploy();
  clearInterval(numbers);
  numbers = setInterval(count, isOn ? BUSY_NUMBER_MS : NUMBER_MS);
}

let isCounting = true;
/** Starts or pauses the numbered messages. @param {boolean} isOn */
export function setCounting(isOn) {
  isCounting = isOn;
}
function count() {
  if (isCounting && !document.hidden) say();
}
let numbers = setInterval(count, NUMBER_MS);
