// @ts-check
// The titles of charts, for a reader who does not know the rows: what is done, in words of its own. The exact title of a row stands small
// beneath, in the chart. A row that has a chart needs a line here (test/package/pictures.test.ts).

/** @type {Readonly<Record<string, string>>} By the name of a row or a curve. */
export const TITLES = {
  "http-hello": "Answers to short HTTP requests",
  "http-20-fields": "Answers to requests with all headers of a browser",
  "http-post-1k": "Answers to uploads of 1 KiB",
  "http-pipelined": "Answers to requests that come 16 at a time",
  "http-churn": "Answers where each request makes a new connection",

  "http2-hello": "Answers to short requests over HTTP/2",
  "attach-http2-hello": "Answers over HTTP/2, inside your own node:http2 server",
  "http2-publish-sse": "Messages delivered to 1,000 event streams over HTTP/2",
  "http2-publish-sse-16": "Messages delivered to 1,000 event streams over HTTP/2, 16 at once",
  "attach-http2-publish-sse": "Messages delivered to 1,000 event streams, inside your own node:http2 server",
  "attach-http2-publish-sse-16":
    "Messages delivered to 1,000 event streams, 16 at once, inside your own node:http2 server",

  "ws-echo-32-1": "Short WebSocket messages, each sent back",
  "ws-echo-32-1-alone": "Short WebSocket messages of a single client, each sent back",
  "ws-echo-32-16": "Short WebSocket messages, 16 at once, each sent back",
  "ws-echo-1k": "WebSocket messages of 1 KiB, each sent back",
  "ws-echo-16k": "WebSocket messages of 16 KiB, each sent back",
  "ws-echo-64k-text": "WebSocket texts of 64 KiB, each sent back",
  "ws-echo-64k-bytes": "WebSocket messages of 64 KiB of bytes, each sent back",
  "ws-echo-1m": "WebSocket messages of 1 MiB, each sent back",
  "ws-deflate-1k": "Compressed WebSocket messages, each sent back",
  "ws-echo-size": "WebSocket messages sent back, by their size",

  "attach-hello": "Answers to short requests, inside your own node:http server",
  "attach-ws-echo-1": "Short WebSocket messages sent back, inside your own node:http server",
  "attach-ws-echo-16": "Short WebSocket messages, 16 at once, inside your own node:http server",
  "attach-publish-1": "Messages delivered to 1,000 WebSockets, inside your own node:http server",
  "attach-publish-sse": "Messages delivered to 1,000 event streams, inside your own node:http server",
  "attach-idle-sse": "Memory of a silent event stream, inside your own node:http server",
  "attach-idle-ws": "Memory of a silent WebSocket, inside your own node:http server",

  "publish-1": "Messages delivered to 1,000 WebSocket clients",
  "publish-16": "Messages delivered to 1,000 WebSocket clients, 16 at once",
  "publish-10k-1": "Messages delivered to 10,000 WebSocket clients",
  "publish-10k-16": "Messages delivered to 10,000 WebSocket clients, 16 at once",
  "publish-members": "Messages delivered to WebSocket clients, by the number of clients",
  "publish-sse": "Messages delivered to 1,000 event streams",
  "publish-sse-16": "Messages delivered to 1,000 event streams, 16 at once",
  "publish-sse-10k-1": "Messages delivered to 10,000 event streams",
  "publish-sse-10k-16": "Messages delivered to 10,000 event streams, 16 at once",
  "publish-mixed": "Messages delivered to a room of WebSockets, event streams and polls",
  "wake-polls": "Polls answered when a message comes, 1,000 at once",

  "app-json": "JSON messages checked by a schema and answered",
  "app-json-minutes": "Memory while JSON messages are checked and answered",
  "app-chat": "Events in a chat of 500 people",
  "app-chat-minutes": "Memory of a chat of 500 people who come and go",
  "app-dashboard": "A live dashboard for 2,000 clients over WebSockets, event streams and polls",
  "app-dashboard-minutes": "Memory of a live dashboard for 2,000 clients",
  "app-dashboard-sse": "A live dashboard for 2,000 clients over event streams",
  "app-dashboard-sse-minutes": "Memory of a live dashboard for 2,000 event streams",
  "app-tokens": "Tokens of a language model to 500 readers",
  "app-tokens-minutes": "Memory while a language model answers 500 readers",

  "redis-2": "Messages to all clients of two processes, over Redis",
  "redis-2-16": "Messages to all clients of two processes, over Redis, 16 at once",
  "nats-2": "Messages to all clients of two processes, over NATS",
  "nats-2-16": "Messages to all clients of two processes, over NATS, 16 at once",

  "processes-echo": "Short WebSocket messages sent back by two processes of one machine",
  "processes-publish": "Messages to all clients of two processes of one machine, without a broker",
  "processes-publish-16": "Messages to all clients of two processes of one machine, without a broker, 16 at once",

  "session-echo": "Short messages of resumable sessions, 16 at once, each sent back",
  "session-request": "Requests and their replies over resumable sessions",
  "session-resume": "Clients that come back for what they missed",
  reconnect: "All clients come back after a restart of the server",
  "relay-echo": "Session messages that another process passes on",
  "hand-over": "All clients go on in other processes after a deploy",

  "inspected-publish-1": "Messages delivered to 1,000 WebSocket clients while the inspector looks on",
  "inspected-ws-echo-16": "WebSocket messages, 16 at once, while the inspector looks on",

  "idle-ws": "Memory of a silent WebSocket",
  "idle-sse": "Memory of a silent event stream",
  "idle-poll": "Memory of a waiting poll",
  "idle-session": "Memory of a silent resumable session",
  "scale-delivery": "CPU time of a message, by the number of members",
  "scale-memory": "Memory of each WebSocket, by their number",
  "scale-groups": "Time of a message, by the number of groups",
  "scale-reconnect": "Time until all sessions are back, by their number",

  start: "Time until a new process listens",
  import: "Time until a new process has imported the library",

  "bun-http-hello": "Answers to short HTTP requests, on Bun",
  "bun-ws-echo-32-1": "Short WebSocket messages sent back, on Bun",
  "bun-ws-echo-32-16": "Short WebSocket messages, 16 at once, on Bun",
  "bun-publish-16": "Messages delivered to 1,000 WebSocket clients on Bun, 16 at once",
  "bun-idle-ws": "Memory of a silent WebSocket, on Bun",
  "deno-http-hello": "Answers to short HTTP requests, on Deno",
  "deno-ws-echo-32-1": "Short WebSocket messages sent back, on Deno",
  "deno-ws-echo-32-16": "Short WebSocket messages, 16 at once, on Deno",

  "bun-serve-http-hello": "Answers to short HTTP requests, inside Bun.serve",
  "bun-serve-ws-echo-32-1": "Short WebSocket messages sent back, inside Bun.serve",
  "bun-serve-ws-echo-32-16": "Short WebSocket messages, 16 at once, inside Bun.serve",
  "bun-serve-publish-16": "Messages delivered to 1,000 WebSocket clients inside Bun.serve, 16 at once",
  "deno-serve-http-hello": "Answers to short HTTP requests, inside Deno.serve",
  "deno-serve-ws-echo-32-1": "Short WebSocket messages sent back, inside Deno.serve",
  "deno-serve-ws-echo-32-16": "Short WebSocket messages, 16 at once, inside Deno.serve",
};

/** @type {Readonly<Record<string, string>>} The units of charts, by the titles of columns. */
export const UNITS = {
  "per CPU-second": "per second of server CPU",
  "RSS kB each": "kB of memory for each",
  "s until all are back": "seconds until all are back",
  "ms until it listens": "milliseconds",
};
