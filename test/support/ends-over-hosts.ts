// The ends of a host's channels: its own stop, and a host that closes all of its connections.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type CloseStatus, type Handler, openChannel, type ServeOptions } from "../../src/index.ts";
import type { RawClient } from "./raw-client.ts";
import { request, type Site } from "./serving.ts";
import { deferred, until } from "./wait.ts";
import { upgradeRequest, WsClient } from "./ws-client.ts";

/** A site whose server is a host's. */
export interface HostSite extends Site {
  /** Closes the host with all its connections, as its owner may do at any time. */
  closeHost(): void;
}

/** Starts a host for the length of a test. */
export type HostServing = (t: TestContext, handler: Handler, options?: ServeOptions) => Promise<HostSite>;

interface Differences {
  readonly skip?: string | false;
  /** The host can drop a WebSocket whose client does not answer a close. */
  readonly drops: boolean;
}

export function endsOver(host: string, carrier: HostServing, { skip = false, drops }: Differences): void {
  describe(`a stop of channels over ${host}`, { skip }, () => {
    it("tells each WebSocket that the server goes away, and ends when they have answered", async (t) => {
      const statuses: CloseStatus[] = [];
      const site = await carrier(t, (own) => openChannel(own, { close: (status) => void statuses.push(status) }));
      const clients = await Promise.all([1, 2, 3].map(() => WsClient.open(t, site.target)));
      await until(() => site.server.stats().channels.websocket === 3, "the channels are open");
      const stopped = site.server.stop({ graceMs: 60_000 });
      for (const client of clients) {
        const { code } = await client.closed();
        assert.equal(code, 1001);
        client.close(code);
      }
      await stopped;
      for (const client of clients) await client.ended();
      assert.deepEqual(
        statuses.map(({ by, code }) => [by, code]),
        Array.from({ length: 3 }, () => ["server", 1001]),
      );
      const { connections, channels, bufferedBytes } = site.server.stats();
      assert.deepEqual([connections, channels.websocket, bufferedBytes], [0, 0, 0]);
    });

    it("ends after graceMs where a client answers nothing", async (t) => {
      const status = deferred<CloseStatus>();
      const site = await carrier(t, (own) => openChannel(own, { close: status.resolve }), { closeTimeoutMs: 60_000 });
      const client = await WsClient.open(t, site.target);
      await until(() => site.server.stats().channels.websocket === 1, "the channel is open");
      await site.server.stop({ graceMs: 100 });
      assert.deepEqual([(await status.promise).by, site.server.status], ["server", "stopped"]);
      assert.equal((await client.closed()).code, 1001);
      if (drops) await client.ended();
    });

    it("answers 503 to WebSockets that come later", async (t) => {
      let opened = 0;
      const site = await carrier(t, (own) => openChannel(own, { open: () => void (opened += 1) }));
      await site.server.stop();
      const client = await site.connect();
      client.write(upgradeRequest());
      assert.deepEqual([(await client.head()).status, opened], [503, 0]);
    });
  });

  describe(`channels over ${host} whose host closes`, { skip }, () => {
    const carriers: readonly [name: string, connect: (t: TestContext, site: Site) => Promise<RawClient>][] = [
      ["an event stream", (_t, site) => asking(site, "GET /\r\nAccept: text/event-stream")],
      ["a long poll", (_t, site) => asking(site, "GET /")],
      ["a WebSocket", async (t, site) => (await WsClient.open(t, site.target)).raw],
    ];
    for (const [name, connect] of carriers) {
      it(`end: ${name} is told, and nothing of it is left`, async (t) => {
        const statuses: CloseStatus[] = [];
        const site = await carrier(t, (own) => openChannel(own, { close: (status) => void statuses.push(status) }));
        const client = await connect(t, site);
        await until(() => count(site) === 1, "the channel is open");
        site.closeHost();
        await until(() => statuses.length > 0, "its close handler has run");
        await client.until(() => client.isEnded, "the end of the connection");
        assert.deepEqual(
          statuses.map(({ by }) => by === "network" || by === "client"),
          [true],
        );
        await until(() => site.server.stats().connections === 0 && count(site) === 0, "nothing is left");
      });
    }
  });
}

async function asking(site: Site, text: string): Promise<RawClient> {
  const client = await site.connect();
  client.write(request(text));
  return client;
}

/** Channels that are open. */
function count(site: Site): number {
  return Object.values(site.server.stats().channels).reduce((sum, one) => sum + one, 0);
}
