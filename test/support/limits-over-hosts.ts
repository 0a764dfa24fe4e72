// The limits of a host's WebSockets, from both sides, against a server that is a host's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HostOptions } from "../../src/fetch-host.ts";
import { type CloseStatus, openChannel, type ServeOptions } from "../../src/index.ts";
import type { Serving } from "./serving.ts";
import { deferred, settled, until } from "./wait.ts";
import { WsClient } from "./ws-client.ts";

const KIB = 1024;

interface Differences {
  readonly skip?: string | false;
  /** The host can stop reading. */
  readonly holdsBack: boolean;
}

export function limitsOver(host: string, carrier: Serving, { skip = false, holdsBack }: Differences): void {
  describe(`the limits of a WebSocket over ${host}`, { skip }, () => {
    for (const [bytes, code] of [
      [100, undefined],
      [101, 1009],
    ] as const) {
      it(`${code === undefined ? "take" : "refuse"} a message of ${bytes} bytes where the channel's maxMessageBytes is 100`, async (t) => {
        const status = deferred<CloseStatus>();
        const got: unknown[] = [];
        const handlers = { message: (message: unknown) => void got.push(message), close: status.resolve };
        const site = await carrier(t, (request) => openChannel(request, handlers, { maxMessageBytes: 100 }));
        const client = await WsClient.open(t, site.target);
        client.send("x".repeat(bytes));
        if (code === undefined) await until(() => got.length === 1, "it has come");
        else assert.deepEqual([(await status.promise).by, (await status.promise).code, got], ["server", code, []]);
      });
    }

    it("refuse a message over the server's maxMessageBytes with 1009, in the host's own protocol", async (t) => {
      const status = deferred<CloseStatus>();
      const site = await carrier(t, (request) => openChannel(request, { close: status.resolve }), {
        maxMessageBytes: 100,
      });
      const client = await WsClient.open(t, site.target);
      client.send("x".repeat(101));
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code, reason], ["server", 1009, "message exceeds maxMessageBytes"]);
    });

    it("deliver what waits for a slow receiver within maxUnreadBytes", async (t) => {
      const gate = deferred();
      let got = 0;
      const handlers = {
        async message() {
          await gate.promise;
          got += 1;
        },
      };
      const options = { maxUnreadBytes: 512 * KIB } as HostOptions as ServeOptions;
      const site = await carrier(t, (request) => openChannel(request, handlers), options);
      const client = await WsClient.open(t, site.target);
      for (let i = 0; i < 400; i++) client.send("x".repeat(KIB));
      await settled(() => got);
      gate.resolve();
      await until(() => got === 400, "all have come");
    });

    it("close a client with 1013 that sends more than that", { skip: holdsBack && "it is made to wait" }, async (t) => {
      const gate = deferred();
      const status = deferred<CloseStatus>();
      const handlers = { message: () => gate.promise, close: status.resolve };
      const options = { maxUnreadBytes: 256 * KIB } as HostOptions as ServeOptions;
      const site = await carrier(t, (request) => openChannel(request, handlers), options);
      const client = await WsClient.open(t, site.target);
      for (let i = 0; i < 600; i++) client.send("x".repeat(KIB));
      const isOver = (): boolean => client.raw.isEnded || client.raw.isClosed;
      // Deno cuts the connection behind its close frame, which is lost then.
      await until(() => isOver() || client.raw.peek().length > 0, "the close");
      gate.resolve();
      const { by, code, reason } = await status.promise;
      assert.deepEqual([by, code], ["server", 1013]);
      assert.match(reason, /maxUnreadBytes/);
      if (!isOver()) client.close(1013);
      await until(isOver, "the end of the connection");
    });
  });
}
