// Sessions of a service of three real processes with a real broker, while processes come and go in every way that there is. Every
// message has a number, in both directions. The rows of the table of promises in PROTOCOL.md are here, one test each.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CarrierKind } from "../../src/client/carrier.ts";
import type { BrokerName } from "../support/broker-kits.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { RawClient } from "../support/raw-client.ts";
import { type NumberedClient, type ProcessOptions, Service, soon, startSlowProxy } from "../support/service.ts";
import type { Accident } from "../support/service-process.ts";
import { ack, back, opened, poll, post, text } from "../support/session-client.ts";

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
      // A client that has no answer for 2.5 s begins with two carriers at once, and ends one of the two sessions.
      assert.deepEqual(
        service.events("close").filter(([, , code]) => code !== 1000),
        [],
      );
      for (const { id } of clients) {
        assert.ok(
          service.events("restored").some(([, client]) => client === id),
          `${id} has moved`,
        );
      }
    });

    it("answer a client at any process, without a move", async (t) => {
      const service = await start(t);
      const clients = clientsOf(service, 8, 10);
      await delay(2000);
      await checkAll(clients);
      assert.deepEqual(service.events("restored"), []);
      assert.deepEqual(service.events("error"), []);
    });

    it("move while the broker answers 300 ms late", async (t) => {
      const service = await Service.start(t, name);
      const brokerPort = await startSlowProxy(t, service.broker.port, 300);
      for (let n = 0; n < 3; n++) await service.add({ brokerPort });
      const clients = clientsOf(service, 8);
      for (let n = 0; n < 3; n++) await service.started[n]!.restart();
      await checkAll(clients);
      assert.deepEqual(service.events("error"), []);
    });

    it("move between processes whose clocks differ by two hours", async (t) => {
      const service = await Service.start(t, name);
      const nodeArgs = ["--import", new URL("../support/shifted-clock.js", import.meta.url).href];
      for (const hours of [-1, 0, 1]) {
        await service.add({ nodeArgs, env: { UNICHANNEL_CLOCK_SHIFT: String(hours * 3_600_000) } });
      }
      const clients = clientsOf(service, 8);
      for (let n = 0; n < 6; n++) await service.started[n % 3]!.restart();
      await checkAll(clients);
      assert.deepEqual(service.events("error"), []);
    });

    it("go on while connections between the processes are cut after any number of bytes", async (t) => {
      const service = await Service.start(t, name);
      const proxies: FaultProxy[] = [];
      for (let n = 0; n < 3; n++) {
        let port = 0;
        const proxy = await FaultProxy.start(t, () => port, { seed: n + 1, faults: { cutAfterBytes: [1, 4000] } });
        proxies.push(proxy);
        const started = await service.add({ isRelayTcp: true, relayThrough: proxy.port });
        port = Number(/\d+$/.exec(String(await started.event("relay")))![0]);
      }
      const clients = clientsOf(service, 8, 10);
      await delay(8000);
      for (const proxy of proxies) proxy.faults = {};
      await checkAll(clients);
      const accepted = proxies.map((proxy) => proxy.accepted);
      assert.ok(Math.min(...accepted) > 5, `relayed connections: ${accepted}`);
      assert.deepEqual(service.events("restored"), []);
      assert.deepEqual(service.events("error"), []);
    });

    /** Clients of a process that stops; all come to the next one, which has an accident. Another one takes over. */
    async function withAccidentOfTaker(t: TestContext, accident: Accident): Promise<[Service, NumberedClient[]]> {
      const service = await Service.start(t, name);
      const [owner, taker, next] = await service.launchAll({}, { accident }, {});
      service.balance(owner!);
      const clients = clientsOf(service, 4);
      await soon(
        () => clients.every(({ got }) => got.length > 5),
        () => "messages",
      );
      service.balance(taker!);
      await owner!.stop();
      await taker!.event("accident");
      service.balance(next!);
      service.cut();
      if (accident.signal === "SIGKILL") return [service, clients];
      await soon(
        () => clients.every(({ id }) => service.events("restored").some(([, client]) => client === id)),
        () => "takes",
      );
      await delay(500);
      taker!.resume();
      await delay(500);
      return [service, clients];
    }

    for (const [method, at] of [
      ["take", "before"],
      ["take", "during"],
      ["take", "after"],
      ["claim", "before"],
    ] as const) {
      it(`are not lost when the process that takes them is killed: ${at} ${method}`, async (t) => {
        const [, clients] = await withAccidentOfTaker(t, { method, at, signal: "SIGKILL" });
        await checkAll(clients);
      });

      it(`are in one process when the one that takes them stands still: ${at} ${method}`, async (t) => {
        const [, clients] = await withAccidentOfTaker(t, { method, at, signal: "SIGSTOP" });
        await checkAll(clients);
      });
    }

    it("are lost and told when their process is killed after it has claimed them", async (t) => {
      const [, clients] = await withAccidentOfTaker(t, { method: "claim", at: "after", signal: "SIGKILL" });
      for (const client of clients) await client.checkTold();
      assert.equal(Math.max(...clients.map(({ lost }) => lost)), 1);
    });

    it("are lost and told when their process is killed", async (t) => {
      const service = await start(t);
      const clients = clientsOf(service, 8);
      await soon(
        () => clients.every(({ got }) => got.length > 5),
        () => "messages",
      );
      const [killed] = service.started;
      const lost = killed!.events.filter(([event]) => event === "open").map(([, client]) => client);
      service.remove(killed!);
      await killed!.kill();
      for (const client of clients) await client.checkTold();
      assert.deepEqual(
        clients.filter((client) => client.lost === 1).map(({ id }) => id),
        clients.map(({ id }) => id).filter((id) => lost.includes(id)),
      );
    });

    for (const at of ["before", "during", "after"] as const) {
      it(`go on when their process stands still ${at} it stores them`, async (t) => {
        const service = await Service.start(t, name);
        const [owner, ...others] = await service.launchAll(
          { accident: { method: "put", at, signal: "SIGSTOP" } },
          {},
          {},
        );
        service.balance(owner!);
        const clients = clientsOf(service, 4);
        await soon(
          () => clients.every(({ got }) => got.length > 5),
          () => "messages",
        );
        service.balance(...others);
        owner!.tell("stop", 5000);
        await owner!.event("accident");
        service.cut();
        await delay(3000);
        owner!.resume();
        await owner!.event("stopped");
        await checkAll(clients);
      });
    }

    it("end as those of one process, and are told, when the broker is away at the stop", async (t) => {
      const service = await Service.start(t, name);
      const [owner, next] = await service.launchAll({ storeTimeoutMs: 500 }, { storeTimeoutMs: 500 });
      service.balance(owner!);
      const clients = clientsOf(service, 4);
      await soon(
        () => clients.every(({ got }) => got.length > 5),
        () => "messages",
      );
      await service.broker.kill();
      service.balance(next!);
      await owner!.stop();
      // Until the store is back nobody knows whether another process has the sessions.
      await delay(1000);
      assert.equal(next!.count("open"), 0);
      await service.broker.start();
      for (const client of clients) await client.checkTold();
      assert.deepEqual(
        clients.map(({ lost }) => lost),
        clients.map(() => 1),
      );
      assert.deepEqual(
        new Set(owner!.events.filter(([event]) => event === "close").map(([, , code]) => code)),
        new Set([1012]),
      );
    });

    it("deliver a message again whose receiver was still running after graceMs, and no other", async (t) => {
      const service = await Service.start(t, name);
      const [owner, next] = await service.launchAll({}, {});
      service.balance(owner!);
      const client = service.client("c");
      client.send("a");
      await client.connection.drained();
      client.connection.send("slow 2");
      client.sent += 1;
      await soon(
        () => client.got.length === 2,
        () => "the slow message",
      );
      client.send("c");
      await delay(200);
      service.balance(next!);
      await owner!.stop(300);
      await soon(
        () => client.received.length === 3,
        () => "the answers",
      );
      assert.deepEqual(client.got, [1, 2, 2, 3]);
      assert.deepEqual(client.received, [1, 2, 3]);
      assert.equal(client.lost, 0);
    });

    it("wait for receivers that are running at the stop", async (t) => {
      const service = await Service.start(t, name);
      const [owner, next] = await service.launchAll({}, {});
      service.balance(owner!);
      const client = service.client("c");
      client.connection.send("slow 1");
      client.sent += 1;
      await soon(
        () => client.got.length === 1,
        () => "the slow message",
      );
      client.send("b");
      service.balance(next!);
      await owner!.stop(20_000);
      await client.check();
    });

    for (const save of ["throws", "rejects", "hangs", "gives a function"] as const) {
      it(`end and are told where save ${save}; the others move`, async (t) => {
        const service = await Service.start(t, name);
        const [owner, next] = await service.launchAll({ save }, {});
        service.balance(owner!);
        const [bad, good] = [service.client("bad"), service.client("good")];
        for (const client of [bad, good]) void client.keepSending(20);
        await soon(
          () => bad.got.length > 5 && good.got.length > 5,
          () => "messages",
        );
        service.balance(next!);
        await owner!.stop(2000);
        await bad.checkTold();
        await good.check();
        assert.equal(bad.lost, 1);
        assert.deepEqual(
          owner!.events.filter(([event]) => event === "close"),
          [["close", "bad", 1012]],
        );
        assert.deepEqual(
          owner!.events.filter(([event]) => event === "error").map(([, , detail]) => (detail as string[])[0]),
          ["save"],
        );
        assert.deepEqual(
          service.events("restored").map(([, client]) => client),
          ["good"],
        );
      });
    }

    it("move without a carrier, with the messages that their clients have not fetched", async (t) => {
      const service = await Service.start(t, name, 2);
      const [owner, next] = service.started;
      const open = opened(await poll(t, owner!.endpoint, { id: "c" }));
      const { status } = await post(t, owner!.endpoint, open.session, 1, text("1"), text("2"));
      assert.equal(status, 200);
      await soon(
        () => owner!.count("got") === 2,
        () => "both",
      );
      await owner!.stop();
      const { records } = await poll(t, next!.endpoint, { ...back(open, 0), park: 0 });
      assert.deepEqual(records.slice(1), [text("1:"), text("2:")]);
      assert.deepEqual(service.events("restored"), [["restored", "c", { received: 2 }]]);
    });

    it("move while they wait for the acknowledgement of the application's close", async (t) => {
      const service = await Service.start(t, name, 2);
      const [owner, next] = service.started;
      const open = opened(await poll(t, owner!.endpoint, { id: "c" }));
      await post(t, owner!.endpoint, open.session, 1, text("1:close"));
      await owner!.event("got");
      await owner!.stop();
      assert.deepEqual(
        owner!.events.filter(([event]) => event === "close"),
        [],
      );
      const { records } = await poll(t, next!.endpoint, { ...back(open, 0), park: 0 });
      assert.deepEqual(records.slice(1), [
        text("1:close"),
        { type: "close", code: 4001, reason: "the client asked for it" },
      ]);
      await post(t, next!.endpoint, open.session, 2, ack(2));
      await next!.event("close");
      assert.deepEqual(service.events("close"), [["close", "c", 4001]]);
      assert.deepEqual(service.events("restored"), []);
    });

    it("drop a POST whose body is arriving at the stop, and take it in another process", async (t) => {
      const service = await Service.start(t, name, 2);
      const [owner, next] = service.started;
      const open = opened(await poll(t, owner!.endpoint, { id: "c" }));
      await poll(t, owner!.endpoint, { ...back(open, 0), park: 0 });
      const client = await RawClient.connect(t, owner!.endpoint);
      client.write(
        `POST /s?session=${open.session}&from=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\ndata: t1`,
      );
      await delay(200);
      const stopped = owner!.stop();
      await assert.rejects(client.response("POST"), "the connection ended without an answer");
      await stopped;
      const { status, records } = await post(t, next!.endpoint, open.session, 1, text("1"));
      assert.equal(status, 200);
      assert.deepEqual(records, [ack(1)]);
      assert.deepEqual(service.events("got"), [["got", "c", 1]]);
    });

    it("go to one of two processes that are asked at the same time", async (t) => {
      const service = await Service.start(t, name, 3);
      const [owner, ...others] = service.started;
      const ids = Array.from({ length: 10 }, (_, n) => `c${n}`);
      const opens = await Promise.all(
        ids.map(async (id) => {
          const open = opened(await poll(t, owner!.endpoint, { id }));
          await post(t, owner!.endpoint, open.session, 1, text("1"));
          return open;
        }),
      );
      await owner!.stop();
      await Promise.all(
        opens.flatMap((open) =>
          others.map(async ({ endpoint }) => {
            const { status } = await post(t, endpoint, open.session, 2, text("2"), text("3"));
            assert.equal(status, 200);
          }),
        ),
      );
      for (const id of ids) {
        const named = (event: string): unknown[] =>
          service
            .events(event)
            .filter(([, client]) => client === id)
            .map(([, , detail]) => detail);
        assert.deepEqual(named("restored"), [{ received: 1 }], id);
        assert.deepEqual(named("got").toSorted(), [1, 2, 3], id);
      }
    });

    it("go to another process where maxSessions leaves no room", async (t) => {
      const service = await Service.start(t, name);
      const [owner, full, free] = await service.launchAll({}, { serve: { maxSessions: 1 } }, {});
      await poll(t, full!.endpoint, { id: "guest" });
      const open = opened(await poll(t, owner!.endpoint, { id: "c" }));
      await poll(t, owner!.endpoint, { ...back(open, 0), park: 0 });
      await owner!.stop();
      const refused = await poll(t, full!.endpoint, { ...back(open, 0), park: 0 });
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.response.headers.get("retry-after")?.[0]) > 0);
      const { records } = await poll(t, free!.endpoint, { ...back(open, 0), park: 0 });
      assert.deepEqual(records, [{ ...open, resumed: true }]);
    });

    it("carry messages of 700 KB over a relay and a move, on all carriers", async (t) => {
      const service = await start(t, { serve: { maxBodyBytes: 100_000 } });
      const clients = CARRIERS.map((carriers, n) =>
        service.client(`c${n}`, carriers === undefined ? {} : { carriers }),
      );
      const big = "x".repeat(700_000);
      for (let n = 0; n < 4; n++) {
        for (const client of clients) client.send(big, n % 2 === 0 ? "text" : "bytes");
        await Promise.all(clients.map(({ connection }) => connection.drained()));
        if (n > 0) await service.started[n - 1]!.restart();
      }
      await checkAll(clients);
      assert.deepEqual(service.events("error"), []);
    });
  });
}
