// The demo as a service: three servers behind a balancer that takes turns, so that the page can see deploys. They are in one process,
// so that the demo needs no Redis; examples/rolling-deploy has three processes, Redis and nginx.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type ChannelRequest, type MemorySessions, memorySessions, type Server, serve } from "../src/index.ts";
import { type Inspector, inspector } from "../src/inspector.ts";
import { demoWith, type Place } from "./demo.ts";
import { room, tellDeploy } from "./room.ts";

const SERVERS = 3;

export interface Service {
  readonly url: string;
  /** Replaces one server. Resolves when the old one has stopped; does nothing while another deploy runs. */
  deploy(): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when the balancer listens. Rejects with Node's own error. */
export async function startService(host: string, port: number): Promise<Service> {
  const records = memorySessions();
  let deploys = 0;
  let started = 0;
  /** The deploy that runs. */
  let deploying: Promise<void> | undefined;

  const start = (): Promise<Server> => {
    started += 1;
    return startServer(records, { number: started, deploy, deployAll });
  };
  /** One deploy runs at a time: `started` is the number of the server that it has begun. */
  const replaceOne = async (): Promise<void> => {
    const index = deploys % SERVERS;
    const old = servers[index]!;
    servers[index] = await start();
    deploys += 1;
    await tellDeploy(started);
    await old.stop();
  };
  const replace = async (count: number): Promise<void> => {
    for (let replaced = 0; replaced < count; replaced++) await replaceOne();
  };
  const begin = (count: number): Promise<void> => {
    deploying = replace(count).finally(() => {
      deploying = undefined;
    });
    return deploying;
  };
  const deploy = async (): Promise<void> => {
    if (deploying === undefined) await begin(1);
  };
  const deployAll = async (): Promise<void> => {
    while (deploying !== undefined) await deploying;
    await begin(SERVERS);
  };

  const servers = await Promise.all(Array.from({ length: SERVERS }, start));
  const sockets = new Set<Socket>();
  let turn = 0;
  const balancer = createServer({ allowHalfOpen: true }, (socket) => {
    turn = (turn + 1) % SERVERS;
    forward(socket, servers[turn]!.port!);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  balancer.listen(port, host);
  await once(balancer, "listening");

  return {
    url: `http://${host}:${(balancer.address() as AddressInfo).port}`,
    deploy,
    async stop() {
      balancer.close();
      await Promise.all(servers.map((server) => server.stop()));
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function startServer(records: MemorySessions, place: Place): Promise<Server> {
  const demo = demoWith(place);
  let inspect: Inspector | undefined;
  const server = await serve((request) => (isInspector(request) ? inspect?.(request) : demo(request)), {
    host: "127.0.0.1",
    port: 0,
    // A POST of a session has up to 64 KiB of messages.
    maxBodyBytes: 131_072,
    maxMessageBytes: 16_384,
    trustedProxies: ["loopback"],
    proxyProtocol: "required",
    sessions: records.share(),
    stores: { room },
  });
  // The page shows the one server of three that has its session, and goes on with another one when that is replaced.
  inspect = inspector(server, { authorize: isLocal, stores: { room }, allow: { close: true, publish: true } });
  return server;
}

function isInspector({ path }: ChannelRequest): boolean {
  return path === "/inspect" || path.startsWith("/inspect/");
}

/**
 * The balancer says from where a client comes. Others than this machine may use the demo, and not look inside. The host is checked
 * because a page can let its own name point to this machine (DNS rebinding).
 */
function isLocal({ remoteAddress = "", host }: ChannelRequest): boolean {
  return /^127\.|^::1$/.test(remoteAddress) && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(host);
}

/** Passes the bytes of a client on to a server, after a PROXY header (version 1) with the client's address. */
function forward(client: Socket, port: number): void {
  const { remoteAddress = "127.0.0.1", remotePort = 0 } = client;
  const address = remoteAddress.replace(/^::ffff:/, "");
  const family = address.includes(":") ? "TCP6" : "TCP4";
  const server = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  server.write(`PROXY ${family} ${address} ${family === "TCP6" ? "::1" : "127.0.0.1"} ${remotePort} ${port}\r\n`);
  client.setNoDelay(true);
  client.pipe(server).pipe(client);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on("error", () => other.destroy());
    one.once("close", () => other.destroy());
  }
}
