// The address on which a server listens: sockets that it is started with (sd_listen_fds(3)), and Unix sockets that a killed process
// left behind (bind(2): EADDRINUSE).

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, writeFileSync } from "node:fs";

import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type ServeOptions, serve } from "../../src/index.ts";
import { toListenAddress } from "../../src/server/address.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/proxies.ts";
import { RawClient } from "../support/raw-client.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate, request, serving, socketPath } from "../support/serving.ts";
import { within } from "../support/wait.ts";

const SERVER = fileURLToPath(new URL("../support/activated.js", import.meta.url));

/**
 * A stand-in for systemd, in 20 lines: opens a socket on 127.0.0.1, or at the path that is given, says its port, and runs the
 * program with it as fd 3, again and again. It waits for a line before the first time.
 */
const SYSTEMD = `
  use Socket;
  $^F = 10; $| = 1;
  my ($path, $fds, @program) = @ARGV;
  socket(S, $path ? PF_UNIX : PF_INET, SOCK_STREAM, 0) or die $!;
  bind(S, $path ? sockaddr_un($path) : sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
  listen(S, 100) or die $!;
  print $path ? "0\\n" : (sockaddr_in(getsockname(S)))[0] . "\\n";
  my $child;
  $SIG{TERM} = sub { kill("TERM", $child) if $child; exit 0 };
  <STDIN>;
  for (1 .. 3) {
    $child = fork();
    if ($child == 0) {
      if ($fds ne "") { $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = $fds; $ENV{LISTEN_FDNAMES} = "web"; }
      exec(@program);
    }
    waitpid($child, 0);
  }
`;

interface Activated {
  readonly port: number;
  /** The next line that the service prints. */
  line(): Promise<string>;
  /** Starts the service. */
  start(): void;
}

/** A service behind a listening socket. `fds`: LISTEN_FDS; empty: none of the variables. */
async function activated(
  t: TestContext,
  options: ServeOptions,
  { path = "", fds = "1" }: { path?: string; fds?: string } = {},
): Promise<Activated> {
  const program = [process.execPath, SERVER, JSON.stringify(options)];
  const child = spawn("perl", ["-e", SYSTEMD, path, fds, ...program], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => ended(child));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await within(lines.next(), () => "a line of the service")).value);
  return { port: Number(await line()), line, start: () => void child.stdin.write("\n") };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/**
 * Asks on a connection of its own. Where that ends before a byte of the response, it asks again, as clients of HTTP do for a
 * GET (RFC 9112 §9.3.1): a server that stops cannot know of a request that is still on its way.
 */
async function ask(t: TestContext, where: { port?: number; path?: string }, path = "/"): Promise<string> {
  const client = await RawClient.connect(t, where);
  client.write(request(`GET ${path}\r\nConnection: close`));
  await client.until(() => client.peek().length > 0 || client.isEnded, "a response");
  if (client.peek().length === 0) return ask(t, where, path);
  const { text } = await client.response();
  client.destroy();
  return text;
}

describe("listenFds", { skip: needs("perl") }, () => {
  it("listens on the socket that the process was started with, and answers clients that came before the process", async (t) => {
    const service = await activated(t, { listenFds: true });
    const early = await RawClient.connect(t, { port: service.port });
    early.write(request("GET /\r\nConnection: close"));
    service.start();
    assert.equal(await service.line(), `http://127.0.0.1:${service.port}`);
    assert.match((await early.response()).text, /^\d+$/);
  });

  it("removes the variables, so that child processes do not see them", async (t) => {
    const service = await activated(t, { listenFds: true });
    service.start();
    assert.equal(await ask(t, service, "/children"), "");
  });

  it("lets a service restart without refusing a client", async (t) => {
    const service = await activated(t, { listenFds: true });
    service.start();
    const first = await ask(t, service);
    process.kill(Number(first), "SIGTERM");
    // The old process answers these or the new one; none sees a closed port.
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(t, service)));
    assert.equal(answers.filter((pid) => !/^\d+$/.test(pid)).length, 0);
    let last = first;
    while (last === first) last = await ask(t, service);
  });

  it("listens on a Unix socket, whose peers may be trusted", {
    skip: lacks("a Unix socket as a file descriptor"),
  }, async (t) => {
    const path = socketPath(t);
    const service = await activated(t, { listenFds: true, trustedProxies: ["unix"] }, { path });
    service.start();
    assert.equal(await service.line(), "unix:");
    const client = await RawClient.connect(t, { path });
    client.write(request("GET /client\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close"));
    assert.equal((await client.response()).text, "192.0.2.7");
  });

  it("uses the other options where no socket is passed", async (t) => {
    const service = await activated(t, { listenFds: true, port: 0, host: "127.0.0.1" }, { fds: "" });
    service.start();
    const url = new URL(await service.line());
    assert.notEqual(Number(url.port), service.port);
    assert.match(await ask(t, { port: Number(url.port) }), /^\d+$/);
  });

  it("refuses to choose among several sockets", async (t) => {
    const service = await activated(t, { listenFds: true }, { fds: "2" });
    service.start();
    assert.match(await service.line(), /^BAD_OPTION .*there are 2: give each its server with fd$/);
  });

  it("works under systemd-socket-activate", { skip: needs("systemd-socket-activate") }, async (t) => {
    const port = await freePort();
    const program = [process.execPath, SERVER, '{"listenFds":true}'];
    const child = spawn("systemd-socket-activate", ["-l", `127.0.0.1:${port}`, ...program], { stdio: "pipe" });
    t.after(() => ended(child));
    const listens = (async () => {
      for await (const line of createInterface(child.stderr)) if (/Listening on/.test(line)) return;
    })();
    await within(listens, () => "its socket");
    assert.equal(await ask(t, { port }), String(child.pid));
  });
});

