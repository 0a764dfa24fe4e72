// The listening socket of a server on Bun, by `Bun.listen`. It hands each socket that it accepts to the engine's connections.
// TLS, PROXY headers and sockets that the process was started with stay with `../listener.ts`: Bun's `node:net` has them.

import type { AddressInfo } from "node:net";
import { ChannelError } from "../../base/errors.ts";
import { type Address, KEEP_ALIVE_MS, listenAt, toListenAddress, urlOf } from "../address.ts";
import { Connections } from "../connections.ts";
import type { EngineListener } from "../engine-listener.ts";
import type { ExchangeServer } from "../exchange-server.ts";
import type { OpenConnection } from "../exchange-source.ts";
import { SERVE_DEFAULTS, type ServeOptions } from "../options.ts";
import { type BunListening, type BunSocketHandlers, type BunTcpSocket, bunApi } from "./sockets.ts";
import { BunStream } from "./stream.ts";

/** True if `Bun.listen` can do what the options ask for. */
export function suitsBunListener({ tls, proxyProtocol = "off", fd, listenFds = false }: ServeOptions): boolean {
  return tls === undefined && proxyProtocol === "off" && fd === undefined && !listenFds;
}

export class BunListener implements EngineListener {
  readonly #connections: Connections;
  readonly #options: ServeOptions;
  readonly #address: Address;
  readonly #handlers: BunSocketHandlers<BunStream>;
  #listening: BunListening | undefined;

  /** Throws BAD_OPTION. */
  constructor(server: ExchangeServer, options: ServeOptions) {
    this.#options = options;
    this.#address = toListenAddress(options, process.env, process.pid);
    const connections = new Connections(server);
    this.#connections = connections;
    this.#handlers = toSocketHandlers(
      (socket) => {
        socket.setNoDelay(true);
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        connections.take(new BunStream(socket, connections));
      },
      (error) => server.report(error, { source: "connection" }),
    );
  }

  /** 0 on a Unix socket. */
  get port(): number {
    return this.isUnix ? 0 : (this.#listening?.port ?? 0);
  }

  get url(): string {
    const bound: AddressInfo = { address: "", family: "", port: this.port };
    return urlOf(this.#address, this.isUnix ? null : bound, "http");
  }

  get isUnix(): boolean {
    return "path" in this.#address;
  }

  get size(): number {
    return this.#connections.size;
  }

  listen(): Promise<void> {
    return listenAt(this.#address, async () => {
      this.#listening = this.#tryToListen();
    });
  }

  warnOfCertificate(): void {}

  setTls(): void {
    throw new ChannelError("BAD_OPTION", "the server was started without tls; give serve the option tls");
  }

  snapshot(): readonly OpenConnection[] {
    return this.#connections.snapshot();
  }

  async stopAccepting(maxMs: number): Promise<void> {
    this.#connections.stopAccepting();
    await this.#connections.allTaken(maxMs);
    this.#listening?.stop();
  }

  endConnections(): void {
    this.#connections.endConnections();
  }

  dropConnections(): Promise<void> {
    return this.#connections.dropConnections();
  }

  #tryToListen(): BunListening {
    const { backlog = SERVE_DEFAULTS.backlog } = this.#options;
    const settings = { backlog, allowHalfOpen: true, socket: this.#handlers };
    const address = this.#address;
    if ("path" in address) return bunApi().listen({ unix: address.path, ...settings });
    const { port, host } = address as { port: number; host: string | undefined };
    if (host !== undefined) return bunApi().listen({ hostname: host, port, ...settings });
    try {
      return bunApi().listen({ hostname: "::", port, ...settings });
    } catch (error) {
      // As node:net does where the system has no IPv6.
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error;
      return bunApi().listen({ hostname: "0.0.0.0", port, ...settings });
    }
  }
}

/** `open` makes the stream of a new socket. `report` receives exceptions of a stream, whose connection is dropped then. */
export function toSocketHandlers(
  open: (socket: BunTcpSocket<BunStream>) => void,
  report: (error: Error) => void,
): BunSocketHandlers<BunStream> {
  return {
    open,
    data: (socket, bytes) => socket.data?.received(bytes),
    drain: (socket) => socket.data?.drained(),
    end: (socket) => socket.data?.peerEnded(),
    close: (socket, error) => socket.data?.closed(error),
    error(socket, error) {
      report(error);
      socket.data?.failed(error);
    },
  };
}
