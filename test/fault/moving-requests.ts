// Requests in both directions, and identities that end, in a service of three real processes with a real broker, while
// the processes are replaced one after the other.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CarrierKind } from "../../src/client/carrier.ts";
import { type ConnectOptions, type RequestConnection, requests } from "../../src/client/index.ts";
import type { BrokerName } from "../support/broker-kits.ts";
import { type NumberedClient, Service } from "../support/service.ts";

const CARRIERS: readonly (readonly CarrierKind[] | undefined)[] = [["websocket"], ["sse"], ["poll"], undefined];
const DEPLOYS = 6;

interface Asking {
  readonly client: NumberedClient;
  /** The requests of the client, by their data: the reply, or the code of the error. */
  readonly outcomes: Map<string, unknown>;
  /** The requests of the server that have arrived at the client. */
  readonly arrived: string[];
  readonly running: Promise<void>[];
}

export function movingRequests(name: BrokerName, skip: string | false): void {
  async function start(t: TestContext): Promise<Service> {
    return Service.start(t, name, 3);
  }

  function asking(service: Service, n: number, options: ConnectOptions = {}): Asking {
    const carriers = CARRIERS[n % CARRIERS.length];
    const own = { ...(carriers === undefined ? {} : { carriers }), requests: requests(), ...options };
    const client = service.client(`c${n}`, own);
    const connection = client.connection as RequestConnection;
    const arrived: string[] = [];
    connection.onRequest((data) => {
      arrived.push(String(data));
      return `client answers ${data}`;
    });
    return { client, outcomes: new Map(), arrived, running: [] };
  }

  async function keepAsking({ client, outcomes, running }: Asking, isOver: () => boolean): Promise<void> {
    const connection = client.connection as RequestConnection;
    for (let n = 1; !isOver(); n++) {
      const data = n % 5 === 0 ? `back ${n}` : `${n}`;
      const told = connection.request(data, { timeoutMs: 60_000 }).then(
        (reply) => void outcomes.set(data, reply),
        (error) => void outcomes.set(data, error.code),
      );
      running.push(told);
      client.send();
      await delay(10 + 20 * Math.random());
    }
  }

  async function deploys(service: Service, all: readonly Asking[]): Promise<void> {
    let isOver = false;
    const loops = all.map((one) => keepAsking(one, () => isOver));
    await delay(300);
    for (let n = 0; n < DEPLOYS; n++) await service.started[n % 3]!.restart(30_000);
    isOver = true;
    await Promise.all(loops);
    await Promise.all(all.flatMap(({ running }) => running));
    for (const { client } of all) await client.check();
  }

  describe(`requests in a service of three processes with ${name}`, { skip, concurrency: false }, () => {
    it(`are handled once and answered once, in both directions, over ${DEPLOYS} deploys on all carriers`, async (t) => {
      const service = await start(t);
      const all = Array.from({ length: 8 }, (_, n) => asking(service, n));
      await deploys(service, all);
      for (const { client, outcomes, arrived } of all) {
        const { id } = client;
        const handled = service.events("asked").filter(([, of]) => of === id);
        // In order as well: a process that takes a session over begins with the requests of the one before.
        const inOrder = [...outcomes.keys()].toSorted((a, b) => numberIn(a) - numberIn(b));
        assert.deepEqual(handled.map(([, , data]) => String(data)).toSorted(byNumber), inOrder, `${id} has asked`);
        for (const [data, outcome] of outcomes) {
          if (!data.startsWith("back")) assert.equal(outcome, `answer to ${data}`);
          // The request of the server was lost in a move, which its handler was told.
          else if (outcome !== "REQUEST_LOST") assert.equal(outcome, `client answers ${data}`);
        }
        assert.equal(new Set(arrived).size, arrived.length, `${id} was asked once for each`);
        assert.ok(
          service.events("restored").some(([, of]) => of === id),
          `${id} has moved`,
        );
      }
      assert.deepEqual(service.events("error"), []);
    });

    it("keep the end of their client's identity, and each request that comes back with a later one puts it off", async (t) => {
      const service = await start(t);
      const shown: number[][] = [];
      const all = Array.from({ length: 4 }, (_, n) => {
        shown.push([]);
        const params = (): Record<string, string> => {
          const until = Date.now() + 60_000;
          shown[n]!.push(until);
          return { until: String(until) };
        };
        return asking(service, n, { params });
      });
      await deploys(service, all);
      for (const [n, { client }] of all.entries()) {
        const until = Number(await (client.connection as RequestConnection).request("until"));
        assert.ok(shown[n]!.includes(until), `${client.id} has shown ${shown[n]}, and has ${until}`);
        assert.ok(until > shown[n]![0]!, `${client.id} has the date of a later request`);
        assert.equal(client.lost, 0);
      }
      assert.deepEqual(service.events("error"), []);
    });
  });
}

function numberIn(text: string): number {
  return Number(/\d+/.exec(text)![0]);
}

function byNumber(a: string, b: string): number {
  return numberIn(a) - numberIn(b);
}
