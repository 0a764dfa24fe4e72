// The functions of node:crypto that the server calls, on the Web Crypto of the page and on @noble/hashes.
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Buffer } from "./globals.js";

/** @type {Record<string, (bytes: Uint8Array) => Uint8Array>} */
const ALGORITHMS = { sha1, sha256 };

/** @param {string} algorithm @param {string} text @param {BufferEncoding} encoding */
export function hash(algorithm, text, encoding) {
  return Buffer.from(ALGORITHMS[algorithm](Buffer.from(text))).toString(encoding);
}

/** @param {number} size */
export function randomBytes(size) {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(size)));
}

/** @param {number} limit */
export function randomInt(limit) {
  return Math.floor(Math.random() * limit);
}

export const randomUUID = () => crypto.randomUUID();

export { createHash, timingSafeEqual, X509Certificate } from "./absent.js";
