// Polls, streams and POSTs of a client, in virtual time: what is odd has a brake, and acknowledgements do not wait.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { Network, type PlayedRequest, settle } from "./network.ts";

function errorsOf(connection: Connection): string[] {
  const errors: string[] = [];
  connection.onError((error) => errors.push(`${(error as { code: string }).code} ${(error as Error).message}`));
  return errors;
}

/** How many GETs there are in `ms`, each answered at once by `answer`. */
async function requestsIn(network: Network, ms: number, answer: (request: PlayedRequest) => void): Promise<number> {
  const answered = new Set(network.requests);
  answered.delete(network.get());
  const before = answered.size;
  for (let passed = 0; passed < ms; passed += 100) {
    for (let turn = 0; turn < 12; turn++) {
      await settle();
      const open = network.requests.filter((request) => request.method === "GET" && !answered.has(request));
      if (open.length === 0) break;
      for (const request of open) {
        answered.add(request);
        answer(request);
      }
    }
    await network.advance(100);
  }
  return answered.size - before;
}

describe("Polls that are answered oddly go through the backoff, and `onError` hears of it:", () => {
  const odd: readonly [string, RegExp, (request: PlayedRequest, network: Network) => void][] = [
    [
      "a page",
      /HTTP 200 \(text\/html\)/,
      (r) => r.respond(200, { "Content-Type": "text/html" }).push("<p>\n\n").finish(),
    ],
    ["nothing at all", /HTTP 200/, (request) => request.respond().finish()],
    ["an error", /HTTP 502/, (request) => request.respond(502).finish()],
    [
      "another session each time",
      /forgets each session/,
      (() => {
        let id = 1;
        return (request) => request.open({ session: `X${id++}` }).finish();
      })(),
    ],
    ["`open` and nothing else, at once", /end at once/, (request) => request.open({ resumed: true }).finish()],
    [
      "a `close` that asks it to come back at once",
      /^$/,
      (request) =>
        request
          .open({ session: `${Math.random()}` })
          .push('event: close\ndata: {"code":1012,"reason":"","retryMs":0}\n\n')
          .finish(),
    ],
  ];
  for (const [name, message, answer] of odd) {
    it(name, async () => {
      const network = new Network();
      const connection = await network.opened("poll");
      const errors = errorsOf(connection);
      const states: string[] = [];
      connection.onState((state) => states.push(state));
      const requests = await requestsIn(network, 60_000, (request) => answer(request, network));
      assert.ok(requests < 60, `${requests} requests in a minute`);
      assert.ok(states.includes("reconnecting"));
      if (message.source !== "^$")
        assert.ok(
          errors.some((error) => message.test(error)),
          errors.join("\n"),
        );
    });
  }

  it("polls with messages follow each other at once", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    let messages = 0;
    connection.onMessage(() => messages++);
    for (let id = 0; id < 30; id++) {
      network
        .get()
        .open({ resumed: true, first: id + 1 })
        .push("data: x\n\n")
        .finish();
      await settle();
    }
    assert.equal(messages, 30);
    assert.equal(connection.state, "open");
  });
});

describe("POSTs", () => {
  it("a POST of acknowledgements does not wait for an unanswered POST of messages", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    await settle();
    const post = network.post();
    for (let id = 0; id < 16; id++) network.get().push("data: x\n\n");
    await settle();
    assert.equal(network.count("POST"), 2);
    assert.equal(network.post().query, "?session=T1&from=1");
    assert.equal(network.post().body, "event: ack\ndata: 16\n\n");
    for (let id = 0; id < 16; id++) network.get().push("data: x\n\n");
    await settle();
    assert.equal(network.count("POST"), 2, "one of them at a time");
    network.post().acknowledge(0);
    await settle();
    assert.equal(network.post().body, "event: ack\ndata: 32\n\n");
    network.post().acknowledge(0);
    await network.advance(25_000);
    assert.equal(network.post().body, "event: ack\ndata: 32\n\n", "a sign of life");
    network.post().acknowledge(0);
    post.acknowledge(1);
    await connection.drained();
    assert.equal(connection.state, "open");
  });

  it("have time by their length: 2 heartbeats of 25 s, and 100 s for 1.6 MB", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("x".repeat(1_600_000));
    await settle();
    const post = network.post();
    for (let second = 0; second < 149; second++) {
      await network.advance(1000);
      network.get().push(":\n\n");
      if (network.post() !== post) network.post().acknowledge(0);
    }
    assert.equal(post.isAborted, false);
    await network.advance(2000);
    assert.equal(post.isAborted, true);
  });

  it("a POST that a busy server answers with an old `ack` is sent again, and the carrier is kept", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    await settle();
    for (let time = 0; time < 8; time++) {
      network.post().acknowledge(0);
      const posts = network.count("POST");
      await settle();
      assert.equal(network.count("POST"), posts, "not at once");
      await network.advance(2000);
      network.get().push(":\n\n");
    }
    assert.equal(connection.state, "open");
    network.post().acknowledge(1);
    await connection.drained();
  });

  it("a 429 or 503 with `Retry-After` delays the next POST by that time, in either form", async () => {
    for (const status of [429, 503]) {
      for (const after of ["3", new Date(Date.now() + 3500).toUTCString()]) {
        const network = new Network();
        const connection = await network.opened("sse");
        connection.send("1");
        await settle();
        network.post().respond(status, { "Retry-After": after }).finish();
        await network.advance(2000);
        assert.equal(network.count("POST"), 1, `${status} ${after}`);
        await network.advance(2000);
        assert.equal(network.count("POST"), 2, `${status} ${after}`);
        assert.equal(connection.state, "open");
      }
    }
  });

  it("a date in `Retry-After` is compared with the clock of the server, not of the client", async () => {
    const hour = 3_600_000;
    for (const offsetMs of [-12 * hour, -hour, hour, 12 * hour]) {
      const network = new Network();
      const connection = await network.opened("sse");
      connection.send("1");
      await settle();
      const there = Date.now() + offsetMs;
      const fields = { Date: new Date(there).toUTCString(), "Retry-After": new Date(there + 3000).toUTCString() };
      network.post().respond(503, fields).finish();
      await network.advance(2000);
      assert.equal(network.count("POST"), 1, `${offsetMs}`);
      await network.advance(1500);
      assert.equal(network.count("POST"), 2, `${offsetMs}`);
      assert.equal(connection.state, "open");
    }
  });

  it("an invalid `Retry-After` delays the next POST like any other failure", async () => {
    for (const after of ["Infinity", "1e9", "0x7fffffff", "-5", "soon", "2.5e3", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
      const network = new Network();
      const connection = await network.opened("sse");
      connection.send("1");
      await settle();
      network.post().respond(503, { "Retry-After": after }).finish();
      await network.advance(2000);
      assert.equal(network.count("POST"), 2, after);
      assert.equal(connection.state, "open");
    }
  });

  it("a refused POST is reported, and the carrier is given up", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    const errors = errorsOf(connection);
    connection.send("1");
    await settle();
    network.post().respond(404).finish();
    await settle();
    assert.equal(errors.length, 1);
    assert.match(errors[0]!, /^CONNECT_FAILED .*sse: POST: HTTP 404$/);
    assert.equal(connection.state, "reconnecting");
  });
});

