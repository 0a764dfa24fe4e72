// @ts-check
// Event streams of the generators over raw sockets, in chunks (RFC 9112 §7.1), one response after the other on a connection.
import { fail } from "./generator.js";
import { openSocket } from "./web-socket.js";

const HEAD_END = "\r\n\r\n";

/**
 * @typedef {object} Listener
 * @property {() => void} [onOpen] the head of a response has come
 * @property {(data: string) => void} onData the data of an event, in one line
 * @property {() => void} [onEnd] a response is complete
 */

/**
 * Opens a connection. `ask` sends a request for an event stream, when there is none under way.
 * @param {import("./web-socket.js").Where} where
 * @param {Listener} listener
 */
export function eventStreams(where, { onOpen, onData, onEnd }) {
  /** Bytes that are not decoded yet. */
  let held = "";
  /** The beginning of an event that is not complete. */
  let events = "";
  let isInBody = false;
  const socket = openSocket(where, (bytes) => {
    held += bytes.toString("latin1");
    if (!isInBody && !readHead()) return;
    const { body, used, isOver } = readChunks(held);
    held = held.slice(used);
    readEvents(body);
    if (!isOver) return;
    if (events !== "") fail(new Error(`the stream ends within an event: ${events}`));
    isInBody = false;
    onEnd?.();
  });

  /** True when the head is complete. */
  function readHead() {
    const end = held.indexOf(HEAD_END);
    if (end === -1) return false;
    const head = held.slice(0, end);
    const isStream = /^content-type: text\/event-stream/im.test(head) && /^transfer-encoding: chunked/im.test(head);
    if (!head.startsWith("HTTP/1.1 200 ") || !isStream) fail(new Error(head));
    held = held.slice(end + HEAD_END.length);
    isInBody = true;
    onOpen?.();
    return true;
  }

  /** @param {string} body */
  function readEvents(body) {
    events += body;
    let from = 0;
    for (let end = events.indexOf("\n\n"); end !== -1; end = events.indexOf("\n\n", from)) {
      const data = dataOf(events.slice(from, end));
      if (data !== undefined) onData(data);
      from = end + 2;
    }
    events = events.slice(from);
  }

  return {
    socket,
    /** @param {string} target */
    ask(target) {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
    },
  };
}

/** The whole chunks at the beginning of `text`. @param {string} text */
function readChunks(text) {
  let body = "";
  let used = 0;
  for (let line = text.indexOf("\r\n"); line !== -1; line = text.indexOf("\r\n", used)) {
    const size = Number.parseInt(text.slice(used, line), 16);
    const end = line + 2 + size;
    if (text.length < end + 2) break;
    body += text.slice(line + 2, end);
    used = end + 2;
    if (size === 0) return { body, used, isOver: true };
  }
  return { body, used, isOver: false };
}

/** The line of data in an event; undefined in a comment, or where there is none. @param {string} event */
function dataOf(event) {
  const at = event.startsWith("data:") ? 0 : event.indexOf("\ndata:") + 1;
  if (at === 0 && !event.startsWith("data:")) return undefined;
  const from = at + "data:".length + (event[at + "data:".length] === " " ? 1 : 0);
  const end = event.indexOf("\n", from);
  return end === -1 ? event.slice(from) : event.slice(from, end);
}
