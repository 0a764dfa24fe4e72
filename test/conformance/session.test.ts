// The suite of PROTOCOL.md against our own server, or against the one that SESSION_URL names.

import type { TestContext } from "node:test";
import { openSession } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import type { Endpoint } from "../support/session-client.ts";
import { sessionConformance } from "./session.ts";

const { SESSION_URL } = process.env;

if (SESSION_URL === undefined) sessionConformance("openSession", startOurs);
else {
  const { hostname, port, protocol, pathname } = new URL(SESSION_URL);
  const tls = protocol === "https:" || protocol === "wss:";
  sessionConformance(SESSION_URL, async () => ({
    host: hostname,
    port: Number(port || (tls ? 443 : 80)),
    tls,
    pathname,
  }));
}

async function startOurs(t: TestContext): Promise<Endpoint> {
  const site = await serving(t, (request) =>
    openSession(request, {
      receive(message, channel) {
        if (message === "close") channel.close();
        else channel.send(message);
      },
    }),
  );
  return { ...site.target, pathname: "/session" };
}
