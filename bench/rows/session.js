// @ts-check
// The cost of a session above its channel (numbers, kept messages, acknowledgements), the cost of resuming, and the time until
// all clients are back after a restart of the server.
import { restartRow, workRow } from "../lib/row.js";

export const session = [
  workRow({
    name: "session-echo",
    title: "echo of 32 bytes of text over a session's WebSocket, 64 connections, 16 messages in flight on each",
    peers: { unichannel: "session-unichannel.js", channel: "ws-unichannel.js" },
    targets: { channel: "≥ 0.8 ×" },
    load: "session-echo.js",
    config: { connections: 64, inFlight: 16, messageBytes: 32, session: true },
    configs: { channel: { session: false } },
  }),
  workRow({
    name: "session-resume",
    title:
      "clients that lose their WebSocket and come back for the 4 messages of 128 bytes that they missed, 64 at a time",
    peers: { unichannel: "resume-unichannel.js", "Socket.IO": "resume-socketio.js", channel: "resume-channel.js" },
    brief: ["unichannel", "Socket.IO"],
    without: { ws: "it has no sessions" },
    load: "resume.js",
    config: { connections: 64, missed: 4, kind: "session" },
    configs: { "Socket.IO": { kind: "socketIo" }, channel: { kind: "channel" } },
  }),
  restartRow({
    name: "reconnect",
    title: "sessions whose server is stopped and started again",
    peers: { unichannel: "restart-unichannel.js" },
    targets: { unichannel: "≤ 30 s, no error" },
    without: {
      "Socket.IO": "who comes back after a restart finds no state in a new process: it would be another work",
    },
  }),
];
