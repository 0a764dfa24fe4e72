// @ts-check
// `npm run pictures` draws the pictures of the documents; `node docs/pictures/draw.js --check` fails if one is not up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { arrow, box, lane, picture, text } from "./shapes.js";

/** A walk: steps from top to bottom, each with the file that takes it. @param {readonly (readonly [step: string, file: string, kind?: string])[]} steps */
function walk(steps) {
  return steps.flatMap(([step, file, kind], index) => {
    const y = 12 + index * 66;
    return [box(20, y, 400, step, file, kind), ...(index === 0 ? [] : [arrow(`220,${y - 18} 220,${y - 2}`)])];
  });
}

/** Messages between lanes, from top to bottom: a line of text, and its arrow below it. @param {readonly (readonly [from: number, to: number, label: string, kind?: string])[]} messages @param {number} top @param {number} step */
function messages(messages, top, step) {
  return messages.flatMap(([from, to, label, kind], index) => {
    const y = top + index * step;
    const direction = Math.sign(to - from);
    const middle = Math.min(Math.max((from + to) / 2, 130), 310);
    return [
      text(middle, y - 6, label, "small", "middle"),
      arrow(`${from + 3 * direction},${y} ${to - 3 * direction},${y}`, kind),
    ];
  });
}

/** @type {Record<string, string>} */
const PICTURES = {
  "walk-message-in": picture(
    "A message in, an echo out",
    "Bytes of a socket become a message that the application receives, and its answer is written once at the end of the turn.",
    412,
    walk([
      ["The socket brings bytes", "server/net-stream.ts"],
      ["Bytes become frames, frames a message", "codec/ws-frame.ts · protocol/websocket.ts"],
      ["The transport passes the message on", "transport/websocket/transport.ts", "ours"],
      ["The channel calls your receiver", "channel/inbox.ts · base/guard.ts", "good"],
      ["You call channel.send(message)", "channel/transport-channel.ts", "good"],
      ["One write, when all bytes are processed", "transport/websocket/transport.ts", "ours"],
    ]),
  ),
  "walk-publish": picture(
    "A publish out",
    "A published value is converted once, gets its id, is kept, and is sent to each member as shared bytes.",
    412,
    walk([
      ["You call store.publish(group, value)", "group/group-store.ts", "good"],
      ["The value is converted, once for all", "group/message.ts"],
      ["The stream of the group gives it an id", "group/stream · with a broker: all processes", "ours"],
      ["The history keeps it", "group/log.ts", "ours"],
      ["Each member gets it, in the same order", "group/group.ts"],
      ["Shared bytes, one write for each socket", "protocol/encoded-message.ts · io/flusher.ts"],
    ]),
  ),
  "walk-session": picture(
    "A message of a session",
    "The sender keeps a numbered record until it is acknowledged. After a loss it is sent again on the next carrier.",
    412,
    [
      box(20, 12, 120, "client", "", "ours"),
      box(300, 12, 120, "session", "on the server", "ours"),
      lane(80, 48, 400),
      lane(360, 62, 400),
      ...messages(
        [
          [80, 360, "open a carrier, token: none"],
          [360, 80, "open: token, received 0"],
          [360, 80, "message 1"],
          [80, 360, "acknowledge 1"],
          [360, 80, "message 2: the network is cut", "bad"],
          [80, 360, "a new carrier: token, after 1"],
          [360, 80, "message 2, again: it arrives once"],
          [80, 360, "acknowledge 2: the server forgets it"],
        ],
        104,
        40,
      ),
    ],
  ),
  carriers: picture(
    "The carriers of a client",
    "The client falls back from WebSocket to event stream to poll while nothing arrives, and returns later.",
    372,
    [
      box(120, 12, 200, "WebSocket", "both ways at once", "ours"),
      box(120, 122, 200, "event stream + POST", "works through most proxies", "ours"),
      box(120, 232, 200, "poll + POST", "works through all of them", "ours"),
      arrow("180,60 180,120"),
      arrow("180,170 180,230"),
      arrow("260,232 260,172"),
      arrow("260,122 260,62"),
      text(172, 95, "nothing arrives", "small", "end"),
      text(172, 205, "nothing arrives", "small", "end"),
      text(268, 88, "tried again later:", "small"),
      text(268, 104, "it works", "small"),
      text(268, 198, "tried again later:", "small"),
      text(268, 214, "it works", "small"),
      text(220, 318, "The session is the same on each of them:", "", "middle"),
      text(220, 338, "no message is lost, doubled or reordered.", "", "middle"),
    ],
  ),
  history: picture(
    "History and catching up",
    "A member that was away says the id of its last message. It gets what follows from the history, then live messages.",
    310,
    [
      text(20, 26, "the history of the group", "head"),
      ...[1, 2, 3, 4, 5, 6].map((id) =>
        box(20 + (id - 1) * 68, 40, 58, String(id), "", id <= 2 ? "" : id <= 5 ? "good" : "ours"),
      ),
      text(88, 92, "has them", "small", "middle"),
      text(254, 92, "was away", "small", "middle"),
      text(389, 92, "live", "small", "middle"),
      box(20, 118, 170, "the member", "comes back"),
      arrow("190,142 248,142"),
      text(219, 134, "since 2", "small", "middle"),
      box(250, 118, 170, "the group", "", "ours"),
      arrow("392,150 392,186 190,186"),
      text(190, 178, "3, 4, 5 once, from the history", "small"),
      arrow("410,150 410,222 190,222"),
      text(190, 214, "then 6 and all that follow", "small"),
      text(20, 262, "If 3 is no longer kept, the member is told of"),
      text(20, 282, "a gap: a reset, and then all that is kept."),
    ],
  ),
  "hand-over": picture(
    "A session moves to another process",
    "Process A stops writing, stores the session and ends its carrier. The client comes to process B, which takes it and continues it.",
    420,
    [
      box(8, 12, 90, "client"),
      box(118, 12, 90, "process A", "", "ours"),
      box(228, 12, 90, "store", ""),
      box(338, 12, 94, "process B", "", "ours"),
      ...[53, 163, 273, 385].map((x) => lane(x, 46, 410)),
      ...messages(
        [
          [53, 163, "messages"],
          [163, 273, "A stops, and stores the session"],
          [163, 53, "the carrier ends without a close"],
          [53, 385, "a new carrier with the same token"],
          [385, 273, "B takes the session"],
          [273, 385, "the snapshot, to B alone"],
          [385, 53, "open: resumed; what was not acknowledged"],
          [53, 385, "messages go on, none lost, none twice"],
        ],
        84,
        44,
      ),
    ],
  ),
};

for (const [name, svg] of Object.entries(PICTURES)) {
  const file = new URL(`${name}.svg`, import.meta.url);
  if (!process.argv.includes("--check")) writeFileSync(file, svg);
  else if (readFileSync(file, "utf8") !== svg) {
    console.error(`docs/pictures/${name}.svg is not up to date: npm run pictures`);
    process.exitCode = 1;
  }
}
