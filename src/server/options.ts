// The options of `serve`: their types, and one table with their checks and defaults.
// Long because each option has its contract beside its type.

import type { TlsOptions } from "node:tls";
import { checkSessionStore } from "../backplane/guarded-sessions.ts";
import type { SessionStore } from "../backplane/session-store.ts";
import { badOption, show } from "../base/bad-option.ts";
import { MAX_TIMER_MS } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import {
  checkAmount,
  checkBoolean,
  checkFilledString,
  checkFunction,
  checkInteger,
  checkMethods,
  checkOneOf,
  checkString,
  type ValueCheck,
} from "../base/option-values.ts";
import type { RatePolicy } from "../channel/rate-limits.ts";
import { isFieldValue } from "../codec/http1-syntax.ts";
import { checkStores, type NamedStores } from "../group/moving.ts";
import { checkRatePolicy } from "../request/channel-options.ts";
import type { ErrorReporter } from "../request/context.ts";
import type { CorsOptions } from "../request/cors.ts";
import type { AllowedHosts } from "../request/host.ts";
import type { AllowedOrigins } from "../request/origin.ts";
import type { UpgradeCheck } from "../request/upgrade-check.ts";
import { checkHttp2, type Http2Options } from "./http2-options.ts";
import type { Logger } from "./log.ts";
import { checkRelay, type RelayOptions } from "./relay/relay-options.ts";
import type { ServerLimits } from "./server-limits.ts";
import type { ProxyHeader, TrustedProxies } from "./trusted-proxies.ts";

const MAX_INT32 = 2_147_483_647;

/** A Fetch handler: Hono, h3, or a function of your own. */
export type FetchHandler = (request: Request) => Response | Promise<Response>;

/** The options of `serve`. `Attachment` is the type of the `attachment` that `upgrade` returns. */
export interface ServeOptions<Attachment = unknown> extends Partial<ServerLimits> {
  /** TCP port; 0 takes any free one. @default 9090 */
  readonly port?: number | undefined;
  /** Address to listen on. @default all, as `net.Server.listen` has it */
  readonly host?: string | undefined;
  /** Path of a Unix socket, instead of `port` and `host`. */
  readonly path?: string | undefined;
  /** File descriptor of a listening socket that the process was started with, instead of `port`, `host` and `path`. */
  readonly fd?: number | undefined;
  /**
   * True: listens on the socket that systemd passes (sd_listen_fds(3)). Where none is passed, as when the server is
   * started by hand, the other options hold. @default false
   */
  readonly listenFds?: boolean | undefined;
  /** Length of the system's queue of connections not accepted yet. @default 1024 */
  readonly backlog?: number | undefined;
  /**
   * Pages of other origins that may open WebSockets and sessions here, and read the answers; a page of the
   * request's own host always may. @default []
   */
  readonly allowedOrigins?: AllowedOrigins | undefined;
  /**
   * Hosts that the server answers for. A request for another host is refused with 421. Set it where pages could reach a
   * server without accounts by DNS rebinding: on localhost, in an intranet. @default all
   */
  readonly allowedHosts?: AllowedHosts | undefined;
  /**
   * True: pages of `allowedOrigins` get the CORS fields and the answers to preflights that they need, on all carriers. An
   * object gives details; false leaves CORS to the application. @default true
   */
  readonly cors?: boolean | CorsOptions | undefined;
  /**
   * Called for each WebSocket whose handshake and origin are right, before the handler, sync or async. If it returns nothing,
   * or `{ headers, attachment }` (the 101's, the channel's), the handler is next. A response goes to the client instead.
   * @default none: the handler decides before it opens a channel
   */
  readonly upgrade?: UpgradeCheck<Attachment> | undefined;
  /**
   * The policy for a message that comes faster than it may. `"close"` ends its channel (1008), `"drop"` drops it and tells the handler
   * `dropped`, `"wait"` hands it over later and makes the client wait. Sessions lose no message: with `"drop"` they wait. @default "close"
   */
  readonly onRateExceeded?: RatePolicy | undefined;
  /** The `Server` field of every response. @default none */
  readonly serverHeader?: string | undefined;
  /**
   * Certificate, key and the other options of `tls.createServer`: the server speaks HTTPS and WSS. Options with which no
   * handshake could succeed are BAD_OPTION.
   */
  readonly tls?: TlsOptions | undefined;
  /**
   * True: clients that offer HTTP/2 in their TLS handshake get it, on the same port; others HTTP/1.1. An object says its limits.
   * Wants `tls`. @default false
   */
  readonly http2?: boolean | Http2Options | undefined;
  /**
   * The proxies in front of the server. Their `proxyHeaders` and PROXY headers say who the client is; those of others are
   * ignored. @default none
   */
  readonly trustedProxies?: TrustedProxies | undefined;
  /**
   * The header fields that are read in requests of `trustedProxies`. Name only fields that your proxies set or remove in every
   * request: a client could write any other. @default ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]
   */
  readonly proxyHeaders?: readonly ProxyHeader[] | undefined;
  /**
   * The PROXY header (versions 1 and 2) at the beginning of connections. `"required"`: all have it, and all come from
   * `trustedProxies`; others are refused with 400. `"optional"`: those from `trustedProxies` may. @default "off"
   */
  readonly proxyProtocol?: "off" | "optional" | "required" | undefined;
  /**
   * Keeps sessions that move between the processes of a service: `redisSessions`, `natsSessions`, `memorySessions`, or one of your
   * own. Any process answers any client then, and `stop` loses no session. @default none: sessions live and end in this process
   */
  readonly sessions?: SessionStore | undefined;
  /**
   * Where other processes of the service on other machines reach this one. Wants `sessions`.
   * @default a Unix socket: all processes are on this machine
   */
  readonly relay?: RelayOptions | undefined;
  /**
   * The stores of groups whose memberships move with sessions, by names that are the same in all processes. Wants `sessions`.
   * @default none
   */
  readonly stores?: NamedStores | undefined;
  /**
   * A pino-compatible logger, or `console`. It gets a line at `info` when the server listens, is stopping and has stopped, and,
   * without `onError`, errors at `error` and slow clients that were closed at `warn`.
   */
  readonly logger?: Logger | undefined;
  /** Called with each exception of a callback or handler. Its own exceptions are ignored. @default the logger, or console.error */
  readonly onError?: ErrorReporter | undefined;
}

