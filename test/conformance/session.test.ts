// The suite of PROTOCOL.md against our own server, alone and behind nginx, or against the one that SESSION_URL names.

import { after, type TestContext } from "node:test";
import {
  type ChannelRequest,
  createChannelStore,
  type Handler,
  openSession,
  type SessionHandlers,
} from "../../src/index.ts";
import { needs } from "../support/needs.ts";
import { freePort, startNginx } from "../support/proxies.ts";
import { serving } from "../support/serving.ts";
import type { Endpoint } from "../support/session-client.ts";
import { sessionConformance } from "./session.ts";

const { SESSION_URL } = process.env;

const store = createChannelStore({ history: { size: 3 } });

/** The end of the identity that the query of a request shows: in `lives` milliseconds. */
function expiryOf({ query }: ChannelRequest): number | undefined {
  return query.has("lives") ? Date.now() + Number(query.get("lives")) : undefined;
}

const echo: Handler = (request) => openSession(request, HANDLERS, { expiresAt: expiryOf(request) });

const HANDLERS: SessionHandlers = {
  message(message, channel) {
    const [, verb, group = "", text = ""] = /^(join|leave|publish|bytes) (\S+) ?(.*)$/s.exec(String(message)) ?? [];
    if (message === "close") channel.close();
    else if (verb === "join") store.addToGroup(group, channel);
    else if (verb === "leave") store.removeFromGroup(group, channel);
    else if (verb === "publish") void store.publish(group, text);
    else if (verb === "bytes") void store.publish(group, Buffer.from(text));
    else channel.send(message);
  },
  request: (data) => data,
};

if (SESSION_URL !== undefined) {
  const { hostname, port, protocol, pathname } = new URL(SESSION_URL);
  const tls = protocol === "https:" || protocol === "wss:";
  sessionConformance(SESSION_URL, async () => ({
    host: hostname,
    port: Number(port || (tls ? 443 : 80)),
    tls,
    pathname,
  }));
} else {
  const start = async (t: TestContext): Promise<Endpoint> => {
    const { target } = await serving(t, echo);
    return { ...target, pathname: "/session" };
  };
  sessionConformance("openSession", start, { isDirect: true });

  // One of each for all tests: a proxy takes its time to start.
  const endings: (() => unknown)[] = [];
  const whole = { after: (end: () => unknown) => endings.push(end) } as unknown as TestContext;
  let behind: Promise<Endpoint> | undefined;
  after(async () => {
    for (const end of endings.reverse()) await end();
  });
  const startBehind = async (): Promise<Endpoint> => {
    const { server } = await serving(whole, echo);
    const port = await freePort();
    await startNginx(whole, port, nginx(port, server.port));
    return { port, pathname: "/session" };
  };
  sessionConformance("openSession behind nginx", () => (behind ??= startBehind()), { skip: needs("nginx") });
}

/** Nothing that a session would need of its own. */
function nginx(port: number, upstream: number): string {
  return `
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    upstream app { server 127.0.0.1:${upstream}; keepalive 64; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
      }
    }`;
}
