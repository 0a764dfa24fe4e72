// @ts-check
// One of several processes of a service whose sessions may be asked for at any of them, and move when one stops: echo on
// sessions. A session that has moved is sent one message.
import { connect } from "@nats-io/transport-node";
import { createClient } from "redis";
import { openSession, serve } from "../../dist/src/index.js";
import { natsSessions } from "../../dist/src/nats.js";
import { redisSessions } from "../../dist/src/redis.js";
import { ready } from "../lib/ready.js";

const [broker = "", brokerPort = ""] = process.argv.slice(2);
const sessions =
  broker === "nats"
    ? natsSessions(await connect({ servers: `127.0.0.1:${brokerPort}`, maxReconnectAttempts: -1 }))
    : redisSessions(createClient({ url: `redis://127.0.0.1:${brokerPort}` }));
/** The generator answers no pings, and on a busy machine it opens its connections slowly. */
const PATIENT = { heartbeatMs: 600_000 };
let open = 0;
let lost = 0;
const server = await serve(
  (request) =>
    openSession(
      request,
      {
        open: () => open++,
        message: (message, channel) => channel.send(message),
        save: () => ({ page: "/rooms/7", typed: 3 }),
        restored: (channel, state) => {
          open++;
          channel.send(`page ${/** @type {{ page: string }} */ (state).page}`);
        },
        close: () => open--,
      },
      PATIENT,
    ),
  {
    port: 0,
    host: "127.0.0.1",
    sessions,
    pingIntervalMs: Number.POSITIVE_INFINITY,
    maxSessionsPerAddress: Number.POSITIVE_INFINITY,
    onError: (error) => console.error(`  ${++lost}: ${error}`),
  },
);
process.on("message", async (question) => {
  if (question !== "stop") return;
  const begin = performance.now();
  const cpu = process.cpuUsage();
  await server.stop();
  const stopSeconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const { stored, notStored } = server.stats().sessions;
  process.send?.({ stopSeconds, stopCpuSeconds: (user + system) / 1e6, stored, notStored }, () => process.exit());
});
ready(server.port, () => open);
