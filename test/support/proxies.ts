// Real proxies for tests: nginx, haproxy and Caddy, each with the configuration that a test gives it, in a folder of its own, on
// a free port of 127.0.0.1; stopped when the test ends.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

const PATIENCE_MS = 5000;

/** `http`: what stands inside `http { … }`. Resolves when `port` accepts connections. */
export async function startNginx(t: TestContext, port: number, http: string): Promise<void> {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${name};`);
  const config = `
    daemon off; master_process off; pid nginx.pid; error_log stderr warn;
    events { worker_connections 64; }
    http { access_log off; ${temporary.join(" ")}
    ${http}
    }`;
  await start(t, port, "nginx.conf", config, (folder) => ["nginx", "-p", folder, "-e", "stderr", "-c", "nginx.conf"]);
}

/** Resolves when `port` accepts connections. */
export async function startHaproxy(t: TestContext, port: number, config: string): Promise<void> {
  await start(t, port, "haproxy.cfg", config, (folder) => ["haproxy", "-db", "-f", join(folder, "haproxy.cfg")]);
}

/** `site`: the site of a Caddyfile, without TLS of Caddy's own. Resolves when `port` accepts connections. */
export async function startCaddy(t: TestContext, port: number, site: string): Promise<void> {
  const own = "{\n  admin off\n  auto_https off\n  default_bind 127.0.0.1\n}\n";
  await start(t, port, "Caddyfile", own + site, () => [
    "caddy",
    ...["run", "--adapter", "caddyfile", "--config", "Caddyfile"],
  ]);
}

/** A port that was free just now. */
export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function start(
  t: TestContext,
  port: number,
  file: string,
  config: string,
  toCommand: (folder: string) => string[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "unichannel-proxy-"));
  writeFileSync(join(folder, file), `${config}\n`);
  const [command = "", ...args] = toCommand(folder);
  // Caddy writes its configuration and certificates there.
  const env = { ...process.env, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const output of [child.stdout, child.stderr]) {
    output.on("data", (bytes) => {
      said += bytes;
    });
  }
  t.after(async () => {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}: ${said}`);
    if (Date.now() > deadline) throw new Error(`${command} does not listen: ${said}`);
    await delay(20);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  await ended;
  clearTimeout(timer);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
