// WebSocket echo on a bare loop over Bun.listen: the limit for a WebSocket engine in JavaScript on Bun. It unmasks in place, puts
// the server's header before each payload, and writes once per read. It checks nothing, has no control frames, no limits and no
// long messages. With `text` each payload becomes a string and is encoded again, as a message of an application is. Runs on Bun.
import { upgradeResponse } from "../lib/frames.js";
import { ready } from "../lib/ready.js";

const isText = process.argv[2] === "text";
let open = 0;
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.setNoDelay(true);
      socket.data = { isUpgraded: false, tail: undefined };
    },
    close: (socket) => void (open -= socket.data.isUpgraded ? 1 : 0),
    data(socket, bytes) {
      const { data } = socket;
      if (!data.isUpgraded) {
        data.isUpgraded = true;
        open++;
        socket.write(upgradeResponse(bytes), "latin1");
        return;
      }
      const input = data.tail === undefined ? bytes : Buffer.concat([data.tail, bytes]);
      const used = isText ? echoText(socket, input) : echoBytes(socket, input);
      data.tail = used === input.length ? undefined : input.subarray(used);
    },
  },
});
ready(server.port, () => open);

/** Answers the whole frames in `bytes`; returns the number of bytes used. */
function echoBytes(socket, bytes) {
  let written = 0;
  let at = 0;
  while (bytes.length - at >= 6) {
    const length = bytes[at + 1] & 0x7f;
    const end = at + 6 + length;
    if (end > bytes.length) break;
    // The answer is four bytes shorter than the frame: it is written over bytes that were read already.
    bytes[written] = bytes[at];
    bytes[written + 1] = length;
    const [k0, k1, k2, k3] = [bytes[at + 2], bytes[at + 3], bytes[at + 4], bytes[at + 5]];
    const from = at + 6;
    const to = written + 2;
    for (let i = 0; i < length; i += 4) {
      bytes[to + i] = bytes[from + i] ^ k0;
      if (i + 1 < length) bytes[to + i + 1] = bytes[from + i + 1] ^ k1;
      if (i + 2 < length) bytes[to + i + 2] = bytes[from + i + 2] ^ k2;
      if (i + 3 < length) bytes[to + i + 3] = bytes[from + i + 3] ^ k3;
    }
    written += 2 + length;
    at = end;
  }
  if (written > 0) socket.write(bytes.subarray(0, written));
  return at;
}

function echoText(socket, bytes) {
  let output = "";
  let at = 0;
  while (bytes.length - at >= 6) {
    const length = bytes[at + 1] & 0x7f;
    const from = at + 6;
    const end = from + length;
    if (end > bytes.length) break;
    for (let i = 0; i < length; i++) bytes[from + i] ^= bytes[at + 2 + (i & 3)];
    const text = bytes.latin1Slice(from, end);
    output += String.fromCharCode(0x81, text.length) + text;
    at = end;
  }
  if (output !== "") socket.write(output, "latin1");
  return at;
}
