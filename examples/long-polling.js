// @ts-check
// Long polling: the request waits until something happens. Then it is answered, and the client asks again.
import { serve, withChannel } from "unichannel";

/** @type {Set<import("unichannel").Channel>} */
const waiting = new Set();

function somethingHappened() {
  const answer = {
    status: 200,
    headers: { "Content-Type": "application/json; charset=utf-8" },
    body: "hello, polling",
  };
  // True: send and close. It is the default for HTTP, said here to be explicit.
  for (const channel of waiting) channel.send(answer, { close: true });
}

const server = await serve(
  (request) => {
    if (request.path === "/event") {
      const count = waiting.size;
      somethingHappened();
      return `answered ${count}\n`;
    }
    return withChannel(request, (channel) => {
      waiting.add(channel);
      // Runs when the answer was sent, and also when the client leaves before it.
      channel.onClose(() => waiting.delete(channel));
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);
setInterval(somethingHappened, 30_000);

console.log(`Wait: curl ${server.url}/ – and from another terminal make it happen: curl ${server.url}/event`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
