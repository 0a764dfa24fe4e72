// A server and its clients in one process, without ports and without waiting: the real engine over connections in memory,
// with a clock that the test advances.

import { checkFinite, checkFunction, checkMethods, checkOptions, type ValueCheck } from "../base/option-values.ts";
import { connect, type WithRequests } from "../client/connect.ts";
import type { Connection, ConnectOptions } from "../client/connection.ts";
import type { WebSocketConstructor } from "../client/endpoint.ts";
import type { Environment } from "../client/environment.ts";
import type { RequestConnection } from "../client/requests.ts";
import type { WithCodec } from "../codec/message-codec.ts";
import type { ErrorReporter } from "../request/context.ts";
import type { Handler } from "../request/handle.ts";
import { checkRequestHandler, toGraceMs } from "../server/check-options.ts";
import { type FetchHandler, refuseServiceOptions, SERVE_CHECKS, type ServeOptions } from "../server/options.ts";
import { toHandler } from "../server/serve.ts";
import type { Server } from "../server/server.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { memoryFetch } from "./memory-fetch.ts";
import { MemoryNetwork, type TestNetwork } from "./network.ts";
import { TestEvents } from "./test-events.ts";
import { TestWebSocket, type TestWebSocketOptions } from "./test-web-socket.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** The options of `serve` that have a meaning without a port. */
type WithoutPort<Attachment> = Omit<
  ServeOptions<Attachment>,
  "port" | "host" | "path" | "fd" | "listenFds" | "backlog" | "tls" | "proxyProtocol" | "sessions" | "relay" | "stores"
>;

/** The options of `testServer`. `Attachment` is what `upgrade` returns as `attachment`. */
export interface TestServerOptions<Attachment = unknown> extends WithoutPort<Attachment> {
  /** A clock to share with a store: `createChannelStore({ clock })`. @default a new one */
  readonly clock?: VirtualClock | undefined;
  /** Random numbers for the clients' backoff, at least 0 and below 1. @default always 0.5 */
  readonly random?: (() => number) | undefined;
  /**
   * Called by `advance` with each step of time, at most 100 ms: to move timers of your own, as in
   * `(ms) => t.mock.timers.tick(ms)`.
   */
  readonly tick?: ((ms: number) => void) | undefined;
}

/** The platform of the clients in this server's network. */
export interface TestPlatform {
  /** The page or process in which the client is, with its clock and its chance. */
  readonly environment: Environment;
  /** `fetch`, which reaches the test server alone. */
  readonly fetch: typeof fetch;
  /** `WebSocket`, which reaches the test server alone. */
  readonly WebSocket: WebSocketConstructor;
}

type ClientOptions = Omit<ConnectOptions, keyof TestPlatform>;

/** A server in memory and clients for it, in virtual time. */
export interface TestServer extends AsyncDisposable {
  /** The real server, without a port; another one after `restart`. */
  readonly server: Server;
  /** `http://test-1.example`: each test server has an origin of its own. */
  readonly url: string;
  /** The clock of the server and its clients. */
  readonly clock: VirtualClock;
  /** The network between them. */
  readonly network: TestNetwork;
  /** The platform for other clients: `new ResumableWebSocket(url, [], app.platform)`. */
  readonly platform: TestPlatform;

  /** `connect` of `unichannel/client`, to a path of the server. `stop` closes it. */
  connect<In, Out>(
    path: string,
    options: ClientOptions & WithCodec<In, Out> & WithRequests,
  ): RequestConnection<In, Out>;
  connect(path: string, options: ClientOptions & WithRequests): RequestConnection;
  connect<In, Out>(path: string, options: ClientOptions & WithCodec<In, Out>): Connection<In, Out>;
  connect(path: string, options?: ClientOptions): Connection;

  /** A WebSocket to a path of the server; rejects with BAD_HANDSHAKE when the server refuses it. */
  websocket(path: string, options?: TestWebSocketOptions): Promise<TestWebSocket>;

  /** An event stream of a path of the server, read event by event; `headers` for `Last-Event-ID` and others. */
  events(path: string, headers?: Readonly<Record<string, string>>): TestEvents;

  /** `fetch`, of a path of the server. The body is a stream, which comes as the server writes it. */
  fetch(path: string | URL | Request, init?: RequestInit): Promise<Response>;

  /** Advances the time of server and clients, in milliseconds: timers fire in order, each followed by its effects. */
  advance(ms: number): Promise<void>;

  /** Resolves when no bytes are in flight and handlers have nothing left to do but wait for time. */
  settle(): Promise<void>;

  /** Takes the errors that were reported (`onError`) so far. */
  takeErrors(): unknown[];

  /**
   * Stops the server as `Server.stop` does, and starts another in its place, which knows nothing of the first. As much time
   * passes as the stop takes; clients come back by themselves, in their own time.
   */
  restart(options?: { /** @default 5000 */ readonly graceMs?: number }): Promise<void>;

  /**
   * Ends clients and server, as `Server.stop` does; as much time passes as that takes. Without an `onError` it rejects with
   * the reported errors that no `takeErrors` has taken.
   */
  stop(options?: { /** @default 5000 */ readonly graceMs?: number }): Promise<void>;
}

