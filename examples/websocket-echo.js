// @ts-check
// A WebSocket that returns each message, text as text and binary as binary.
import { serve, withChannel } from "unichannel";

const server = await serve(
  (request) => {
    if (!request.isWebSocket) return "Here is a WebSocket echo.\n";
    return withChannel(request, (channel) => {
      channel.onClose((status) => console.log(`closed by ${status.by}: ${status.code} ${status.reason}`));
      channel.onMessage((message) => channel.send(message));
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

const script = `s = new WebSocket(location); s.onmessage = (m) => console.log(m.data); s.onopen = () => s.send("hello")`;
console.log(`Try: curl ${server.url}/ – or open it in a browser and type in its console: ${script}`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
