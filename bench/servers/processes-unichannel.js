// @ts-check
// A server on several processes of one machine, with a group across them: messages are sent back, or reach all members. With 0 processes
// it is one process without `runProcesses`.
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { processBackplane, runProcesses } from "../../dist/src/processes.js";
import { ready } from "../lib/ready.js";

const [work = "", count = "0"] = process.argv.slice(2);

/** @param {import("../../dist/src/index.js").Backplane} [backplane] @param {number} [port] */
function start(backplane, port = 0) {
  const store = createChannelStore(backplane === undefined ? {} : { backplane });
  return serve(
    (request) =>
      withChannel(request, (channel) => {
        if (work === "echo") {
          channel.onMessage((message) => channel.send(message));
          return;
        }
        store.addToGroup("all", channel);
        // A publish that is under way when the server is killed says so.
        channel.onMessage((message) => void store.publish("all", message).catch(() => {}));
      }),
    { port, host: "127.0.0.1" },
  );
}

if (count === "0") {
  const { port } = await start();
  ready(port);
} else {
  // All workers listen on one port, which the first process must know.
  const port = Number((process.env["BENCH_PORT"] ??= String(await freePort())));
  const { pids } = await runProcesses(Number(count), () => start(processBackplane(), port));
  ready(port, () => 0, pids);
}

async function freePort() {
  const server = await serve(() => "", { port: 0, host: "127.0.0.1" });
  await server.stop();
  return server.port;
}
