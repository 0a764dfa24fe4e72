// @ts-check
// The cost of diagnostics: one request and one WebSocket message through the whole server except its sockets, without a
// subscriber to node:diagnostics_channel, with one for the ends of requests, and with one for everything.
// `npx tsc --build && node bench/micro/observe.js [CHECKOUT]`: CHECKOUT is another built checkout to compare with.
// Before diagnostics existed and since, in nine processes each (Node 20.20): a request 867 and 884 ns (medians),
// a message 262 and 249 ns (the fastest; the JIT's choices make a factor of two between processes). A request allocates 16
// bytes more, a message none, an idle channel keeps 16 bytes more.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { bench, run, summary } from "mitata";
import { encodeMaskedFrame } from "../../dist/src/codec/ws-frame.js";
import { checkoutAt, loadEngine, OWN } from "../lib/engine.js";

const EVENTS = [
  ...["connection.open", "connection.close", "request.start", "request.end", "channel.open", "channel.close", "error"],
].map((name) => `unichannel:${name}`);
const REQUEST = Buffer.from("GET /hello HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n");
const HANDSHAKE = Buffer.from(
  "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
);
const FRAME = Buffer.from(encodeMaskedFrame(1, Buffer.alloc(32, "unichannel "), Uint8Array.of(1, 2, 3, 4)));

/** Makes connections to a server that does not listen. @param {URL} checkout */
async function connection(checkout) {
  const { library, serve } = await loadEngine(checkout);
  return serve((request) => {
    if (!request.isWebSocket) return "hello world";
    return library.withChannel(request, (channel) => {
      channel.onMessage((message) => channel.send(message));
    });
  });
}

const other = process.argv[2];
/** @type {[string, URL][]} */
const builds = [["", OWN]];
if (other !== undefined) builds.push([`, ${other}`, checkoutAt(other)]);

/** @param {string} what @param {(stream: import("../lib/sink.js").Sink) => void} begin @param {Buffer} bytes @param {readonly string[]} names */
async function row(what, begin, bytes, names) {
  for (const [label, checkout] of builds) {
    const connect = await connection(checkout);
    bench(`${what}${label}`, function* () {
      const stream = connect();
      begin(stream);
      for (const name of names) subscribe(name, ignore);
      const scratch = Buffer.alloc(bytes.length);
      yield () => {
        // Pushed bytes belong to the server, which unmasks in place.
        bytes.copy(scratch);
        stream.listener.onBytes(scratch);
      };
      for (const name of names) unsubscribe(name, ignore);
      if (stream.written === 0) throw new Error("nothing was answered");
    });
  }
}

function ignore() {}

/** @param {import("../lib/sink.js").Sink} stream */
function upgrade(stream) {
  stream.listener.onBytes(Buffer.from(HANDSHAKE));
}

const rows = [
  () => row("a request, nobody listens", () => {}, REQUEST, []),
  () => row("a request, its end is listened to", () => {}, REQUEST, ["unichannel:request.end"]),
  () => row("a request, all is listened to", () => {}, REQUEST, EVENTS),
];
const messages = [
  () => row("a message and its echo, nobody listens", upgrade, FRAME, []),
  () => row("a message and its echo, all is listened to", upgrade, FRAME, EVENTS),
];
for (const group of [rows, messages]) {
  /** @type {Promise<void>[]} */
  const made = [];
  summary(() => {
    for (const add of group) made.push(add());
  });
  await Promise.all(made);
}

await run();
