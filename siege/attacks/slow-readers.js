// @ts-check
// Clients that do not read: WebSockets, event streams, streams, sessions, and complete responses.
import { BINARY, maskedFrame } from "../lib/attacker.js";

const GETS = [
  "GET /push HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /push HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n",
  "GET /push-session HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n",
  "GET /big HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20),
];
const ECHO = maskedFrame(BINARY, Buffer.alloc(2_000_000));

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "slow-readers",
  about: "700 clients that read nothing: pushes on all transports, whole answers, and echoes of 2 MB",
  async run(attacker) {
    await attacker.many(700, async (index) => {
      const kind = index % 7;
      const socket =
        kind < 4
          ? await attacker.open(GETS[kind])
          : kind === 4
            ? await attacker.openWebSocket("/push")
            : kind === 5
              ? await attacker.openSession("/push-session")
              : await attacker.openWebSocket("/echo");
      socket.pause();
      if (kind === 6) attacker.send(socket, ECHO);
    });
    await attacker.hold();
  },
};
