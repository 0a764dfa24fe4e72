// A server in a process of its own, for tests of what it prints. It says its port, and ends with its stdin.

import { openSession, serve, withChannel } from "../../src/index.ts";

const server = await serve(
  (request) => {
    if (request.path === "/401") return { status: 401 };
    if (request.path === "/session") {
      return openSession(request, { message: (message, channel) => channel.send(message) });
    }
    return withChannel(request, (channel) => {
      channel.onMessage((message) => (message === "stop" ? void server.stop() : channel.send(message)));
    });
  },
  { host: "127.0.0.1", port: 0 },
);
console.log(server.port);
process.stdin.resume().on("end", () => process.exit());
