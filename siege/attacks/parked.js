// @ts-check
// Requests that wait for an answer: long polls, parked polls of sessions, silent plain channels, and idle WebSockets.

const REQUESTS = [
  "GET /parked HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /poll?group=nobody&since= HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /parked HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n",
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "parked",
  about: "6,000 requests that wait for an answer: polls, event streams, WebSockets",
  async run(attacker) {
    await attacker.many(6000, (index) =>
      index % 4 === 3 ? attacker.openWebSocket("/busy") : attacker.open(REQUESTS[index % 4]),
    );
    await attacker.hold();
  },
};
