// @ts-check
// The limit for WebSocket echo: a bare node:net loop that unmasks, puts the server's header before the payload and
// writes once per read. It checks nothing, has no control frames and treats each fragment as a message.
import { createServer } from "node:net";
import { upgradeResponse } from "../lib/frames.js";
import { ready } from "../lib/ready.js";

let open = 0;
const server = createServer({ noDelay: true }, (socket) => {
  /** @type {Buffer | undefined} */
  let tail;
  socket.once("data", (/** @type {Buffer} */ request) => {
    socket.write(upgradeResponse(request), "latin1");
    open++;
    socket.on("close", () => open--);
    socket.on("data", (/** @type {Buffer} */ bytes) => {
      tail = echo(tail === undefined ? bytes : Buffer.concat([tail, bytes]));
    });
  });
  socket.on("error", () => socket.destroy());

  /**
   * Answers the whole frames in `bytes` and returns the rest.
   * @param {Buffer} bytes
   */
  function echo(bytes) {
    // A server frame is four bytes shorter than the client's: there is always room.
    const output = Buffer.allocUnsafe(bytes.length);
    let written = 0;
    let at = 0;
    while (bytes.length - at >= 2) {
      let length = Number(bytes[at + 1]) & 0x7f;
      const headerLength = length < 126 ? 2 : length === 126 ? 4 : 10;
      if (bytes.length - at < headerLength + 4) break;
      if (length === 126) length = bytes.readUInt16BE(at + 2);
      else if (length === 127) length = Number(bytes.readBigUInt64BE(at + 2));
      const mask = at + headerLength;
      const end = mask + 4 + length;
      if (end > bytes.length) break;
      bytes.copy(output, written, at, mask);
      output[written + 1] = Number(output[written + 1]) & 0x7f;
      written += headerLength;
      unmask(bytes, mask, output, written, length);
      written += length;
      at = end;
    }
    if (written > 0) socket.write(output.subarray(0, written));
    return at === bytes.length ? undefined : bytes.subarray(at);
  }
});
server.listen(0, "127.0.0.1", 1024, () => {
  ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port, () => open);
});

/** Short payloads byte by byte; long ones are copied and then unmasked in 32-bit words. */
const WORDS_FROM = 64;

/**
 * @param {Buffer} input
 * @param {number} mask the position of the key; the payload follows it
 * @param {Buffer} output
 * @param {number} to
 * @param {number} length
 */
function unmask(input, mask, output, to, length) {
  const from = mask + 4;
  if (length < WORDS_FROM) {
    for (let i = 0; i < length; i++) output[to + i] = Number(input[from + i]) ^ Number(input[mask + (i & 3)]);
    return;
  }
  input.copy(output, to, from, from + length);
  // Bytes up to a word's border, words, and the bytes left over.
  let i = 0;
  for (; (output.byteOffset + to + i) & 3; i++) output[to + i] = Number(output[to + i]) ^ Number(input[mask + (i & 3)]);
  const key = new Uint8Array(4);
  for (let k = 0; k < 4; k++) key[k] = Number(input[mask + ((i + k) & 3)]);
  const word = new Uint32Array(key.buffer)[0] ?? 0;
  const words = new Uint32Array(output.buffer, output.byteOffset + to + i, (length - i) >> 2);
  for (let w = 0; w < words.length; w++) words[w] = Number(words[w]) ^ word;
  for (i += words.length * 4; i < length; i++) {
    output[to + i] = Number(output[to + i]) ^ Number(input[mask + (i & 3)]);
  }
}
