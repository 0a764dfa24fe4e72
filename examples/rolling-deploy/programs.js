// @ts-check
// Starts and ends programs, and waits for their ports.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** @typedef {import("node:child_process").ChildProcess} Child */

/** Where Linux has nginx, which is no command for users. */
const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/local/sbin:/usr/sbin` };

/** @param {string} command @param {string} flag One with which it prints its version. */
export function isInstalled(command, flag) {
  return spawnSync(command, [flag], { env }).error === undefined;
}

/** Starts a program that listens on `port`, and waits for it. @param {string} command @param {string[]} args @param {number} port */
export async function run(command, args, port) {
  const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command} has ended: is port ${port} in use?`);
    await delay(50);
  }
  return child;
}

/** Ends a program, and waits for its end. @param {Child} child */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** @returns {Promise<number>} A port that was free just now. */
export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
