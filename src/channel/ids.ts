// Ids for logs: of requests, channels and connections. They are made on first use.

import { nodeCrypto } from "../transport/node-modules.ts";

/** 41 bits of chance: of ten thousand processes whose logs are read together, two share it once in 50,000 times. */
const CHANCES = 36 ** 8;

let prefix: string | undefined;
let count = 0;

/**
 * `"k3f9x2ab-1"`: unique in this process and, but for the chance above, among processes. Short, and no secret: the next
 * one is easy to guess.
 */
export function nextId(): string {
  count += 1;
  prefix ??= nodeCrypto().randomInt(CHANCES).toString(36).padStart(8, "0");
  return `${prefix}-${count.toString(36)}`;
}
