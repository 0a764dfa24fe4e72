// The globals of Node that the server uses, for a page.
import { Buffer } from "buffer";
import * as absent from "./absent.js";
import * as crypto from "./crypto.js";

// The package has no base64url, which is how the tokens of sessions are written.
const toText = Buffer.prototype.toString;
/** @param {string | undefined} encoding @param {number} [start] @param {number} [end] */
Buffer.prototype.toString = function (encoding, start, end) {
  if (encoding !== "base64url") return toText.call(this, encoding, start, end);
  return toText.call(this, "base64", start, end).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
};

export { Buffer };

/** @param {string} name */
const getBuiltinModule = (name) => (name === "node:crypto" ? crypto : absent);

export const process = { env: {}, versions: {}, platform: "browser", pid: 1, nextTick: queueTick, getBuiltinModule };

/** @param {(...args: unknown[]) => void} run @param {unknown[]} args */
function queueTick(run, ...args) {
  queueMicrotask(() => run(...args));
}

// A turn of the event loop: a message to oneself. `setTimeout` would take 4 ms each.
const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const turns = [];
port1.onmessage = () => turns.shift()?.();

/** @param {(...args: unknown[]) => void} run @param {unknown[]} args */
export function setImmediate(run, ...args) {
  turns.push(() => run(...args));
  port2.postMessage(null);
}
