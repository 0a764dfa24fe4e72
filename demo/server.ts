// `npm start`: the demo on 127.0.0.1:9090, or on HOST and PORT of the environment.

import { serve } from "../src/index.ts";
import { demo } from "./demo.ts";

const host = process.env["HOST"] ?? "127.0.0.1";
const port = Number(process.env["PORT"] ?? 9090);

// A POST of a session has up to 64 KiB of messages.
const server = await serve(demo, { host, port, maxBodyBytes: 131_072, maxMessageBytes: 16_384 }).catch((error) => {
  if (error.code !== "EADDRINUSE") throw error;
  console.error(`Port ${port} is in use. Choose another one: PORT=${port + 1} npm start`);
  process.exit(1);
});

console.log(`
  Open ${server.url}/
  and cut its network, block WebSocket, or restart this server while it is open.

  One endpoint, four ways. Three of them (the page shows all):
    a stream          curl -N ${server.url}/ticks
    an event stream   curl -N -H 'Accept: text/event-stream' ${server.url}/ticks
    a poll            curl '${server.url}/ticks?after=0'

  Join the chat of the page from a terminal:
    listen            curl -N -H 'Accept: text/event-stream' '${server.url}/chat?since=0'
    poll              curl '${server.url}/chat?since=0'
    speak             curl -d 'hello from curl' '${server.url}/chat?name=ann'

  Ctrl-C stops it.
`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await server.stop();
    process.exit();
  });
}
