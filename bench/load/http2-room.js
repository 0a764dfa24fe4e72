// @ts-check
// A room of event streams over HTTP/2, many on each connection. As in room.js, a connection of its own asks for more as soon as
// everybody has what was said; messages are counted by their mark, and all of each member's first burst is compared.
import { fail, measureTurns, openMany } from "../lib/generator.js";
import { openHttp2 } from "../lib/http2-client.js";
import { tookSince } from "../lib/latencies.js";
import { MARK, MESSAGE } from "../lib/room.js";

/** @type {import("../lib/generator.js").LoadConfig & { streams: number, burst: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, burst, connections, streams } = config;
const MARK_BYTE = MARK.charCodeAt(0);

let deliveries = 0;
let missing = 0;
/** To each member, so far. */
let said = 0;
let askedAt = 0;

const sessions = await openMany(connections, () => openHttp2(port));
const members = connections * streams;
await openMany(members, (index) => join(/** @type {any} */ (sessions[index % connections]), index % 10 === 0));
const control = await openHttp2(port);
const turnIsOver = measureTurns(config, () => deliveries);
ask();

function ask() {
  missing = members;
  said += burst;
  askedAt = performance.now();
  const stream = control.request({ ":method": "POST", ":path": `/publish?count=${burst}` }, { endStream: true });
  stream.on("error", fail);
  stream.resume();
}

/** Resolves when the stream has begun. @param {import("node:http2").ClientHttp2Session} session @param {boolean} isTimed @returns {Promise<void>} */
function join(session, isTimed) {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": "/member", accept: "text/event-stream" });
    stream.on("error", fail);
    stream.on("response", (head) => {
      if (head[":status"] !== 200) fail(new Error(`status ${head[":status"]}`));
      resolve();
    });
    let heard = 0;
    /** The bytes of the first burst, until they are compared. @type {string | undefined} */
    let early = "";
    stream.on("data", (/** @type {Buffer} */ bytes) => {
      if (early !== undefined) early = compared(early + bytes.toString("latin1"));
      const before = heard;
      for (let at = bytes.indexOf(MARK_BYTE); at !== -1; at = bytes.indexOf(MARK_BYTE, at + 1)) heard++;
      if (heard === before) return;
      deliveries += heard - before;
      if (heard > said) fail(new Error("a member heard something twice"));
      if (heard < said) return;
      if (isTimed) tookSince(askedAt);
      missing -= 1;
      if (missing > 0) return;
      turnIsOver();
      ask();
    });
  });
}

/** Undefined when the first burst is there and right; the text where more is to come. @param {string} text */
function compared(text) {
  const messages = text.split(MARK).slice(1);
  if (messages.length < burst || (messages[burst - 1]?.length ?? 0) < MESSAGE.length - MARK.length) return text;
  const isRight = messages.every((message) => `${MARK}${message}`.startsWith(MESSAGE));
  if (!isRight || messages.length > burst) fail(new Error(`not what was to be said: ${text}`));
  return undefined;
}