describe("Requests", () => {
  it("a poll that is held while a WebSocket is tried is not sent when that one has the session", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    await network.advance(30_000);
    // The parked poll ends; the next one waits for the outcome of the attempt.
    network.get().open({ resumed: true }).finish();
    await settle();
    const polls = network.count("GET");
    network.socket().open({ resumed: true });
    await settle();
    assert.equal(connection.transport, "websocket");
    assert.equal(network.count("GET"), polls);
  });

  for (const [what, answer] of [
    ["under way", () => {}],
    ["paused", (post: PlayedRequest) => post.respond(503, { "Retry-After": "3600" }).finish()],
  ] as const) {
    it(`a request that is ${what} when its carrier is left is over, and leaves no timer`, async () => {
      const network = new Network();
      const connection = await network.opened("sse");
      await network.advance(29_000);
      network.get().push(":\n\n");
      network.post().acknowledge(0);
      await settle();
      connection.send("x");
      await settle();
      answer(network.post());
      await network.advance(1000);
      const posts = network.count("POST");
      network.socket().open({ resumed: true });
      await settle();
      assert.equal(connection.transport, "websocket");
      connection.close();
      await settle();
      assert.equal(network.clock.pending, 0);
      assert.equal(network.count("POST"), posts);
    });
  }

  it("are over when their answer is malformed, or not that of a session: what follows is not read", async () => {
    for (const method of ["GET", "POST"]) {
      for (const answer of [
        (request: PlayedRequest) => request.respond().push("event: binary\ndata: ***\n\n"),
        (request: PlayedRequest) => request.respond().push("event: nothing\ndata: 1\n\n"),
        (request: PlayedRequest) => request.respond(404).push("<p>"),
      ]) {
        const network = new Network();
        const connection = method === "GET" ? network.connect({ carriers: ["sse"] }) : await network.opened("sse");
        connection.onError(() => {});
        connection.send("x");
        await settle();
        const request = method === "GET" ? network.get() : network.post();
        answer(request);
        await settle();
        assert.equal(request.isCancelled || request.isAborted, true);
        connection.close();
      }
    }
  });

  it("have a signal each, and all end with the connection", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    for (let id = 1; id <= 20; id++) {
      connection.send("x");
      await settle();
      network.post().acknowledge(id);
      await settle();
    }
    const signals = network.requests.map(({ init }) => init.signal);
    assert.equal(new Set(signals).size, signals.length);
    connection.close();
    await settle();
    network.post().acknowledge(21);
    await settle();
    assert.equal(network.get().isAborted, true);
    assert.equal(network.clock.pending, 0);
  });

  it("a poll with a long message is followed by signs of life", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    const messages: unknown[] = [];
    connection.onMessage((message) => messages.push(message));
    const poll = network.get();
    poll.open({ resumed: true }).push("data: x");
    for (let heartbeat = 1; heartbeat <= 5; heartbeat++) {
      await network.advance(24_000);
      poll.push("y");
      await network.advance(1000);
      assert.equal(network.count("POST"), heartbeat);
      network.post().acknowledge(0);
    }
    poll.push("\n\n").finish();
    await settle();
    assert.deepEqual(messages, ["xyyyyy"]);
    assert.equal(connection.state, "open");
  });
});
