// @ts-check
// What a session costs above the channel that it is made of: numbers, what is kept, and acknowledgements both ways.
import { workRow } from "../lib/row.js";

export const session = workRow({
  name: "session-echo",
  title: "echo of 32 bytes of text over a session's WebSocket, 64 connections, 16 messages in flight on each",
  peers: { unichannel: "session-unichannel.js", channel: "ws-unichannel.js" },
  targets: { channel: "≥ 0.8 ×" },
  load: "session-echo.js",
  config: { connections: 64, inFlight: 16, messageBytes: 32, session: true },
  configs: { channel: { session: false } },
});
