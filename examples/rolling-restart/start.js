// @ts-check
// Two servers behind haproxy, restarted one after the other while clients listen. Every client has to reconnect, and loses
// nothing. You need haproxy.cfg and server.js; this file does the work of systemd or Kubernetes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** @typedef {import("node:child_process").ChildProcess} Child */

const port = Number(process.env["PORT"] ?? 9090) || (await freePort());
const ports = [await freePort(), await freePort()];
const [PORT_ONE, PORT_TWO] = ports.map(String);
const url = `http://127.0.0.1:${port}`;
console.log(
  `Listen: curl -N -H 'Accept: text/event-stream' ${url}/ – and from another terminal: kill -HUP ${process.pid}`,
);

const PATH = `${process.env["PATH"]}:/usr/local/sbin:/usr/sbin`;
const proxy = spawn("haproxy", ["-q", "-db", "-f", pathOf("haproxy.cfg")], {
  env: { ...process.env, PATH, PORT: String(port), PORT_ONE, PORT_TWO },
  stdio: ["ignore", "ignore", "inherit"],
});
proxy.on("error", () => {
  console.error("haproxy is not installed. Debian: apt-get install haproxy; macOS: brew install haproxy");
  process.exit(1);
});

const servers = await Promise.all(ports.map(start));
console.log("two servers are up");

let restarting = Promise.resolve();
process.on("SIGHUP", () => void (restarting = restarting.then(restart)));

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    // A server that is being started would outlive this process.
    await restarting;
    await Promise.all([...servers, proxy].map(stop));
    process.exit();
  });
}

async function restart() {
  for (const [index, server] of servers.entries()) {
    await stop(server);
    // Restart the other one only when haproxy knows that this one is up.
    servers[index] = await start(ports[index] ?? 0);
  }
  console.log("both were restarted");
}

/** Resolves when haproxy knows that the server is up. @param {number} port */
async function start(port) {
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, [pathOf("server.js")], { env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const text of child.stdout) if (String(text).includes("checked")) break;
  console.log(`server ${child.pid} listens on port ${port}`);
  return child;
}

/** @param {Child} child */
async function stop(child) {
  const exit = once(child, "exit");
  if (child.kill("SIGTERM")) await exit;
}

/** @param {string} name */
function pathOf(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** @returns {Promise<number>} A port that was free just now. */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
