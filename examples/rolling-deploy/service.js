// @ts-check
// The service: Redis, three processes of server.js, and nginx before them. It replaces a process as systemd or pm2 does.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, freePort, run } from "./programs.js";

/** @typedef {import("node:child_process").ChildProcess} Child */

export class Service {
  url = "";
  #folder = mkdtempSync(join(tmpdir(), "unichannel-deploy-"));
  #brokerPort = 0;
  /** @type {number[]} */
  #ports = [];
  /** @type {Child[]} */
  #servers = [];
  /** @type {Child[]} */
  #others = [];

  /** @param {number} port 0: any free one. @param {number} brokerPort */
  async start(port, brokerPort) {
    this.#brokerPort = brokerPort || (await freePort());
    const redis = ["--port", `${this.#brokerPort}`, "--bind", "127.0.0.1", "--dir", this.#folder, "--save", ""];
    this.#others.push(await run("redis-server", [...redis, "--logfile", "redis.log"], this.#brokerPort));

    this.#ports = [await freePort(), await freePort(), await freePort()];
    this.#servers = await Promise.all(this.#ports.map((port) => this.#serve(port)));

    const [PORT_ONE, PORT_TWO, PORT_THREE] = this.#ports.map(String);
    const ownPort = port || (await freePort());
    /** @type {Record<string, string | undefined>} */
    const values = { PORT: String(ownPort), PORT_ONE, PORT_TWO, PORT_THREE };
    const config = readFileSync(new URL("nginx.conf", import.meta.url), "utf8");
    writeFileSync(
      join(this.#folder, "nginx.conf"),
      config.replaceAll(/:(PORT\w*)/g, (_, name) => `:${values[name]}`),
    );
    const nginx = ["-p", this.#folder, "-e", "stderr", "-c", "nginx.conf"];
    this.#others.unshift(await run("nginx", nginx, ownPort));
    this.url = `http://127.0.0.1:${ownPort}`;
  }

  /** Stops a process and starts another one in its place. Resolves when that one listens. @param {number} count */
  async replace(count) {
    const index = count % this.#servers.length;
    const old = /** @type {Child} */ (this.#servers[index]);
    await end(old);
    const next = await this.#serve(this.#ports[index] ?? 0);
    this.#servers[index] = next;
    return `process ${next.pid} for ${old.pid}`;
  }

  async stop() {
    await Promise.all(this.#servers.map(end));
    for (const other of this.#others) await end(other);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Resolves when the process listens. @param {number} port */
  async #serve(port) {
    const env = { ...process.env, PORT: `${port}`, BROKER_PORT: `${this.#brokerPort}` };
    const child = fork(new URL("server.js", import.meta.url), { env });
    await once(child, "message");
    return child;
  }
}
