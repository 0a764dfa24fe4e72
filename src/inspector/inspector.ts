// `inspector`: a page that shows a running server. It listens to the server's diagnostics, keeps bounded tables of channels, and
// sends each open page what it shows through a session of our own.

import { guard } from "../base/guard.ts";
import {
  badValue,
  checkBoolean,
  checkFunction,
  checkMethods,
  checkOptions,
  type ValueCheck,
} from "../base/option-values.ts";
import type { Channel, Message } from "../channel/channel.ts";
import type { GroupStore } from "../group/group-store.ts";
import { checkStores, type NamedStores } from "../group/moving.ts";
import { ChannelRequest } from "../request/request.ts";
import { ExchangeServer } from "../server/exchange-server.ts";
import type { BaseServer } from "../server/server.ts";
import { openSession } from "../session/open-session.ts";
import {
  checkProtected,
  type InspectorAction,
  type InspectorAuthorize,
  isForeignPage,
  refusal,
  refusalOf,
} from "./access.ts";
import { type ActionName, act } from "./actions.ts";
import { ChannelTable } from "./channel-table.ts";
import { pageFile, pageItself } from "./files.ts";
import { GroupActivity } from "./group-activity.ts";
import { listenTo } from "./listen.ts";
import type { Watched } from "./lists.ts";
import { Sampler } from "./sampler.ts";
import { type Loose, MAX_MESSAGE_BYTES } from "./view.ts";
import { Viewers } from "./viewers.ts";

/** Open pages of one inspector. */
export const MAX_VIEWERS = 20;
const FOREIGN =
  "a page of another origin may not look at this inspector; if it is its own page, a proxy in front does not pass on Host";
const TOO_MANY = `${MAX_VIEWERS} pages of this inspector are open`;

/** A page without a network stays for 15 s. The limits that the server has for its own clients would end it. */
const SESSION = {
  resumeMs: 15_000,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxBufferedBytes: 1_048_576,
  onOverflow: "close",
  maxMessagesPerSecond: Number.POSITIVE_INFINITY,
  maxBytesPerSecond: Number.POSITIVE_INFINITY,
} as const;

/** The options of `inspector`. */
export interface InspectorOptions {
  /**
   * Says who may look, and who may act: called for each request of the page, its files and its session, each action included, and
   * every 30 s for each open page. Only `true` allows; a `Response` is the answer; anything else is a 403.
   * @default nobody but this machine, if the server listens on a loopback address
   */
  readonly authorize?: InspectorAuthorize | undefined;
  /** The stores whose groups are shown, by names of your choice. @default none */
  readonly stores?: NamedStores | undefined;
  /** The actions that are offered. @default none: the page is read-only */
  readonly allow?: InspectorAllow | undefined;
}

/** The option `allow` of `inspector`. */
export interface InspectorAllow {
  /** Lets a visitor close a channel. @default false */
  readonly close?: boolean | undefined;
  /** Lets a visitor publish a message to a group. @default false */
  readonly publish?: boolean | undefined;
}

/** The handler of a route and of all paths below it. It takes requests of `serve`, `attach` and the hosts, and Fetch requests made of them. */
export interface Inspector extends Disposable {
  /** Answers a request. Rejects with NOT_OUR_REQUEST for one of another server, and with what `authorize` throws. */
  (request: ChannelRequest | Request): Promise<Response>;
  /** Closes the open pages and forgets everything. The stop of the server does this, too. */
  close(): void;
}

const ALLOW: Readonly<Record<keyof InspectorAllow, ValueCheck>> = { close: checkBoolean, publish: checkBoolean };

const OPTIONS: Readonly<Record<keyof InspectorOptions, ValueCheck>> = {
  authorize: checkFunction,
  stores: checkStores,
  allow: (name, value) => checkOptions(name, value, ALLOW, `${name}.`),
};

const checkServer = checkMethods("a server of serve, attach or a host", ["stats", "stop"]);

/**
 * Makes the inspector of a server: a page with its channels by transport, its groups, the timeline of each channel, and charts. It
 * keeps what happens from now on. While nobody looks it costs what a subscriber of `channel.open` and `channel.close` costs.
 *
 * Throws BAD_OPTION for wrong options; also without `authorize`, unless the server listens on a loopback address alone, trusts no
 * proxy, and NODE_ENV is not "production".
 */
export function inspector(server: BaseServer, options: InspectorOptions = {}): Inspector {
  checkServer("the first argument of inspector", server);
  checkOptions("inspector", options, OPTIONS);
  const exchanges = exchangesOf(server);
  checkProtected(exchanges, options.authorize);
  const inspected = new ServerInspector(server, exchanges, options);
  const handler = (request: ChannelRequest | Request): Promise<Response> => inspected.handle(request);
  const end = (): void => inspected.close();
  return Object.assign(handler, { close: end, [Symbol.dispose]: end });
}

class ServerInspector {
  readonly #exchanges: ExchangeServer;
  readonly #options: InspectorOptions;
  readonly #table: ChannelTable;
  readonly #stores: ReadonlyMap<string, Watched>;
  readonly #viewers: Viewers;
  /** The requests of its own pages, whose channels are left out. */
  readonly #own = new WeakSet<ChannelRequest>();
  readonly #stopListening: () => void;
  #isClosed = false;

