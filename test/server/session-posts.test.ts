// The limits of a session's POSTs: their number at a time, their records, the time that they wait, and the memory they hold.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EngineServer } from "../../src/server/engine-server.ts";
import { ack, ask, opened, poll, post, text } from "../support/session-client.ts";
import { sessionOfPoll, sessionOfStream } from "../support/session-site.ts";
import { deferred, settled, until } from "../support/wait.ts";

const NOW = Date.now();
const EMPTY = "data\n\n";

describe("the records of a POST", () => {
  it("may be 16,384 at most: one more is 413, and nothing is taken", async (t) => {
    let taken = 0;
    const { site, session } = await sessionOfPoll(t, { message: () => void taken++ });
    const send = (count: number) =>
      ask(t, site.endpoint, { method: "POST", query: { session, from: 1 }, body: EMPTY.repeat(count) });
    assert.equal((await send(16_385)).status, 413);
    assert.equal(taken, 0);
    const answer = await send(16_384);
    assert.deepEqual([answer.status, answer.records], [200, [ack(16_384)]]);
    assert.equal(taken, 16_384);
  });

  it("do not block other connections: a request is answered between two batches of records", async (t) => {
    let taken = 0;
    const order: string[] = [];
    const { site, session } = await sessionOfPoll(t, {
      message() {
        taken += 1;
        if (taken === 1) setImmediate(() => order.push("another"));
        if (taken === 16_384) order.push("last");
      },
    });
    await ask(t, site.endpoint, { method: "POST", query: { session, from: 1 }, body: EMPTY.repeat(16_384) });
    assert.deepEqual(order, ["another", "last"]);
  });

  it("are numbered from 1: from=0 is refused", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    assert.equal((await post(t, site.endpoint, session, 0, text("a"))).status, 400);
    assert.equal((await post(t, site.endpoint, session, 0)).status, 400);
    assert.equal((await post(t, site.endpoint, session, 1, text("a"))).status, 200);
  });
});

describe("the POSTs of a session", () => {
  it("may be four at a time: a fifth is 429 with Retry-After until one is answered", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    const slow = [];
    for (let i = 0; i < 4; i++) {
      const client = await site.site.connect();
      client.write(`POST /session?session=${session}&from=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ndata: a`);
      slow.push(client);
    }
    await until(() => site.site.server.stats().requests === 5, "all have begun");
    const refused = await post(t, site.endpoint, session, 1, text("b"));
    assert.equal(refused.status, 429);
    assert.deepEqual(refused.response.headers.get("retry-after"), ["1"]);
    // POSTs of another session do not count.
    const other = opened(await poll(t, site.endpoint));
    assert.equal((await post(t, site.endpoint, other.session, 1, text("c"))).status, 200);
    slow[0]!.write("\n\n");
    assert.equal((await slow[0]!.response("POST")).status, 200);
    assert.equal((await post(t, site.endpoint, session, 2, text("b"))).status, 200);
    slow[1]!.destroy();
    slow[2]!.destroy();
    await until(() => site.site.server.stats().connections === 2, "they are gone");
    for (let number = 3; number <= 4; number++) {
      assert.equal((await post(t, site.endpoint, session, number, text("b"))).status, 200);
    }
  });

  it("wait for room for half of heartbeatMs at most, and are then answered with an ack", async (t) => {
    const gate = deferred();
    const { site, session } = await sessionOfPoll(t, { message: () => gate.promise });
    const many = Array.from({ length: 70 }, () => text("x"));
    assert.deepEqual((await post(t, site.endpoint, session, 1, ...many)).records, [ack(70)]);
    let isAnswered = false;
    const late = post(t, site.endpoint, session, 71, text("late")).finally(() => {
      isAnswered = true;
    });
    await until(() => site.site.server.stats().requests === 3, "it waits");
    await settled(() => isAnswered);
    site.tick(NOW);
    site.tick(NOW + 12_499);
    await settled(() => isAnswered);
    assert.equal(isAnswered, false);
    site.tick(NOW + 12_500);
    const answer = await late;
    assert.deepEqual([answer.status, answer.records], [200, [ack(70)]]);
    gate.resolve();
    await until(() => site.calls.length === 71, "all were taken");
    assert.equal((await post(t, site.endpoint, session, 71, text("late"))).status, 200);
  });

  it("are answered when the application has taken their messages, or after a second", async (t) => {
    const gate = deferred();
    const { site, session } = await sessionOfPoll(t, { message: () => gate.promise });
    let isAnswered = false;
    const answer = post(t, site.endpoint, session, 1, text("a"), text("b")).finally(() => {
      isAnswered = true;
    });
    await site.called("receive a");
    gate.resolve();
    assert.deepEqual((await answer).records, [ack(2)]);
    assert.equal(isAnswered, true);
    assert.deepEqual(site.calls, ["open", "receive a", "receive b"]);
  });

  it("stop waiting when their client has left", async (t) => {
    const gate = deferred();
    const { site, session } = await sessionOfPoll(t, { message: () => gate.promise });
    await post(t, site.endpoint, session, 1, ...Array.from({ length: 70 }, () => text("x")));
    for (let i = 0; i < 4; i++) {
      const client = await site.site.connect();
      client.write(
        `POST /session?session=${session}&from=71 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\ndata: a\n\n`,
      );
      await until(() => site.site.server.stats().requests === 3 + i, "it waits");
      client.destroy();
    }
    await until(() => site.site.server.stats().connections === 0, "all have left");
    site.tick(NOW);
    site.tick(NOW + 1000);
    const answer = post(t, site.endpoint, session, 71, text("late"));
    await until(() => site.site.server.stats().requests === 7, "there is room for it");
    gate.resolve();
    assert.equal((await answer).status, 200);
    await site.called("receive late");
  });

  it("count in maxTotalReceivedBytes while they wait: above it the largest gets 503", async (t) => {
    const gate = deferred();
    const limits = { maxTotalReceivedBytes: 1536 * 1024 };
    const { site, session } = await sessionOfStream(t, { message: () => gate.promise }, {}, limits);
    const big = Array.from({ length: 10 }, () => text("x".repeat(60_000)));
    void post(t, site.endpoint, session, 1, ...big).catch(() => {});
    await site.called(`receive ${"x".repeat(60_000)}`);
    void post(t, site.endpoint, session, 11, ...big).catch(() => {});
    const { received } = (site.site.server as EngineServer).exchanges;
    // One of the twenty has been taken.
    await until(() => received.bytes >= 19 * 60_000, "it waits");
    const refused = await post(t, site.endpoint, session, 21, ...big);
    assert.equal(refused.status, 503);
    assert.deepEqual(refused.response.headers.get("retry-after"), ["1"]);
    gate.resolve();
    await until(() => site.calls.length === 21, "what waited was taken");
    // The head of a stream that lasts for more than a tick counts as well.
    await until(() => received.bytes < 60_000, "nothing waits");
  });
});

describe("an acknowledgement in a POST", () => {
  it("is taken although the records of the same POST leave a gap", async (t) => {
    const { site, session } = await sessionOfPoll(t, { open: (channel) => channel.send("hello") });
    assert.equal((await post(t, site.endpoint, session, 5, ack(1), text("e"))).status, 409);
    assert.equal(site.channel.bufferedAmount, 0);
  });

  it("is refused with 400 for a record that was never sent, and nothing of its POST is taken", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    assert.equal((await post(t, site.endpoint, session, 1, text("a"), ack(9))).status, 400);
    assert.deepEqual(site.calls, ["open"]);
  });
});
