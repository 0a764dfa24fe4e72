// @ts-check
// The cost of a session above its channel (numbers, kept messages, acknowledgements), the cost of resuming, the cost of asking
// a process that does not have the session, and the time until all clients are back after a restart or stop of the server.
import { handOverRow } from "../lib/hand-over-row.js";
import { hasCommand } from "../lib/machine.js";
import { restartRow, workRow } from "../lib/row.js";

/** The processes need a broker. */
const OF_SERVICE = hasCommand("redis-server")
  ? [
      workRow({
        name: "relay-echo",
        title:
          "echo of 32 bytes of text over a session's WebSocket that another process passes on, 64 connections, 16 messages in " +
          "flight on each; the CPU time of both processes counts",
        peers: { unichannel: "service-unichannel.js redis", direct: "service-unichannel.js redis" },
        targets: { direct: "≥ 0.5 ×" },
        load: "session-echo.js",
        config: { connections: 64, inFlight: 16, messageBytes: 32, session: true, relayed: true },
        configs: { direct: { relayed: false } },
        processes: 2,
        brokers: { unichannel: "redis", direct: "redis" },
      }),
      handOverRow({
        name: "hand-over",
        title: "sessions whose process stops while two others of the service go on",
        peers: { unichannel: "service-unichannel.js redis" },
        targets: { unichannel: "≤ 15 s, stop ≤ 5 s, no error" },
        without: { "Socket.IO": "its sessions end with their process" },
        processes: 3,
        brokers: { unichannel: "redis" },
      }),
    ]
  : [];

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
    name: "session-request",
    title:
      "requests of 32 bytes of text and their replies over a session's WebSocket, 64 connections, 16 in flight on each",
    peers: { unichannel: "session-unichannel.js", message: "session-unichannel.js" },
    targets: { message: "≥ 0.7 ×" },
    load: "session-echo.js",
    config: { connections: 64, inFlight: 16, messageBytes: 32, session: true, requests: true },
    configs: { message: { requests: false } },
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
  ...OF_SERVICE,
];