  constructor(server: BaseServer, exchanges: ExchangeServer, options: InspectorOptions) {
    this.#exchanges = exchanges;
    this.#options = options;
    const { clock } = exchanges;
    const now = (): number => clock.now();
    this.#table = new ChannelTable(now, (event) => this.#viewers.happened(event));
    this.#stores = new Map(
      Object.entries((options.stores ?? {}) as Readonly<Record<string, GroupStore>>).map(([name, store]) => [
        name,
        { store, activity: new GroupActivity(store, now) },
      ]),
    );
    this.#viewers = new Viewers({
      ...{ table: this.#table, stores: this.#stores, sampler: new Sampler(), clock },
      status: () => server.status,
      stats: () => server.stats(),
      hello: () => this.#hello(),
      mayLook: (request) => this.#mayLook(request),
      act: (action, given, request) => this.#act(action, given, request),
    });
    for (const channel of exchanges.openChannels()) this.#table.addKnown(channel);
    this.#stopListening = listenTo(server, {
      table: this.#table,
      isOwn: (request) => this.#own.has(request),
      stopped: () => this.close(),
      report: (error) => exchanges.report(error, { source: "connection" }),
    });
  }

  async handle(given: ChannelRequest | Request): Promise<Response> {
    const request = ChannelRequest.unanswered(given);
    if (request.isRefused) return refusal(403, "refused");
    if (this.#isClosed) return refusal(503, "the inspector was closed");
    const { method, path } = request;
    if (isForeignPage(request)) return refusal(403, FOREIGN);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const refused = await this.#refusal(request, "view");
    if (refused !== undefined) return refused;
    // It may have been closed while the application was asked.
    if (this.#isClosed) return refusal(503, "the inspector was closed");
    if (name === "live") return this.#live(request);
    if (method !== "GET" && method !== "HEAD")
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    // The page's own links are relative to the route with a slash at its end.
    if (name === "") return pageItself();
    const file = /(?:inspector\/page|base|client|codec|protocol)\/[^/]+\.(?:css|html|js|svg)$/.exec(path)?.[0];
    if (file !== undefined) return pageFile(file) ?? refusal(404, "Not Found");
    // Without the dot a name such as "https:evil.example" would be an address of its own (RFC 3986 §4.2).
    return new Response(null, { status: 308, headers: { Location: `./${name}/` } });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    this.#viewers.closeAll();
  }

  /** Never rejects: what goes wrong beyond the visitor's mistakes is reported. */
  async #act(action: ActionName, given: Loose, request: ChannelRequest): Promise<string | undefined> {
    if (this.#options.allow?.[action] !== true) return `this inspector does not allow to ${action}`;
    let error: string | undefined = "the server could not do it";
    const context = { table: this.#table, stores: this.#stores };
    await guard(
      async () => {
        const refused = await this.#refusal(request, action);
        if (this.#isClosed) error = "the inspector was closed";
        else error = refused === undefined ? await act(action, given, context) : `you may not ${action} here`;
      },
      (thrown) => this.#exchanges.report(thrown, { source: "handler", request }),
    );
    return error;
  }

  #live(request: ChannelRequest): Response {
    if (this.#viewers.size >= MAX_VIEWERS && !request.query.has("session")) return refusal(503, TOO_MANY);
    this.#own.add(request);
    const viewers = this.#viewers;
    const open = (own: Channel): void => {
      // A page that comes back to a session which does not exist any more gets a new one.
      if (viewers.size < MAX_VIEWERS) viewers.open(own, request);
      else own.close(1013, TOO_MANY);
    };
    const handlers = {
      open,
      restored: open,
      message: (message: Message, own: Channel) => viewers.message(own, message),
      close: (_: unknown, own: Channel) => viewers.close(own),
    };
    const channel = openSession(request, handlers, SESSION);
    viewers.carried(channel, request);
    return channel.response;
  }

  #refusal(request: ChannelRequest, action: InspectorAction): Promise<Response | undefined> {
    return refusalOf(request, action, this.#options.authorize);
  }

  async #mayLook(request: ChannelRequest): Promise<boolean> {
    let isAllowed = false;
    await guard(
      async () => {
        isAllowed = (await this.#refusal(request, "view")) === undefined;
      },
      (error) => this.#exchanges.report(error, { source: "handler", request }),
    );
    return isAllowed;
  }

  #hello(): ReturnType<ConstructorParameters<typeof Viewers>[0]["hello"]> {
    const { allow = {} } = this.#options;
    return {
      runtime: runtimeName(),
      pid: process.pid,
      startedAt: Math.round(Date.now() - process.uptime() * 1000),
      canClose: allow.close === true,
      canPublish: allow.publish === true,
      stores: [...this.#stores.keys()],
    };
  }
}

function runtimeName(): string {
  const { bun, deno, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno === undefined ? `Node ${node}` : `Deno ${deno}`;
}

/** Throws BAD_OPTION for a server of another library. */
function exchangesOf(server: BaseServer): ExchangeServer {
  if (server instanceof ExchangeServer) return server;
  const { exchanges } = server as { readonly exchanges?: unknown };
  if (exchanges instanceof ExchangeServer) return exchanges;
  throw badValue("the first argument of inspector", server, "a server of serve, attach or a host");
}
