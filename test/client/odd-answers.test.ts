// Whatever a server, or something before it, answers: a client waits longer each time, says why, and goes on trying.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { Network, type PlayedRequest, type PlayedSocket, settle } from "./network.ts";

const MINUTES = 10;
/** Pauses of 250 ms to 15 s (half of each with `random` 0.5): 5 in the first 8 s, then 4 a minute, and each has a round. */
const MAX_ROUNDS = 5 + 4 * MINUTES + 5;

/** Ten minutes in which each request and each WebSocket is answered at once. Returns how many there were. */
async function answered(
  network: Network,
  answer: (request: PlayedRequest) => void,
  end: (socket: PlayedSocket) => void,
): Promise<{ requests: number; sockets: number }> {
  const before = { requests: network.requests.length, sockets: network.sockets.length };
  const seen = new Set<unknown>([...network.requests.slice(0, -1), ...network.sockets.slice(0, -1)]);
  const answerAll = async (): Promise<void> => {
    // More than this in one moment is a storm, which the count then shows.
    for (let turn = 0; turn < 20; turn++) {
      await settle();
      const requests = network.requests.filter((request) => !seen.has(request));
      const sockets = network.sockets.filter((socket) => !seen.has(socket));
      if (requests.length + sockets.length === 0) return;
      for (const request of requests) {
        seen.add(request);
        if (!request.isAborted) answer(request);
      }
      for (const socket of sockets) {
        seen.add(socket);
        if (!socket.isClosed) end(socket);
      }
    }
  };
  await answerAll();
  const until = network.clock.now() + MINUTES * 60_000;
  while (network.clock.now() < until) {
    const next = network.clock.nextAt ?? until;
    network.clock.advance(Math.max(Math.min(next, until) - network.clock.now(), 0));
    await answerAll();
  }
  return {
    requests: network.requests.length - before.requests,
    sockets: network.sockets.length - before.sockets,
  };
}

function errorsOf(connection: Connection): string[] {
  const errors: string[] = [];
  connection.onError((error) => errors.push((error as Error).message));
  return errors;
}

const ANSWERS: readonly [name: string, said: RegExp, answer: (request: PlayedRequest) => void][] = [
  ["204", /HTTP 204/, (request) => void request.respond(204)],
  ["304", /HTTP 304/, (request) => void request.respond(304)],
  ["301 that is not followed", /HTTP 301/, (request) => request.respond(301, { Location: "/login" }).finish()],
  ["404", /HTTP 404/, (request) => request.respond(404).finish()],
  ["418", /HTTP 418/, (request) => request.respond(418).finish()],
  ["500", /HTTP 500/, (request) => request.respond(500).finish()],
  ["502 with a page", /HTTP 502/, (request) => request.respond(502, { "Content-Type": "text/html" }).push("<p>").finish()],
  ["503 without Retry-After", /HTTP 503/, (request) => request.respond(503).finish()],
  ["429 without Retry-After", /HTTP 429/, (request) => request.respond(429).finish()],
  [
    "a page with 200",
    /HTTP 200 \(text\/html\) is not the answer of a session/,
    (request) => request.respond(200, { "Content-Type": "text/html" }).push("<!doctype html>\n\n<p>Log in").finish(),
  ],
  [
    "JSON with 200",
    /HTTP 200 \(application\/json\) is not the answer of a session/,
    (request) => request.respond(200, { "Content-Type": "application/json" }).push('{"ok":true}\n\n').finish(),
  ],
  ["200 with nothing", /HTTP 200/, (request) => request.respond(200, { "Content-Type": "text/event-stream" }).finish()],
  ["an `open` that is cut", /HTTP 200/, (request) => request.respond().push('event: open\ndata: {"session":').finish()],
  ["an `open` that is no JSON", /BAD_RECORD|malformed/, (request) => request.respond().push("event: open\ndata: {\n\n").finish()],
  ["an event of something else", /BAD_RECORD|malformed/, (request) => request.respond().push("event: tick\ndata: 1\n\n").finish()],
  ["a body that breaks off", /fetch failed|HTTP/, (request) => request.respond().push(": \n").fail()],
  ["no connection", /fetch failed/, (request) => request.fail()],
]; // biome-ignore format: a list of cases

