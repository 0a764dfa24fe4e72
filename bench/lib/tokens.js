// @ts-check
// The language model of the row app-tokens: a generator that yields 50 tokens a second until its answer is complete, or its reader
// has gone.
import { setTimeout as sleep } from "node:timers/promises";
import { now } from "./clock.js";

const TOKEN_MS = 20;
const WORDS = "a language model answers word by word and each of its tokens is an event of its own".split(" ");

let running = 0;

/** The answers under way. */
export const answersUnderWay = () => running;

/** @param {number} i */
export const wordOf = (i) => ` ${WORDS[i % WORDS.length]}`;

/**
 * The tokens as JSON, with their number and the time at which they were made.
 * @param {number} count
 * @param {AbortSignal} signal of the reader
 */
export async function* answer(count, signal) {
  const begin = now();
  running += 1;
  try {
    for (let i = 0; i < count; i++) {
      const wait = begin + i * TOKEN_MS - now();
      if (wait > 0) await sleep(wait);
      if (signal.aborted) return;
      yield JSON.stringify({ i, at: now(), token: wordOf(i) });
    }
  } finally {
    running -= 1;
  }
}

/** The length of the answer in the URL of a question. @param {string} [target] */
export function lengthIn(target = "") {
  return Number(/tokens=(\d+)/.exec(target)?.[1]);
}