/** The step of time between two checks whether a stop without a limit is done. */
const UNLIMITED_STEP_MS = 1000;
/** The longest step of time where the test has timers of its own. */
const TICK_MS = 100;

const { port, host, path, fd, listenFds, backlog, tls, proxyProtocol, ...WITHOUT_PORT } = SERVE_CHECKS;

const TEST_OPTIONS: Readonly<Record<keyof TestServerOptions, ValueCheck>> = {
  ...WITHOUT_PORT,
  clock: checkMethods("a VirtualClock", ["now", "setTimer", "clearTimer", "advance"]),
  random: checkFunction,
  tick: checkFunction,
};

let count = 0;

/** A server for one test. Throws BAD_OPTION as `serve` rejects. */
export function testServer<Attachment = unknown>(
  handler: Handler<Attachment> | { readonly fetch: FetchHandler },
  options: TestServerOptions<Attachment> = {},
): TestServer {
  checkRequestHandler("testServer", handler);
  refuseServiceOptions("testServer", options);
  checkOptions("testServer", options, TEST_OPTIONS);
  return new MemoryServer(toHandler(handler as Handler), options);
}

class MemoryServer implements TestServer {
  server: MemoryEngine;
  readonly url: string = `http://test-${++count}.example`;
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly platform: TestPlatform;
  readonly #start: () => MemoryEngine;
  readonly #tick: ((ms: number) => void) | undefined;
  readonly #connections: { close(): boolean }[] = [];
  readonly #errors: unknown[] = [];
  readonly #isWatched: boolean;

  constructor(
    handler: Handler,
    { clock = new VirtualClock(), random = () => 0.5, tick, ...options }: TestServerOptions,
  ) {
    this.clock = clock;
    this.#tick = tick;
    this.#isWatched = options.onError !== undefined;
    const onError: ErrorReporter = (error, context) => {
      this.#errors.push(error);
      options.onError?.(error, context);
    };
    const { url } = this;
    this.#start = () => new MemoryEngine(handler, { ...options, onError }, { clock, url });
    this.server = this.#start();
    const network = new MemoryNetwork(
      clock,
      (socket) => this.server.accept(socket),
      () => this.server.status === "running",
    );
    this.network = network;
    this.platform = {
      environment: { clock, random, watch: (fn) => network.watch(fn) },
      fetch: memoryFetch(network, this.url),
      WebSocket: class extends TestWebSocket {
        constructor(url: string, protocols: string[] = [], { headers = {} }: TestWebSocketOptions = {}) {
          super(network, url, { protocols, headers });
        }
      } as WebSocketConstructor,
    };
  }

  connect(path: string, options: ClientOptions = {}): RequestConnection {
    const connection = connect(new URL(path, this.url), { ...options, ...this.platform });
    this.#connections.push(connection);
    // With the option `requests` it is one; the types above know that.
    return connection as RequestConnection;
  }

  async websocket(path: string, options?: TestWebSocketOptions): Promise<TestWebSocket> {
    const socket = new TestWebSocket(this.network, new URL(path, this.url), options);
    await socket.opened;
    return socket;
  }

  events(path: string, headers: Readonly<Record<string, string>> = {}): TestEvents {
    return new TestEvents((init) => this.fetch(path, init), headers);
  }

  fetch(path: string | URL | Request, init?: RequestInit): Promise<Response> {
    return this.platform.fetch(path, init);
  }

  async advance(ms: number): Promise<void> {
    checkFinite("the time of advance", ms);
    const end = this.clock.now() + ms;
    await this.settle();
    for (;;) {
      const { nextAt = Number.POSITIVE_INFINITY } = this.clock;
      const now = this.clock.now();
      if (now === end && nextAt > end) return;
      const stepMs = Math.min(nextAt, end) - now;
      const takenMs = this.#tick === undefined ? stepMs : Math.min(stepMs, TICK_MS);
      this.clock.advance(takenMs);
      this.#tick?.(takenMs);
      await this.settle();
    }
  }

  settle(): Promise<void> {
    return this.network.settle();
  }

  takeErrors(): unknown[] {
    return this.#errors.splice(0);
  }

  async restart(options: { readonly graceMs?: number } = {}): Promise<void> {
    await this.#stop(toGraceMs("restart", options));
    this.server = this.#start();
  }

  async stop(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = toGraceMs("stop", options);
    for (const connection of this.#connections) connection.close();
    await this.settle();
    await this.#stop(graceMs);
    // Clients that still wait are told that the connection is gone.
    this.network.cut();
    await this.settle();
    const errors = this.#isWatched ? [] : this.takeErrors();
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "errors that the test did not take");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(graceMs: number): Promise<void> {
    const stopped = this.server.stop({ graceMs });
    await this.settle();
    if (graceMs < Number.POSITIVE_INFINITY) {
      if (this.server.status !== "stopped") await this.advance(graceMs);
    } else while (this.server.status !== "stopped") await this.advance(UNLIMITED_STEP_MS);
    await stopped;
  }
}
