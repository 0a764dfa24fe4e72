// The client of sessions, on each of its carriers, against a server that is a host's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/index.ts";
import { openSession } from "../../src/index.ts";
import type { Serving } from "./serving.ts";
import { until } from "./wait.ts";

/** Echoes over every carrier of a session. */
export function sessionsOver(host: string, carrier: Serving, skip: string | false = false): void {
  describe(`a session over ${host}`, { skip }, () => {
    for (const kind of ["websocket", "sse", "poll"] as const) {
      it(`carries messages both ways by ${kind}`, async (t) => {
        const site = await carrier(t, (request) =>
          openSession(request, { message: (message, channel) => void channel.send(`echo ${message}`) }),
        );
        const got: unknown[] = [];
        const url = `http://127.0.0.1:${(site.target as { port: number }).port}/`;
        const connection = connect(url, {
          carriers: [kind],
          ...(globalThis.WebSocket === undefined ? { WebSocket } : {}),
        });
        t.after(() => connection.close());
        connection.onMessage((message) => got.push(message));
        const { transport } = await connection.opened;
        assert.equal(transport, kind);
        for (let i = 0; i < 20; i++) connection.send(`${i}`);
        await until(() => got.length === 20, "all echoes have come");
        assert.deepEqual(
          got,
          Array.from({ length: 20 }, (_, i) => `echo ${i}`),
        );
        connection.close();
        await until(() => Object.values(site.server.stats().channels).every((count) => count === 0), "it has ended");
      });

      it(`renews the identity of a client by ${kind}, and ends that of one that does not with 4401`, async (t) => {
        const site = await carrier(t, (request) =>
          openSession(request, {}, { expiresAt: Number(request.query.get("ends")) }),
        );
        const url = `http://127.0.0.1:${(site.target as { port: number }).port}/`;
        const own = { carriers: [kind], ...(globalThis.WebSocket === undefined ? { WebSocket } : {}) };
        const lifeMs = 3000;
        const renewing = connect(url, { ...own, params: () => ({ ends: `${Date.now() + lifeMs}` }) });
        const ending = connect(url, { ...own, params: { ends: `${Date.now() + lifeMs}` } });
        t.after(() => renewing.close());
        const states: string[] = [];
        renewing.onState((state) => states.push(state));
        assert.equal((await ending.closed).code, 4401);
        await new Promise((resolve) => setTimeout(resolve, lifeMs));
        assert.deepEqual(states, ["open"]);
      });
    }
  });
}
