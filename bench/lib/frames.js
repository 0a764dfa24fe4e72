// @ts-check
// Prebuilt WebSocket bytes for the generators. RFC 6455 §5.2.

export const TEXT = 1;
export const BINARY = 2;

/** Any key but zero: a zero key would let a server skip the work. */
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

/** The length of the server's frame that `bytes` begins with; 0 while its header or its end is missing. @param {Buffer} bytes */
export function frameLength(bytes) {
  if (bytes.length < 2) return 0;
  const short = Number(bytes[1]) & 0x7f;
  const headerLength = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < headerLength) return 0;
  const payload = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
  return bytes.length < headerLength + payload ? 0 : headerLength + payload;
}
