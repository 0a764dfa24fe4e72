// `npm start`: the demo on 127.0.0.1:9090, or on HOST and PORT of the environment.

import { startService } from "./service.ts";

const host = process.env["HOST"] ?? "127.0.0.1";
const port = Number(process.env["PORT"] ?? 9090);

const service = await startService(host, port).catch((error) => {
  if (error.code !== "EADDRINUSE") throw error;
  console.error(`Port ${port} is in use. Choose another one: PORT=${port + 1} npm start`);
  process.exit(1);
});

console.log(`
  Open ${service.url}/
  Messages move at once. Then three buttons: cut the network, block WebSocket, deploy new servers.
  Look inside one of its servers: ${service.url}/inspect

  One endpoint, four ways. Three of them (the page shows all):
    a stream          curl -N ${service.url}/ticks
    an event stream   curl -N -H 'Accept: text/event-stream' ${service.url}/ticks
    a poll            curl '${service.url}/ticks?after=0'

  Join the chat of the page from a terminal:
    listen            curl -N -H 'Accept: text/event-stream' '${service.url}/chat?since=0'
    poll              curl '${service.url}/chat?since=0'
    speak             curl -d 'hello from curl' '${service.url}/chat?name=ann'

  Ctrl-C stops it.
`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await service.stop();
    process.exit();
  });
}
