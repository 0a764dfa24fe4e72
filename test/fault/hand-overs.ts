// Sessions of a service of three real processes with a real broker, while processes come and go in every way that there is. Every
// message has a number, in both directions. The rows of the table of promises in PROTOCOL.md are here, one test each.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CarrierKind } from "../../src/client/carrier.ts";
import type { BrokerName } from "../support/broker-kits.ts";
import { type NumberedClient, type ProcessOptions, Service } from "../support/service.ts";

const CARRIERS: readonly (readonly CarrierKind[] | undefined)[] = [["websocket"], ["sse"], ["poll"], undefined];

/** The deploys of a test run. A long command sets more: `UNICHANNEL_HAND_OVERS=200`. */
const HAND_OVERS = Number(process.env["UNICHANNEL_HAND_OVERS"] ?? 20);

export function handOverFaults(name: BrokerName, skip: string | false): void {
  /** Clients on all kinds of carriers, all of them sending. */
  function clientsOf(service: Service, count: number, everyMs = 20): NumberedClient[] {
    return Array.from({ length: count }, (_, i) => {
      const carriers = CARRIERS[i % CARRIERS.length];
      const client = service.client(`c${i}`, carriers === undefined ? {} : { carriers });
      void client.keepSending(everyMs);
      return client;
    });
  }

  async function checkAll(clients: readonly NumberedClient[]): Promise<void> {
    for (const client of clients) client.stopSending();
    for (const client of clients) await client.check();
  }

  async function start(t: TestContext, options?: ProcessOptions): Promise<Service> {
    return Service.start(t, name, 3, options);
  }

  describe(`sessions of three processes with ${name}`, { skip, concurrency: false }, () => {
    it(`survive ${HAND_OVERS} deploys on all carriers, and no message is lost or doubled`, async (t) => {
      const options = { receiverMs: [0, 5] } as const;
      const service = await start(t, options);
      const clients = clientsOf(service, 12);
      await delay(300);
      for (let n = 0; n < HAND_OVERS; n++) await service.started[n % 3]!.restart();
      await checkAll(clients);
      assert.deepEqual(service.events("error"), []);
      assert.equal(service.events("open").length, clients.length);
      assert.equal(service.events("restored").length, service.events("save").length);
      assert.deepEqual(service.events("close"), []);
    });
  });
}
