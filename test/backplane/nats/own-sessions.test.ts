// Properties of the session store over NATS alone: parts of large snapshots, the age of the stream, a deleted stream, clients that
// send no headers, options.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { type NatsSessionsOptions, natsSessions } from "../../../src/backplane/nats/sessions.ts";
import { nameToken } from "../../../src/backplane/nats/subjects.ts";
import type { SessionStore } from "../../../src/backplane/session-store.ts";
import { Broker } from "../../support/broker.ts";
import { connectNats, startNats } from "../../support/nats.ts";
import { needs } from "../../support/needs.ts";

const TTL_MS = 600_000;
const NS_PER_MS = 1_000_000;
const LARGE = Buffer.alloc(2_000_000, "large");
const skip = needs("nats-server");

describe("the session store over NATS", { skip }, () => {
  let nats: Broker;
  let raw: NatsConnection;
  before(async () => {
    nats = await startNats();
    raw = await connectNats(nats.port);
  });
  after(async () => {
    await raw.close();
    await nats.stop();
  });

  async function open(t: TestContext, options: NatsSessionsOptions, port = nats.port): Promise<SessionStore> {
    const connection = await connectNats(port);
    const store = natsSessions(connection, { onError() {}, ...options });
    t.after(async () => {
      await store.close();
      await connection.close();
    });
    return store;
  }

  async function api<T>(request: string, body: object = {}): Promise<T> {
    const answer = await raw.request(`$JS.API.${request}`, JSON.stringify(body), { timeout: 20_000 });
    return JSON.parse(answer.string()) as T;
  }

  /** Number of parts in the stream. */
  async function partsOf(name: string): Promise<number> {
    const filter = { subjects_filter: `${name}.s.d.>` };
    const { state } = await api<{ state: { subjects?: object } }>(`STREAM.INFO.${name}-sessions`, filter);
    return Object.keys(state.subjects ?? {}).length;
  }

  it("deletes the parts of a snapshot when it is claimed, replaced, forgotten or refused", async (t) => {
    const name = "parts";
    const [a, b] = [await open(t, { name }), await open(t, { name })];
    await a.put("t", "A", LARGE, TTL_MS);
    assert.equal(await partsOf(name), 4);
    assert.equal(await b.put("t", "B", LARGE, TTL_MS), false);
    assert.equal(await partsOf(name), 4);
    await a.put("t", "A", LARGE.subarray(1), TTL_MS);
    assert.equal(await partsOf(name), 4);
    await b.take("t", "B", { ttlMs: TTL_MS });
    assert.equal(await partsOf(name), 4);
    await b.claim("t", "B", TTL_MS);
    assert.equal(await partsOf(name), 0);
    await b.put("t", "B", LARGE, TTL_MS);
    await b.put("t", "B", Buffer.from("small"), TTL_MS);
    assert.equal(await partsOf(name), 0);
    await b.put("t", "B", LARGE, TTL_MS);
    await b.forget("t", "B");
    assert.equal(await partsOf(name), 0);
  });

  it("keeps a large snapshot as long as its record, if the stream would delete its parts before", async (t) => {
    const name = "ageing";
    const [ageMs, ttlMs] = [16_000, 14_000];
    await api(`STREAM.CREATE.${name}-sessions`, {
      name: `${name}-sessions`,
      subjects: [`${name}.s.>`],
      ...{ retention: "limits", discard: "old", storage: "file", max_msgs_per_subject: 1, num_replicas: 1 },
      ...{ max_age: ageMs * NS_PER_MS, duplicate_window: 1000 * NS_PER_MS },
    });
    const store = await open(t, { name });
    await store.put("t", "A", LARGE, ttlMs);
    await delay(8000);
    assert.equal((await store.take("t", "B", { ttlMs })).type, "taken");
    // The first parts are too old now, and the record is not.
    await delay(10_000);
    const answer = await store.take("t", "C", { ttlMs, from: "B" });
    assert.ok(answer.type === "taken" && LARGE.equals(answer.snapshot));
  });

  it("says unknown for a record whose parts are gone, and lets the session be stored again", async (t) => {
    const name = "gone";
    const store = await open(t, { name });
    await store.put("t", "A", LARGE, TTL_MS);
    await api(`STREAM.PURGE.${name}-sessions`, { filter: `${name}.s.d.>` });
    assert.deepEqual(await store.take("t", "B", { ttlMs: TTL_MS }), { type: "unknown" });
    assert.equal(await store.put("t", "B", Buffer.from("1"), TTL_MS), true);
  });

  it("raises the age of the stream for a longer time to live, and never lowers it", async (t) => {
    const name = "raised";
    const ageMs = async (): Promise<number> => {
      const { config } = await api<{ config: { max_age: number } }>(`STREAM.INFO.${name}-sessions`);
      return config.max_age / NS_PER_MS;
    };
    const [a, b] = [await open(t, { name }), await open(t, { name })];
    await b.put("short", "B", Buffer.from("1"), 1000);
    assert.equal(await ageMs(), 600_000);
    const puts = Array.from({ length: 20 }, (_, i) => a.put(`long ${i}`, "A", Buffer.from("1"), 3_600_000 + i));
    await Promise.all(puts);
    const raised = await ageMs();
    assert.ok(raised >= 3_600_000, String(raised));
    await b.put("middle", "B", Buffer.from("1"), 1_200_000);
    assert.equal(await ageMs(), raised);
  });

  it("goes on when its streams are deleted while it is connected", async (t) => {
    const name = "deleted";
    const store = await open(t, { name });
    const secret = await store.secret();
    for (let round = 0; round < 3; round++) {
      await store.put("t", "A", Buffer.from("1"), TTL_MS);
      for (const stream of ["sessions", "secret"]) await api(`STREAM.DELETE.${name}-${stream}`);
      assert.deepEqual(await store.take("t", "B", { ttlMs: TTL_MS }), { type: "unknown" });
      assert.equal(await store.secret(), secret);
    }
  });

  it("stores large snapshots on a server whose messages are small", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "unichannel-nats-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, "nats.conf");
    writeFileSync(config, "max_payload: 32768\n");
    const small = await Broker.start((port, files) => [
      ...["nats-server", "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", files, "-c", config],
    ]);
    t.after(() => small.stop());
    const [a, b] = [await open(t, {}, small.port), await open(t, {}, small.port)];
    for (const length of [10_000, 16_384, 16_385, 100_000, 3_000_000]) {
      const snapshot = LARGE.subarray(0, length);
      const token = `${length}`;
      assert.equal(await a.put(token, "A", snapshot, TTL_MS), true, token);
      const answer = await b.take(token, "B", { ttlMs: TTL_MS });
      assert.ok(answer.type === "taken" && snapshot.equals(answer.snapshot), token);
      assert.equal(await b.claim(token, "B", TTL_MS), true, token);
    }
  });

  it("rejects all calls over a client that does not send headers", async (t) => {
    const connection = await connectNats(nats.port);
    t.after(() => connection.close());
    const headless = Object.create(connection, {
      request: {
        value: (subject: string, payload?: Uint8Array, { timeout = 1000 } = {}) =>
          connection.request(subject, payload, { timeout }),
      },
    }) as NatsConnection;
    const store = natsSessions(headless, { name: "headless", onError() {} });
    const wrong = { code: "BACKPLANE_UNAVAILABLE", message: /headers/ };
    await assert.rejects(store.put("t", "A", Buffer.from("1"), TTL_MS), wrong);
    await assert.rejects(store.take("t", "A", { ttlMs: TTL_MS }), wrong);
    await store.close();
  });

  it("rejects with BACKPLANE_UNAVAILABLE if something else wrote a record", async (t) => {
    const name = "foreign";
    const store = await open(t, { name });
    await store.secret();
    const parts = '{"state":"stored","owner":"A","ttl":600000,"parts":{"id":"x","atMs":1,"sequences":["y"]}}';
    const contents = [
      ...["", "\x01", "foreign", "\x01\0\0\0\x02{", "\x01\xff\xff\xff\xff{}", "\x01\0\0\0\x02{}", "\x01\0\0\0\x04null"],
      `\x01\0\0\0${String.fromCharCode(parts.length)}${parts}`,
    ];
    for (const content of contents) {
      await raw.request(`${name}.s.r.${nameToken("t")}`, Buffer.from(content, "latin1"), { timeout: 20_000 });
      const unavailable = { code: "BACKPLANE_UNAVAILABLE" };
      await assert.rejects(store.take("t", "A", { ttlMs: TTL_MS }), unavailable);
      await assert.rejects(store.put("t", "A", Buffer.from("1"), TTL_MS), unavailable);
    }
    assert.equal(await store.put("u", "A", Buffer.from("1"), TTL_MS), true);
  });

  it("may have the name of a backplane, and leaves the user's connection open", async (t) => {
    const connection = await connectNats(nats.port);
    t.after(() => connection.close());
    const store = natsSessions(connection);
    await store.put("t", "A", Buffer.from("1"), TTL_MS);
    await store.close();
    assert.equal(connection.isClosed(), false);
    await connection.flush();
  });

  it("refuses objects that are not connections, and wrong options", () => {
    for (const value of [undefined, null, 5, {}, { publish() {} }]) {
      assert.throws(() => natsSessions(value as never), { code: "BAD_OPTION", message: /natsSessions/ });
    }
    const options = [{ name: "a.b" }, { name: "" }, { replicas: 0 }, { replicas: 6 }, { timeoutMs: 0 }, { aliveMs: 5 }];
    for (const option of options as NatsSessionsOptions[]) {
      const [name] = Object.keys(option);
      assert.throws(() => natsSessions(raw, option), { code: "BAD_OPTION", message: new RegExp(name!) });
    }
  });
});
