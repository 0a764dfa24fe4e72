// A server in a process of its own that stops at SIGTERM, as the guide has it, and says which of its channels have ended.

import { type Channel, openSession, serve, withChannel } from "../../src/index.ts";

const server = await serve(
  (request) => {
    const open = (channel: Channel): void => {
      console.log(`open ${request.path}`);
      channel.onClose(({ code }) => console.log(`close ${request.path} ${code}`));
    };
    if (request.path.startsWith("/plain")) {
      withChannel(request, (channel) => {
        open(channel);
        if (request.path === "/plain/stream") channel.send("hello", false);
      });
      return;
    }
    openSession(request, {
      open(channel) {
        open(channel);
        // More than a client between two polls has, so that it is waited for.
        if (request.path === "/session/between") for (let i = 0; i < 3; i++) channel.send(`${i}`);
      },
      message: () => (request.path === "/session/behind" ? new Promise(() => {}) : undefined),
    });
  },
  { port: 0, host: "127.0.0.1" },
);
process.once("SIGTERM", () => {
  void server.stop({ graceMs: 2000 }).then(() => {
    console.log(`stopped ${server.stats().connections}`);
    process.exit();
  });
  console.log("stopping");
});
console.log(`${server.port}`);