describe("a socket that systemd passes", () => {
  it("is taken only by the process that LISTEN_PID names, and the variables are removed", () => {
    for (const [env, options, address] of [
      [{ LISTEN_PID: "7", LISTEN_FDS: "1" }, {}, { fd: 3 }],
      [{ LISTEN_PID: "8", LISTEN_FDS: "1" }, {}, { port: 80, host: undefined }],
      [{ LISTEN_FDS: "1" }, {}, { port: 80, host: undefined }],
      [{ LISTEN_PID: "7", LISTEN_FDS: "0" }, { path: "/s" }, { path: "/s" }],
      [{ LISTEN_PID: "7" }, { fd: 5 }, { fd: 5 }],
      [{}, { path: "/s" }, { path: "/s" }],
    ] as const) {
      const left: NodeJS.ProcessEnv = { ...env, LISTEN_FDNAMES: "a", OTHER: "b" };
      assert.deepEqual(toListenAddress({ port: 80, listenFds: true, ...options }, left, 7), address);
      assert.deepEqual(left, { OTHER: "b" });
    }
  });

  it("is not taken without the option listenFds", () => {
    const env = { LISTEN_PID: "7", LISTEN_FDS: "1" };
    assert.deepEqual(toListenAddress({}, env, 7), { port: 9090, host: undefined });
    assert.deepEqual(env, { LISTEN_PID: "7", LISTEN_FDS: "1" });
  });
});

describe("fd", () => {
  it("is the number of a listening socket", { skip: needs("perl") }, async (t) => {
    const service = await activated(t, { fd: 3 }, { fds: "" });
    service.start();
    assert.equal(await service.line(), `http://127.0.0.1:${service.port}`);
    assert.match(await ask(t, service), /^\d+$/);
  });

  for (const [fd, what] of [
    [-1, "fd is -1; it must be an integer from 0 to 2147483647"],
    [1.5, "fd is 1.5; it must be an integer from 0 to 2147483647"],
    [10_000, "fd 10000 is not a stream socket of this process"],
  ] as const) {
    it(`is refused if it is no file descriptor: ${fd}`, async () => {
      await assert.rejects(
        serve(() => "never", { fd }),
        { code: "BAD_OPTION", message: new RegExp(`${what}$`) },
      );
    });
  }

  it("may be no Unix socket where TLS follows a PROXY header", {
    skip: needs("perl") || noCertificate || lacks("a Unix socket as a file descriptor"),
  }, async (t) => {
    const options: ServeOptions = { fd: 3, tls: certificate(), proxyProtocol: "required", trustedProxies: ["unix"] };
    const service = await activated(t, options, { fds: "", path: socketPath(t) });
    service.start();
    assert.match(await service.line(), /^BAD_OPTION .*fd is a Unix socket$/);
  });
});

describe("a Unix socket", { skip: process.platform === "win32" && "has no file here" }, () => {
  /** The file of a socket whose process was killed. */
  async function leftBehind(path: string): Promise<void> {
    const script = `${path}.mjs`;
    writeFileSync(
      script,
      "import net from 'node:net'; net.createServer().listen(process.argv[2], () => console.log('up'));",
    );
    const child = spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(lstatSync(path).isSocket());
  }

  it("is taken over from a process that was killed", async (t) => {
    const path = socketPath(t);
    await leftBehind(path);
    await serving(t, () => "here", { path });
    assert.equal(await ask(t, { path }), "here");
  });

  it("is left to the process that listens on it: EADDRINUSE", async (t) => {
    const path = socketPath(t);
    await serving(t, () => "first", { path });
    await assert.rejects(
      serve(() => "second", { path }),
      { code: "EADDRINUSE" },
    );
    assert.equal(await ask(t, { path }), "first");
  });

  it("does not replace a file that is no socket: EADDRINUSE, and the file stays", async (t) => {
    const path = socketPath(t);
    writeFileSync(path, "precious");
    await assert.rejects(
      serve(() => "never", { path }),
      { code: "EADDRINUSE" },
    );
    assert.ok(existsSync(path));
  });

  it("is removed when its server has stopped", async (t) => {
    const path = socketPath(t);
    const { server } = await serving(t, () => "here", { path });
    await server.stop();
    assert.equal(existsSync(path), false);
  });

  it("goes to one of two servers that want it at once", async (t) => {
    const path = socketPath(t);
    await leftBehind(path);
    const started = await Promise.allSettled([serve(() => "a", { path }), serve(() => "b", { path })]);
    const servers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    t.after(() => Promise.all(servers.map((server) => server.stop())));
    assert.ok(servers.length >= 1);
    assert.match(await ask(t, { path }), /^[ab]$/);
  });
});
