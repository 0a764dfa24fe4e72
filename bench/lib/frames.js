// @ts-check
// Prebuilt WebSocket bytes for the generators. RFC 6455 §5.2.

export const TEXT = 1;
export const BINARY = 2;

/** Any key but zero: a zero key would let a server skip the work. */
const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** The opening handshake of a client, with the key of RFC 6455 §1.3. */
export function upgradeRequest(path = "/") {
  return [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "\r\n",
  ].join("\r\n");
}

/** The frame as a client sends it. @param {number} opcode @param {Buffer} payload */
export function maskedFrame(opcode, payload) {
  const head = header(opcode, payload.length);
  head[1] = Number(head[1]) | 0x80;
  return Buffer.concat([head, Buffer.from(MASK), payload.map((byte, i) => byte ^ Number(MASK[i % 4]))]);
}

/** The frame as a server sends it. @param {number} opcode @param {Buffer} payload */
export function plainFrame(opcode, payload) {
  return Buffer.concat([header(opcode, payload.length), payload]);
}

/** @param {number} opcode @param {number} length */
function header(opcode, length) {
  if (length < 126) return Buffer.from([0x80 | opcode, length]);
  if (length < 65_536) return Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff]);
  throw new Error("no row needs frames of 64 KiB");
}
