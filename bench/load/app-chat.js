// @ts-check
// The members of a chat: lines, notices of typing, and members who come and go, all at steady rates. An operation is one event that
// one member receives; latency is the time from sending a line until every tenth member has it. Every fifth member who goes just
// drops its connection. Events are checked as lib/chat-log.js says.
import { measureApplication, steadily } from "../lib/application.js";
import { ChatLog } from "../lib/chat-log.js";
import { CLOSE, maskedFrame, TEXT } from "../lib/frames.js";
import { closedByServer, fail, openMany } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { openSocketIo } from "../lib/socket-io.js";
import { openWebSocket, texts } from "../lib/web-socket.js";

/**
 * @type {import("../lib/application.js").ApplicationConfig & { kind: keyof typeof kinds, linesPerSecond: number,
 *   noticesPerSecond: number, changesPerSecond: number }}
 */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, connections } = config;
const kinds = { webSocket, socketIo };
const { open, line, notice, goodbye, parse } = kinds[config.kind]();
const PADDING = "This is a line of a chat, neither long nor short.";
/** A member in this many goes without a goodbye. */
const LOST = 5;
/** A member in this many has its latency measured. */
const TIMED = 10;

/** @typedef {{ name: string, n: number, t: number, socket: import("node:net").Socket }} Member */

const log = new ChatLog(parse);
/** The members at the moment, the oldest first. @type {Member[]} */
const members = [];
let [came, went, lines, notices, received] = [0, 0, 0, 0, 0];

await openMany(connections, join);
const ends = [
  steadily(config.linesPerSecond, say),
  steadily(config.noticesPerSecond, type),
  steadily(config.changesPerSecond, change),
];
/** Members who are being welcomed. */
let coming = 0;
await measureApplication(config, {
  count: () => received,
  stop: () => ends.forEach((end) => void end()),
  missing() {
    if (coming > 0) return `${coming} members are not welcomed`;
    const last = came + went + lines;
    const behind = members.filter(({ name, n, t }) => n !== last || !log.areOwn(t, notices, name)).length;
    if (behind > 0) return `${behind} members have not received everything`;
    const fault = log.fault();
    return fault === undefined ? undefined : fail(new Error(fault));
  },
});

/** Resolves when the member is welcomed. */
async function join() {
  const name = `member-${++came}`;
  const isTimed = came % TIMED === 0;
  /** @type {Member} */
  const member = { name, n: 0, t: 0, socket: /** @type {any} */ (undefined) };
  /** The event with which the member came. */
  let since = 0;
  let names = 0;
  let kept = 0;
  let isCatchingUp = true;
  let isGone = false;
  /** @type {(socket?: unknown) => void} */
  let welcomed = () => {};
  const welcome = new Promise((resolve) => {
    welcomed = resolve;
  });
  const onClose = () => isGone || closedByServer();
  const onError = (/** @type {unknown} */ error) => isGone || fail(error);
  member.socket = await open({ port, onClose, onError }, name, (text) => {
    if (isGone) return;
    received += 1;
    const noted = log.read(text, member.n, member.t);
    const { type, n, t } = noted.event;
    if (since === 0) {
      if (type !== "welcome") fail(new Error(`not a welcome: ${text}`));
      member.n = since = n;
      member.t = t;
      names = noted.event.names.length;
      welcomed();
      return;
    }
    if (type === "said" && n < since) {
      if (!isCatchingUp) fail(new Error(`an old line comes late: ${text}`));
      kept += 1;
      return log.note(noted);
    }
    if (isCatchingUp) log.welcomed(since, names, kept);
    isCatchingUp = false;
    log.note(noted);
    if (type === "typing") {
      if (t <= member.t || noted.event.name === name) fail(new Error(`a notice comes twice, or back: ${text}`));
      for (let missed = member.t + 1; missed < t; missed++) log.gap(missed, name);
      member.t = t;
      return;
    }
    if (n !== member.n + 1) fail(new Error(`${name} has ${member.n} and receives ${text}`));
    member.n = n;
    if (type === "said" && isTimed) tookSince(noted.sentAt);
  });
  await welcome;
  members.push(Object.assign(member, { go }));

  function go() {
    isGone = true;
    if (went % LOST === 0) member.socket.destroy();
    else member.socket.end(goodbye);
  }
}

/** One of the newer half of the members: the server might not read the last words of one who goes. @param {number} turn */
function speaker(turn) {
  const staying = Math.floor(members.length / 2);
  return /** @type {Member} */ (members[staying + (turn % (members.length - staying))]);
}

function say() {
  const { name, socket } = speaker(++lines);
  const text = `${name} says line ${lines}. ${PADDING}`;
  log.said(text);
  socket.write(line(text));
}

function type() {
  notices += 1;
  speaker(notices * 7).socket.write(notice);
}

function change() {
  coming += 1;
  join().then(() => {
    coming -= 1;
  });
  went += 1;
  /** @type {any} */ (members.shift()).go();
}

/** @typedef {import("../lib/web-socket.js").Where} Where */

function webSocket() {
  return {
    open: (/** @type {Where} */ where, /** @type {string} */ name, /** @type {(text: string) => void} */ hear) =>
      openWebSocket(
        { ...where, path: `/chat?name=${name}` },
        texts((text) => hear(text.toString("latin1"))),
      ),
    line: (/** @type {string} */ text) => maskedFrame(TEXT, Buffer.from(JSON.stringify({ type: "say", text }))),
    notice: maskedFrame(TEXT, Buffer.from(JSON.stringify({ type: "typing" }))),
    goodbye: maskedFrame(CLOSE, Buffer.from([0x03, 0xe8])),
    parse: (/** @type {string} */ text) => JSON.parse(text),
  };
}

function socketIo() {
  return {
    async open(/** @type {Where} */ where, /** @type {string} */ name, /** @type {(text: string) => void} */ hear) {
      const { socket } = await openSocketIo(where, hear, JSON.stringify({ name }));
      return socket;
    },
    line: (/** @type {string} */ text) => maskedFrame(TEXT, Buffer.from(`42${JSON.stringify(["say", text])}`)),
    notice: maskedFrame(TEXT, Buffer.from('42["typing"]')),
    goodbye: Buffer.concat([maskedFrame(TEXT, Buffer.from("41")), maskedFrame(CLOSE, Buffer.from([0x03, 0xe8]))]),
    parse(/** @type {string} */ text) {
      const [type, value] = JSON.parse(text.slice(2));
      return { type, ...value };
    },
  };
}
