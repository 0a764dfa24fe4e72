// WebSocket echo on Deno.serve. Runs on Deno.
import { ready } from "../lib/ready.js";

let open = 0;
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  socket.onopen = () => open++;
  socket.onclose = () => open--;
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
ready(server.addr.port, () => open);
