// @ts-check
// Prebuilt WebSocket bytes for the generators, and for the bare servers. RFC 6455 §4 and §5.2.
import { createHash } from "node:crypto";

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;

/** Not zero: with a zero key a server could skip the unmasking. */
const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** The opening handshake of a client, with the key of RFC 6455 §1.3. @param {string} [path] @param {readonly string[]} [fields] */
export function upgradeRequest(path = "/", fields = []) {
  return [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    ...fields,
    "\r\n",
  ].join("\r\n");
}

/** RFC 6455 §4.2.2. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The server's answer to the opening handshake, which it does not check. @param {Buffer} request */
export function upgradeResponse(request) {
  const key = /sec-websocket-key: *([^\r]+)/i.exec(request.toString("latin1"))?.[1] ?? "";
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  return (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
  );
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
  const head = Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = 127;
  head.writeUInt32BE(length, 6);
  return head;
}

/** The length of the server's frame that begins at `at`; 0 while its header or its end is missing. @param {Buffer} bytes @param {number} [at] */
export function frameLength(bytes, at = 0) {
  if (bytes.length < at + 2) return 0;
  const head = headerLength(bytes, at);
  if (bytes.length < at + head) return 0;
  const payload =
    head === 2 ? Number(bytes[at + 1]) & 0x7f : head === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
  return bytes.length < at + head + payload ? 0 : head + payload;
}

/** The length of the server's frame header at `at`: at least its first two bytes must have arrived. @param {Buffer} bytes @param {number} [at] */
export function headerLength(bytes, at = 0) {
  const short = Number(bytes[at + 1]) & 0x7f;
  return short < 126 ? 2 : short === 126 ? 4 : 10;
}
