// A service on all cores under load: its workers are replaced, killed and frozen. Sessions and groups lose no message without being
// told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CarrierKind } from "../../src/client/carrier.ts";
import { GroupMember, ProcessesService, signal } from "../support/processes-service.ts";
import type { NumberedClient } from "../support/service.ts";
import { until, untilAsync } from "../support/wait.ts";

const MESSAGES = 1500;

const CARRIERS: readonly (readonly CarrierKind[] | undefined)[] = [["websocket"], ["sse"], ["poll"], undefined];

function clientsOf(service: ProcessesService, count: number): NumberedClient[] {
  return Array.from({ length: count }, (_, i) => {
    const carriers = CARRIERS[i % CARRIERS.length];
    const client = service.client(`c${i}`, carriers === undefined ? {} : { carriers });
    void client.keepSending(10);
    return client;
  });
}

describe("a service on all cores", () => {
  it("loses and doubles no message while its workers are replaced in turn, again and again", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const clients = clientsOf(service, 12);
    await until(() => clients.every(({ got }) => got.length > 3), "messages");
    for (let n = 0; n < 4; n++) await service.replace();
    for (const client of clients) await client.check();
    for (const name of ["error", "store error", "died"]) assert.deepEqual(service.events(name), [], name);
    assert.equal(service.errors, "");
    for (const { id } of clients)
      assert.ok(
        service.events("restored").some(([, of]) => of === id),
        `${id} has moved`,
      );
  });

  it("tells the clients of a worker that is killed, and those of the others notice nothing", async (t) => {
    const service = await ProcessesService.start(t, { count: 3 });
    const clients = clientsOf(service, 12);
    await until(() => clients.every(({ got }) => got.length > 3), "messages");
    const [killed] = await service.pids();
    const here = service.events("open").flatMap(([, id, pid]) => (pid === killed ? id : []));
    assert.ok(here.length > 0);
    signal(killed!, "SIGKILL");
    await until(() => clients.every(({ id, lost }) => !here.includes(id) || lost === 1), "they are told");
    await service.said("listens", 4);
    for (const client of clients) await client.checkTold();
    assert.deepEqual(
      clients.flatMap(({ id, lost }) => (lost > 0 ? id : [])),
      clients.flatMap(({ id }) => (here.includes(id) ? id : [])),
    );
    // Its address, and the sessions that it had claimed, were gone with it.
    assert.deepEqual(service.events("error"), []);
  });

  it("delivers each message of a group once and in order to the workers that live, while one is killed under load", async (t) => {
    const service = await ProcessesService.start(t, { count: 3 });
    const members = await GroupMember.openAll(t, service, 12);
    let published = 0;
    let isOver = false;
    const confirmed: string[] = [];
    const publishing = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        const number = String(published++);
        // The worker that is asked may be the one that is killed.
        const id = await service.get("/publish", number).catch(() => "");
        if (id !== "") confirmed.push(number);
      }
    });
    await delay(200);
    const [killed] = await service.pids();
    signal(killed!, "SIGKILL");
    await service.said("listens", 4);
    await delay(200);
    isOver = true;
    await Promise.all(publishing);
    const [late] = await GroupMember.openAll(t, service, 1);
    await service.get("/publish", "end");
    const living = members.filter(({ pid }) => pid !== killed);
    assert.ok(living.length > 0 && living.length < members.length);
    await until(() => [...living, late!].every(({ heard }) => heard.at(-1) === "end"), "all have heard the end");
    // The history has all of it: a member that joins later has the same.
    for (const { heard } of living) assert.deepEqual(heard, late!.heard);
    assert.equal(new Set(late!.heard).size, late!.heard.length, "none twice");
    assert.deepEqual(
      confirmed.filter((number) => !late!.heard.includes(number)),
      [],
      "all that was confirmed",
    );
  });

  it("gives a worker that stood still what it has missed, or tells its members", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, history: 200 });
    const members = await GroupMember.openAll(t, service, 8);
    const [frozen, other] = await service.pids();
    await untilAsync(async () => (await service.get("/present")).split(",").length === 8, "all are present");
    const { socket } = members.find(({ pid }) => pid === other)!;
    signal(frozen!, "SIGSTOP");
    const text = "x".repeat(20_000);
    for (let n = 0; n < MESSAGES; n++) {
      socket.send(`${n} ${text}`);
      if (n % 50 === 0) await delay(5);
    }
    const isDone = ({ heard }: GroupMember): boolean => heard.at(-1)?.startsWith(`${MESSAGES - 1} `) === true;
    await until(
      () => members.every((member) => member.pid === frozen || isDone(member)),
      "the worker that runs has all",
    );
    signal(frozen!, "SIGCONT");
    await until(() => members.every(isDone), "the other one has the last message");
    for (const { pid, heard } of members) {
      const numbers = heard.map((one) => Number(one.split(" ")[0]));
      const reset = numbers.findIndex(Number.isNaN);
      if (pid === other) assert.equal(reset, -1);
      // 30 MB have passed, of which the history has 4 MB.
      else assert.ok(reset > 0, "the members of the other one are told");
      const [before, after] = [numbers.slice(0, reset === -1 ? undefined : reset), numbers.slice(reset + 1)];
      for (const part of [before, after]) {
        const first = part[0]!;
        assert.deepEqual(
          part,
          part.map((_, n) => first + n),
          "each part without a hole",
        );
      }
    }
  });
});
