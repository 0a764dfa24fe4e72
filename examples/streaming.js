// @ts-check
// HTTP streaming: one response that grows. A browser shows each message as it arrives.
import { serve, withChannel } from "unichannel";

const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      channel.onClose((status) => console.log(`closed by ${status.by}: ${status.name}`));
      for (let id = 0; id < 10; id++) {
        // A message every 200 ms. False: do not close after it.
        setTimeout(() => channel.send(`message from server #${id}`, { close: false }), id * 200);
      }
      setTimeout(() => channel.close(), 10_000);
    }),
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(`Open ${server.url}/ in a browser, or: curl -N ${server.url}/`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
