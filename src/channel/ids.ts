// Ids for logs: of requests, channels and connections. They are made on first use.

import { randomInt } from "node:crypto";

/** 41 bits of chance: of ten thousand processes whose logs are read together, two share it once in 50,000 times. */
const PROCESS = randomInt(36 ** 8)
  .toString(36)
  .padStart(8, "0");

let count = 0;

/**
 * `"k3f9x2ab-1"`: unique in this process and, but for the chance above, among processes. Short, and no secret: the next
 * one is easy to guess.
 */
export function nextId(): string {
  count += 1;
  return `${PROCESS}-${count.toString(36)}`;
}
