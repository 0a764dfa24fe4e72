// A server whose handler calls `openSession`, and the calls of its sessions' handlers, in order.

import type { TestContext } from "node:test";
import { implementationOf } from "../../src/channel/public-channel.ts";
import type { OpenRecord } from "../../src/codec/session-record.ts";
import {
  type Channel,
  type ChannelRequest,
  openSession,
  type ServeOptions,
  type SessionHandlers,
  type SessionOptions,
} from "../../src/index.ts";
import { type Site, serving } from "./serving.ts";
import { type Endpoint, opened, poll, SocketClient, StreamClient } from "./session-client.ts";
import { until } from "./wait.ts";

export class SessionSite {
  readonly site: Site;
  readonly endpoint: Endpoint;
  /** The channels that were opened, in order. */
  readonly channels: Channel[];
  /** The handlers that were called: `open`, `receive hello`, `resumed`, `transport poll`, `close client 1000 normal`, … */
  readonly calls: string[];

  constructor(site: Site, channels: Channel[], calls: string[]) {
    this.site = site;
    this.endpoint = { ...site.target, pathname: "/session" };
    this.channels = channels;
    this.calls = calls;
  }

  get channel(): Channel {
    return this.channels.at(-1)!;
  }

  /** The messages that the application has received. */
  get received(): string[] {
    return this.calls.filter((call) => call.startsWith("receive ")).map((call) => call.slice("receive ".length));
  }

  noConnections(): Promise<void> {
    return until(() => this.site.server.stats().connections === 0, "all connections are gone");
  }

  /** Resolves when there is such a call. */
  called(call: string): Promise<void> {
    return until(() => this.calls.includes(call), `${call} among ${JSON.stringify(this.calls)}`);
  }

  /** The server's tick, at a time of the test's own choosing. */
  tick(now: number): void {
    for (const channel of this.channels) implementationOf(channel)?.tick(now);
  }
}

type SiteSettings = [
  handlers?: SessionHandlers,
  options?: SessionOptions | ((request: ChannelRequest) => SessionOptions),
  serveOptions?: ServeOptions,
];

/** A site with one session, whose client has its `open` record. */
interface OpenedSite {
  readonly site: SessionSite;
  readonly open: OpenRecord;
  /** The token. */
  readonly session: string;
}

/** Opens a session with a poll, which has been answered. */
export async function sessionOfPoll(t: TestContext, ...settings: SiteSettings): Promise<OpenedSite> {
  const site = await sessionSite(t, ...settings);
  const open = opened(await poll(t, site.endpoint));
  return { site, open, session: open.session };
}

/** Opens a session on an event stream. */
export async function sessionOfStream(
  t: TestContext,
  ...settings: SiteSettings
): Promise<OpenedSite & { readonly stream: StreamClient }> {
  const site = await sessionSite(t, ...settings);
  const stream = await StreamClient.open(t, site.endpoint);
  const open = await stream.opened();
  return { site, stream, open, session: open.session };
}

/** Opens a session on a WebSocket. */
export async function sessionOfSocket(
  t: TestContext,
  ...settings: SiteSettings
): Promise<OpenedSite & { readonly socket: SocketClient }> {
  const site = await sessionSite(t, ...settings);
  const socket = await SocketClient.open(t, site.endpoint);
  const open = await socket.opened();
  return { site, socket, open, session: open.session };
}

export async function sessionSite(
  t: TestContext,
  ...[handlers = {}, options = {}, serveOptions = {}]: SiteSettings
): Promise<SessionSite> {
  const channels: Channel[] = [];
  const calls: string[] = [];
  const recording: SessionHandlers = {
    ...handlers,
    open(channel) {
      channels.push(channel);
      calls.push("open");
      return handlers.open?.(channel);
    },
    message(message, channel) {
      calls.push(`receive ${message}`);
      return handlers.message?.(message, channel);
    },
    resumed(channel) {
      calls.push("resumed");
      return handlers.resumed?.(channel);
    },
    transport(kind, channel) {
      calls.push(`transport ${kind}`);
      return handlers.transport?.(kind, channel);
    },
    drain(channel) {
      calls.push("drain");
      return handlers.drain?.(channel);
    },
    close(status, channel) {
      calls.push(`close ${status.by} ${status.code} ${status.name}`);
      return handlers.close?.(status, channel);
    },
  };
  const site = await serving(
    t,
    (request) => openSession(request, recording, typeof options === "function" ? options(request) : options),
    serveOptions,
  );
  return new SessionSite(site, channels, calls);
}