interface Option {
  /** Throws BAD_OPTION for a wrong value. */
  readonly check: ValueCheck;
  /** The value where the option is not given; undefined if it is off, or empty, then. */
  readonly default?: number | string | boolean | undefined;
}

/** A limit: an amount, or Infinity. */
const limit = (amount: number): Option => ({ check: checkAmount, default: amount });

/** The value is checked where it is used, before the server listens. */
const checkedLater: Option = { check: () => {} };

/** The options of a service of several processes: only a server of `serve` has a listener for the others. */
const OF_THE_SERVICE = ["sessions", "relay", "stores"] as const;

/** Throws BAD_OPTION if there is one of them. `owner`: the function that has no such options. */
export function refuseServiceOptions(owner: string, options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  const found = OF_THE_SERVICE.find((name) => (options as Record<string, unknown>)[name] !== undefined);
  if (found === undefined) return;
  throw badOption(`${owner} has no ${found}: only the servers of serve share their sessions with other processes`);
}

/** Every option of `serve`. */
const SERVE_OPTIONS: Readonly<Record<keyof ServeOptions, Option>> = {
  maxHeaderBytes: limit(16_384),
  maxHeaderCount: limit(100),
  maxTargetBytes: limit(8192),
  maxBodyBytes: limit(8_388_608),
  maxMessageBytes: limit(4_194_304),
  maxFragments: limit(1024),
  maxControlFramesPerSecond: limit(1000),
  maxMessagesPerSecond: limit(Number.POSITIVE_INFINITY),
  maxBytesPerSecond: limit(Number.POSITIVE_INFINITY),
  maxMessagesPerSecondPerAddress: limit(Number.POSITIVE_INFINITY),
  maxBytesPerSecondPerAddress: limit(Number.POSITIVE_INFINITY),
  rateBurstMs: limit(1000),
  onRateExceeded: { check: checkRatePolicy, default: "close" },
  maxBufferedBytes: limit(1_048_576),
  maxTotalBufferedBytes: limit(268_435_456),
  maxTotalReceivedBytes: limit(201_326_592),
  maxConnections: limit(Number.POSITIVE_INFINITY),
  maxSessions: limit(100_000),
  maxSessionsPerAddress: limit(1000),
  maxConnectionsPerAddress: limit(Number.POSITIVE_INFINITY),
  tlsHandshakeTimeoutMs: limit(10_000),
  closeTimeoutMs: limit(5000),
  writeTimeoutMs: limit(60_000),
  headerTimeoutMs: limit(10_000),
  requestTimeoutMs: limit(60_000),
  messageTimeoutMs: limit(60_000),
  keepAliveTimeoutMs: limit(60_000),
  pingIntervalMs: limit(25_000),
  pongTimeoutMs: limit(20_000),
  port: { check: checkInteger(0, 65_535), default: 9090 },
  host: { check: checkFilledString },
  path: { check: checkFilledString },
  fd: { check: checkInteger(0, MAX_INT32) },
  listenFds: { check: checkBoolean, default: false },
  backlog: { check: checkInteger(0, MAX_INT32), default: 1024 },
  allowedOrigins: checkedLater,
  allowedHosts: checkedLater,
  cors: checkedLater,
  upgrade: { check: checkFunction },
  serverHeader: { check: checkString },
  tls: checkedLater,
  http2: { check: checkHttp2, default: false },
  trustedProxies: checkedLater,
  proxyHeaders: checkedLater,
  proxyProtocol: { check: checkOneOf("off", "optional", "required"), default: "off" },
  sessions: { check: checkSessionStore },
  relay: { check: checkRelay },
  stores: { check: checkStores },
  logger: { check: checkMethods("a logger: pass console, or one of pino", ["info", "warn", "error"]) },
  onError: { check: checkFunction },
};

