// @ts-check
// Three server processes behind one port, and the broker between them:
//     npm run example:cluster            with Redis
//     npm run example:cluster -- nats    with NATS
import { spawn, spawnSync } from "node:child_process";
import cluster from "node:cluster";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const PROCESSES = 3;
const broker = process.argv[2] ?? "redis";
const port = Number(process.env["BROKER_PORT"] ?? (broker === "nats" ? 14222 : 16379));
const folder = mkdtempSync(join(tmpdir(), "unichannel-cluster-"));

const { command, args, client } =
  broker === "nats"
    ? {
        command: "nats-server",
        args: ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", folder],
        client: "@nats-io/transport-node",
      }
    : {
        command: "redis-server",
        args: ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", folder, "--save", ""],
        client: "redis",
      };

if (spawnSync(command, ["--version"]).error !== undefined)
  exitWith(`${command} is missing: apt-get install ${command}`);
await import(client).catch(() => exitWith(`its client is missing: npm install ${client}`));

const server = spawn(command, [...args], { stdio: "ignore" });
while (!(await accepts(port))) {
  if (server.exitCode !== null)
    exitWith(`${command} did not start: is port ${port} in use? BROKER_PORT=… takes another`);
  await delay(50);
}

cluster.setupPrimary({ exec: new URL("server.js", import.meta.url).pathname });
for (let i = 0; i < PROCESSES; i++) cluster.fork({ BROKER: broker, BROKER_PORT: port });

let ready = 0;
cluster.on("message", (_, { url }) => {
  if (++ready < PROCESSES) return;
  console.log(
    `Listen, in two terminals: curl -N -H 'Accept: text/event-stream' '${url}/?group=a' – tell: curl -d hello '${url}/?group=a'` +
      ` – who is there: curl '${url}/who?group=a' – everything again: curl -N -H 'Accept: text/event-stream' '${url}/?group=a&since='`,
  );
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGTERM");
  });
}
cluster.on("exit", () => {
  if (Object.keys(cluster.workers ?? {}).length > 0) return;
  server.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exit();
});

/** @param {string} why @returns {never} */
function exitWith(why) {
  console.error(why);
  rmSync(folder, { recursive: true, force: true });
  process.exit(1);
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
