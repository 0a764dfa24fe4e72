// A connection of node-redis, ioredis or iovalkey as the backplane uses it: raw commands, replies of one shape, and none of the
// library's own reconnecting.

import { badOption, checkMethods } from "../../base/option-values.ts";

/** The members of a client of ioredis or iovalkey that are used; their `Cluster` has them, too. */
export interface IoredisClient {
  /** Sends a raw command and answers with Buffers. */
  callBuffer(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>;
  /** Makes a client with the same options, and its own connection. */
  duplicate(): object;
}

/** The members of a client of node-redis (4 to 6) that are used. Its clusters and pools do not have this shape. */
export interface NodeRedisClient {
  /** The options of the client, of which `socket` is used. */
  readonly options?: object | undefined;
  /** Sends a raw command. */
  sendCommand(args: readonly (string | Buffer)[]): Promise<unknown>;
  /** Makes a client with the same options, and its own connection. */
  duplicate(): object;
}

/** A client of node-redis (4 to 6), ioredis or iovalkey. The backplane uses only duplicates of it, so it need not be connected. */
export type RedisClient = IoredisClient | NodeRedisClient;

export type RedisArgument = string | Uint8Array;

/** One connection, whose replies contain Buffers. */
export interface RedisConnection {
  connect(): Promise<unknown>;
  send(args: readonly RedisArgument[]): Promise<unknown>;
  end(): void;
}

/** Members that all supported clients have, and those of one family or the other. */
interface AnyClient {
  on(event: string, listener: (error?: unknown) => void): unknown;
  connect(): Promise<unknown>;
  /** ioredis, iovalkey. */
  callBuffer?(...args: (string | Buffer)[]): Promise<unknown>;
  /** node-redis. */
  sendCommand?(args: readonly (string | Buffer)[], options: object): Promise<unknown>;
  destroy?(): void;
  disconnect(): unknown;
}

/** RESP 2 in all libraries, so that replies have one shape. */
const IOREDIS_OPTIONS = {
  autoResendUnfulfilledCommands: false,
  connectionName: "unichannel",
  enableOfflineQueue: false,
  keyPrefix: "",
  lazyConnect: true,
  maxRetriesPerRequest: null,
  protocol: 2,
  reconnectOnError: null,
  retryStrategy: null,
};
/**
 * RESP type "$" as a Buffer: `typeMapping` since version 5, `returnBuffers` in version 4. Without a time limit for a command that
 * the library has not written yet: version 6 has one of 5 s, and makes an AbortSignal for each command.
 */
const NODE_REDIS_OPTIONS = { returnBuffers: true, typeMapping: { 36: Buffer }, timeout: undefined };

const checkDuplicate = checkMethods("a client of node-redis, ioredis or iovalkey", ["duplicate"]);

/**
 * Throws BAD_OPTION if `client` is not a client of a supported library. Calls nothing of it. `owner`: name of the function whose
 * first argument it is.
 */
export function checkRedisClient(owner: string, client: unknown): void {
  familyOf(client, `the first argument of ${owner}`);
}

function familyOf(client: unknown, name = "the client"): "ioredis" | "node-redis" {
  checkDuplicate(name, client);
  const { callBuffer, sendCommand, options } = client as Partial<AnyClient & NodeRedisClient>;
  if (typeof callBuffer === "function") return "ioredis";
  if (typeof sendCommand !== "function") {
    throw badOption(
      `${name} has neither the method sendCommand of node-redis nor callBuffer of ioredis and iovalkey; pass one of their clients`,
    );
  }
  if (options === undefined || "masters" in (client as object)) {
    throw badOption(`${name} is a cluster or pool of node-redis; pass a single client, or ioredis for a cluster`);
  }
  return "node-redis";
}

/** Throws BAD_OPTION if the duplicate is not a client. `lost` is called at least once when the connection ends. */
export function openConnection(client: RedisClient, lost: (error: unknown) => void): RedisConnection {
  const connection = duplicate(client);
  const { callBuffer, sendCommand } = connection;
  for (const event of ["error", "end", "close"]) connection.on(event, (error) => lost(error ?? "connection closed"));
  return {
    connect: () => connection.connect(),
    send: (args) =>
      callBuffer === undefined
        ? sendCommand!.call(connection, args.map(asArgument), NODE_REDIS_OPTIONS)
        : callBuffer.apply(connection, args.map(asArgument)),
    end() {
      // Neither a connection that hangs nor one that never came up may throw here.
      try {
        const ended = connection.destroy === undefined ? connection.disconnect() : connection.destroy();
        if (ended instanceof Promise) ended.catch(() => {});
      } catch {}
    },
  };
}

function duplicate(client: RedisClient): AnyClient {
  const original = client as {
    duplicate(...args: unknown[]): AnyClient;
    readonly isCluster?: boolean;
    readonly options?: { readonly socket?: object };
  };
  if (familyOf(client) === "node-redis") {
    return original.duplicate({
      RESP: 2,
      maintNotifications: "disabled",
      disableOfflineQueue: true,
      socket: { ...original.options?.socket, reconnectStrategy: false },
    });
  }
  if (original.isCluster !== true) return original.duplicate(IOREDIS_OPTIONS);
  return original.duplicate([], {
    clusterRetryStrategy: null,
    enableOfflineQueue: false,
    lazyConnect: true,
    redisOptions: IOREDIS_OPTIONS,
  });
}

function asArgument(arg: RedisArgument): string | Buffer {
  if (typeof arg === "string" || Buffer.isBuffer(arg)) return arg;
  return Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength);
}