const OPTIONS = Object.entries(SERVE_OPTIONS);

export const SERVE_CHECKS: Readonly<Record<keyof ServeOptions, ValueCheck>> = Object.fromEntries(
  OPTIONS.map(([name, { check }]) => [name, check]),
) as Record<keyof ServeOptions, ValueCheck>;

export const SERVE_DEFAULTS: Readonly<Record<"port" | "backlog", number>> = Object.fromEntries(
  OPTIONS.map(([name, option]) => [name, option.default]),
) as Record<"port" | "backlog", number>;

/** The defaults of all limits. */
export const LIMITS: ServerLimits = Object.fromEntries(
  OPTIONS.filter(([, { check }]) => check === checkAmount).map(([name, option]) => [name, option.default]),
) as Record<keyof ServerLimits, number>;

/** Returns every limit: the option, or else its default. The options have been checked. */
export function toLimits(options: ServeOptions): ServerLimits {
  const limits: Record<keyof ServerLimits, number> = { ...LIMITS };
  for (const name of Object.keys(LIMITS) as (keyof ServerLimits)[]) limits[name] = options[name] ?? LIMITS[name];
  return limits;
}

/** Clamps a delay to the range of Node's timers: from 1 ms to 24 days. */
export function toTimerMs(ms: number): number {
  return Math.min(Math.max(ms, 1), MAX_TIMER_MS);
}

/** Returns the whole line of the `Server` field, or an empty string. Throws BAD_OPTION. */
export function toServerField(value: string | undefined): string {
  if (value === undefined || value === "") return "";
  if (!isFieldValue(value)) throw badOption(`serverHeader is ${show(value)}, which has a character that HTTP forbids`);
  return `Server: ${value}\r\n`;
}

/** Throws BAD_OPTION for options with which no proxy could speak the PROXY protocol. */
export function checkProxyOptions({ proxyProtocol = "off", trustedProxies, tls, path }: ServeOptions): void {
  if (proxyProtocol === "off") return;
  if (trustedProxies === undefined || (Array.isArray(trustedProxies) && trustedProxies.length === 0)) {
    throw new ChannelError(
      "BAD_OPTION",
      "proxyProtocol is believed only from trustedProxies, and there are none: name the proxies there",
    );
  }
  if (tls !== undefined && path !== undefined) {
    throw new ChannelError("BAD_OPTION", "proxyProtocol with tls wants TCP, not a Unix socket");
  }
}