describe("A connection that never was open has a backoff when it gets", () => {
  for (const [name, said, answer] of ANSWERS) {
    it(name, async () => {
      const network = new Network();
      const connection = network.connect();
      const errors = errorsOf(connection);
      const counts = await answered(network, answer, (socket) => socket.drop());
      assert.equal(connection.state, "connecting");
      assert.ok(counts.sockets > 10, "it goes on trying");
      assert.ok(counts.sockets <= MAX_ROUNDS && counts.requests <= 2 * MAX_ROUNDS, JSON.stringify(counts));
      assert.ok(errors.length > 10 && errors.every((error) => /websocket|sse|BAD_RECORD|kind|JSON/.test(error)));
      assert.ok(
        errors.some((error) => said.test(error)),
        errors[0],
      );
      connection.close();
    });
  }
});

describe("A connection that was open has a backoff when its requests get", () => {
  for (const kind of ["sse", "poll"] as const) {
    for (const [name, said, answer] of ANSWERS) {
      it(`${name} (${kind})`, async () => {
        const network = new Network();
        const connection = await network.opened(kind);
        const errors = errorsOf(connection);
        connection.send("x");
        await settle();
        if (kind === "sse") network.get().finish();
        const counts = await answered(network, answer, (socket) => socket.drop());
        assert.equal(connection.state, "reconnecting");
        // POSTs are tried three times before their carrier is given up.
        assert.ok(counts.requests <= 3 * MAX_ROUNDS, JSON.stringify(counts));
        assert.ok(counts.requests > 10, "it goes on trying");
        assert.ok(
          errors.some((error) => said.test(error)),
          errors.join("\n"),
        );
        assert.equal(connection.bufferedAmount, 64, "the message is kept");
        connection.close();
      });
    }
  }
});

describe("A WebSocket that ends goes through the backoff, with code", () => {
  const codes = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4408, 4999];
  for (const code of codes) {
    it(`${code} before its \`open\``, async () => {
      const network = new Network();
      const connection = network.connect({ carriers: ["websocket"] });
      const errors = errorsOf(connection);
      const { sockets } = await answered(
        network,
        () => {},
        (socket) => socket.drop(code, "why"),
      );
      assert.equal(connection.state, "connecting");
      assert.ok(sockets > 10 && sockets <= MAX_ROUNDS, `${sockets}`);
      assert.match(errors[0]!, new RegExp(`websocket: closed \\(${code} why\\)`));
      connection.close();
    });

    // 1011 ends the session (PROTOCOL.md, "The end").
    if (code === 1011) continue;
    it(`${code} right behind its \`open\``, async () => {
      const network = new Network();
      const connection = await network.opened("websocket", { carriers: ["websocket"] });
      const { sockets } = await answered(
        network,
        () => {},
        (socket) => {
          if (!socket.query.includes("session")) return socket.drop(code);
          socket.open({ resumed: true });
          socket.drop(code, "why");
        },
      );
      assert.notEqual(connection.state, "closed");
      assert.ok(sockets > 10 && sockets <= MAX_ROUNDS, `${sockets}`);
      connection.close();
    });
  }

  it("1006 after an `open` of another session each time", async () => {
    const network = new Network();
    const connection = await network.opened("websocket", { carriers: ["websocket"] });
    const errors = errorsOf(connection);
    let sessions = 1;
    const { sockets } = await answered(
      network,
      () => {},
      (socket) => {
        socket.open({ session: `T${++sessions}` });
        socket.drop();
      },
    );
    assert.ok(sockets <= MAX_ROUNDS, `${sockets}`);
    assert.ok(errors.some((error) => /forgets each session/.test(error)));
    connection.close();
  });
});

describe("`Retry-After` is obeyed by a connection", () => {
  for (const status of [429, 500, 503]) {
    for (const form of ["seconds", "a date"] as const) {
      it(`a ${status} with ${form} delays the next attempt`, async () => {
        const network = new Network();
        network.connect({ carriers: ["poll"] });
        await settle();
        // A date counts whole seconds of the wall clock, of which a part has passed.
        const after = form === "seconds" ? "40" : new Date(Date.now() + 41_000).toUTCString();
        network.get().respond(status, { "Retry-After": after }).finish();
        await network.advance(39_000);
        assert.equal(network.requests.length, 1);
        await network.advance(2500);
        assert.equal(network.requests.length, 2);
      });
    }
  }

  for (const after of ["soon", "-5", "NaN", "", new Date(0).toUTCString()]) {
    it(`a value of ${JSON.stringify(after)} is ignored`, async () => {
      const network = new Network();
      network.connect({ carriers: ["poll"] });
      await settle();
      network.get().respond(503, { "Retry-After": after }).finish();
      await network.advance(249);
      assert.equal(network.requests.length, 1, "the usual pause");
      await network.advance(1);
      assert.equal(network.requests.length, 2);
    });
  }
});
