// The result of `server.stats()` before anything has happened.

import type { ServerStats } from "../../src/index.ts";

export const FRESH: ServerStats = {
  connections: 0,
  connectionsOpened: 0,
  connectionsRefused: 0,
  requests: 0,
  responses: { "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 },
  channels: { websocket: 0, sse: 0, stream: 0, poll: 0 },
  channelsClosed: { websocket: {}, sse: {}, stream: {}, poll: {} },
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  bufferedBytes: 0,
  overflows: { close: 0, drop: 0 },
  rateExceeded: { close: 0, drop: 0, wait: 0 },
  expired: 0,
  sessions: { open: 0, relaysOpen: 0, relayed: 0, stored: 0, notStored: 0, taken: 0, lost: 0 },
  errors: {},
};
