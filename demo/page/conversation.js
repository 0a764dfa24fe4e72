// @ts-check
// The page's end of the session. The server counts, and the page sees from the numbers whether one is missing or comes twice. The page
// numbers its own messages, and the server answers with the number: this shows the same of the other direction, and how long it takes.

import { connect } from "/unichannel/client/index.js";
import { keep, kept } from "./keep.js";
import { environment, NetworkWebSocket, networkFetch } from "./network.js";

/** @typedef {{ id: number, name: string, text: string, via: "websocket" | "sse" | "poll" | "post" }} Line */
/** @typedef {{ n: number, sentAt: number, json: string, text: string | undefined, isAgain: boolean }} Message */

/**
 * @typedef {object} Listener
 * @property {(message: Message) => void} [sent]
 * @property {(message: Message, ms: number) => void} [heard] The server has answered.
 * @property {(line: Line) => void} [line] The room has a new line.
 * @property {(at: number, server: number) => void} [deployed] A new server, with this number, takes the place of another one.
 * @property {(n: number, hasWaited: boolean) => void} [counted] A number of the server has arrived, the next one.
 * @property {(number: number) => void} [server] The session is at this server now.
 */

const NUMBER_MS = 500;
/** While new versions are deployed all the time. */
const BUSY_NUMBER_MS = 200;
const DEPLOY_EVERY_MS = 3000;
/** The page hears of a deploy at the latest when it is back. */
const MAX_PAUSE_MS = 10_000;
/** A message that takes so much longer than the quickest one has waited somewhere. */
const WAITED_MS = 150;

/** A secret, with which the page can tell the server to forget its sessions. */
const visitor = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("");
/** The id of the last line received. */
let since = 0;
let lastNumber = 0;
/** A page that is loaded again goes on from here. @type {{ lastCount?: number, received?: number, lost?: number, twice?: number }} */
const before = kept("numbers") ?? {};
/** The last number of the server that has arrived. @type {number | undefined} */
let lastCount = before.lastCount;
/** The same, when the page was loaded. */
export const firstCount = lastCount;
/** The session is new: its server may have begun to count again. */
let mayBeginAnew = true;
/** The least time from the server's clock to ours: it has the difference of the clocks. */
let quickestMs = Infinity;

/** Messages that were sent and are not answered. @type {Map<number, Message>} */
export const waiting = new Map();
/** Messages sent again after a lost session, with the number of answers that may still arrive. @type {Map<number, number>} */
const answersDue = new Map();
export const tally = {
  sent: 0,
  heard: 0,
  received: before.received ?? 0,
  waited: 0,
  lost: before.lost ?? 0,
  twice: before.twice ?? 0,
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
  // A new session begins with what was said after `since`, and with the numbers after `count`. The name is in each message: it may change.
  params: () => ({ visitor, since: String(since), ...(lastCount !== undefined && { count: String(lastCount) }) }),
});

connection.onMessage((message) => {
  const news = JSON.parse(String(message));
  if (news.deploy !== undefined) return deployed(news);
  if (news.count !== undefined) return counted(news);
  // The page was closed for longer than the server keeps numbers for a new session. What a lost session has missed is lost.
  if (news.goneTo !== undefined) {
    if (tally.forgotten === 0) lastCount = undefined;
    return;
  }
  if (news.server !== undefined) {
    for (const listener of listeners) listener.server?.(news.server);
    return;
  }
  if (!Array.isArray(news)) return heard(news.heard);
  for (const line of news) {
    since = line.id;
    for (const listener of listeners) listener.line?.(line);
  }
});

connection.onOpen(({ session }) => {
  if (session === "resumed") tally.resumed += 1;
  if (session !== "resumed") mayBeginAnew = true;
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

/** @param {{ count: number, at: number }} number */
function counted({ count, at }) {
  const takenMs = Date.now() - at;
  if (mayBeginAnew && lastCount !== undefined && count <= lastCount) lastCount = undefined;
  mayBeginAnew = false;
  if (lastCount !== undefined && count <= lastCount) {
    tally.twice += 1;
    keepNumbers();
    return;
  }
  if (lastCount !== undefined) tally.lost += count - lastCount - 1;
  lastCount = count;
  quickestMs = Math.min(quickestMs, takenMs);
  const hasWaited = takenMs - quickestMs > WAITED_MS;
  tally.received += 1;
  keepNumbers();
  if (hasWaited) tally.waited += 1;
  for (const listener of listeners) listener.counted?.(count, hasWaited);
}

function keepNumbers() {
  const { received, lost, twice } = tally;
  keep("numbers", { lastCount, received, lost, twice });
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
  if (tally.ms > WAITED_MS) tally.waited += 1;
  tally.longestMs = Math.max(tally.longestMs, tally.ms);
  for (const listener of listeners) listener.heard?.(message, performance.now() - message.sentAt);
}

/** Makes the server forget this page's sessions. Uses the real network, not the one that the switches break. */
export const forget = () => fetch(`/chat/forget?visitor=${visitor}`, { method: "POST" });

/** @param {{ deploy: number, at: number }} news `at`: the time of the server; its clock may be another one. */
function deployed({ deploy, at }) {
  tally.deploys += 1;
  const agoMs = Math.min(Math.max(Date.now() - at, 0), MAX_PAUSE_MS);
  for (const listener of listeners) listener.deployed?.(performance.now() - agoMs, deploy);
}

/** Replaces one of the three servers. Uses the real network. */
export const deploy = () => fetch("/deploys", { method: "POST" }).catch(() => {});

/** Replaces all three servers, one after the other. */
export const deployAll = () => fetch("/deploys?of=all", { method: "POST" }).catch(() => {});

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
