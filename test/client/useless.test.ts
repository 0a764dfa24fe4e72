// Carriers that open and then are of no use: they count as failures, are told, and the next one is tried.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { Network, settle } from "./network.ts";

function errorsOf(connection: Connection): string[] {
  const errors: string[] = [];
  connection.onError((error) => errors.push(`${(error as { code: string }).code} ${(error as Error).message}`));
  return errors;
}

/** Answers each new request until `ms` have passed. */
async function play(
  network: Network,
  ms: number,
  answer: (request: Network["requests"][number]) => void,
): Promise<void> {
  let answered = network.requests.length;
  for (let passed = 0; passed < ms; passed += 50) {
    for (let turn = 0; turn < 20 && answered < network.requests.length; turn++) {
      while (answered < network.requests.length) answer(network.requests[answered++]!);
      await settle();
    }
    await network.advance(50);
  }
}

describe("Sessions that are unknown each time (a balancer over two processes)", () => {
  for (const greetings of [0, 1, 2]) {
    it(`have a backoff and are told, whatever they bring at their opening: up to ${greetings} messages`, async () => {
      const network = new Network();
      const connection = network.connect({ carriers: ["poll"] });
      const errors = errorsOf(connection);
      await settle();
      let sessions = 0;
      const answer = (request: Network["requests"][number]): void => {
        request.open({ session: `T${++sessions}` });
        // Another number of messages each time, as a history has.
        for (let i = 0; i < greetings - (sessions % 2); i++) request.say({ type: "message", data: "welcome" });
        request.finish();
      };
      answer(network.get());
      await play(network, 60_000, answer);
      assert.ok(network.requests.length < 60, `${network.requests.length} requests in a minute`);
      assert.ok(errors.length > 5 && errors.every((error) => /^CONNECT_FAILED .*forgets each session/.test(error)));
      connection.close();
    });
  }

  it("sessions that lived for a while before are not failures: a server may restart twice a day", async () => {
    const network = new Network();
    const connection = await network.opened("sse", { carriers: ["websocket", "sse"] });
    const errors = errorsOf(connection);
    for (let i = 2; i < 5; i++) {
      await network.advance(10_000);
      network.get().finish();
      await settle();
      await network.advance(0);
      network.get().open({ session: `T${i}` });
      await settle();
      assert.equal(connection.state, "open");
    }
    assert.deepEqual(errors, []);
  });
});

describe("A carrier that has carried nothing when it ends", () => {
  it("is told, has a backoff, and the next one is tried after two of them", async () => {
    const network = new Network();
    network.random = 0.999;
    const connection = network.connect({ carriers: ["sse", "poll"] });
    const errors = errorsOf(connection);
    await settle();
    connection.send("hello");
    const modes: string[] = [];
    const answer = (request: Network["requests"][number]): void => {
      if (request.method === "POST") {
        request.respond(410).finish();
        return;
      }
      const mode = request.url.searchParams.get("mode") ?? "sse";
      if (modes.at(-1) !== mode) modes.push(mode);
      request.open({ resumed: request.url.searchParams.has("session") });
      if (mode === "poll") request.finish();
    };
    answer(network.get());
    modes.push("sse");
    await play(network, 60_000, answer);
    assert.ok(modes.includes("poll"), modes.join());
    assert.ok(network.requests.length < 60, `${network.requests.length} requests in a minute`);
    assert.ok(
      errors.some((error) => /^CONNECT_FAILED .*sse: POST: HTTP 410/.test(error)),
      errors.join("\n"),
    );
    assert.ok(
      errors.some((error) => /^CONNECT_FAILED .*poll: POST: HTTP 410/.test(error)),
      errors.join("\n"),
    );
    connection.close();
  });

  it("is told where POSTs do not get through at all, and where a stream ends right behind its `open`", async () => {
    for (const what of ["POST: fetch failed", "ended"]) {
      const network = new Network();
      const connection = network.connect({ carriers: ["sse"] });
      const errors = errorsOf(connection);
      await settle();
      connection.send("hello");
      const answer = (request: Network["requests"][number]): void => {
        if (request.method === "POST") request.fail();
        else {
          request.open({ resumed: request.url.searchParams.has("session") });
          if (what === "ended") request.finish();
        }
      };
      answer(network.get());
      await play(network, 60_000, answer);
      assert.ok(errors.length > 2 && errors.every((error) => error.includes(`sse: ${what}`)), errors.join("\n"));
      assert.ok(network.requests.length < 60, `${network.requests.length} requests in a minute`);
      connection.close();
    }
  });

  it("is no failure if it lived for a while and nothing waited: proxies end what is idle", async () => {
    const network = new Network();
    const connection = await network.opened("sse", { carriers: ["websocket", "sse"] });
    const errors = errorsOf(connection);
    await network.advance(20_000);
    network.get().finish();
    await settle();
    await network.advance(0);
    network.get().open({ resumed: true });
    await settle();
    assert.equal(connection.state, "open");
    assert.deepEqual(errors, []);
  });
});

describe("409", () => {
  for (const kind of ["sse", "poll"] as const) {
    it(`a 409 to a request without a token is an odd answer like any other (${kind})`, async () => {
      const network = new Network();
      const connection = network.connect({ carriers: [kind] });
      const errors = errorsOf(connection);
      await settle();
      network.get().respond(409).finish();
      await settle();
      assert.equal(connection.state, "connecting");
      assert.deepEqual(errors.length, 1);
      assert.match(errors[0]!, /^CONNECT_FAILED .*HTTP 409/);
      await network.advance(1000);
      network.get().open();
      await settle();
      assert.equal(connection.state, "open");
    });
  }
});

describe("A `fetch` or WebSocket that an application gives and that fails with", () => {
  const odd: readonly [string, unknown][] = [
    ["undefined", undefined],
    ["null", null],
    ["a text", "no"],
    ["an object without a prototype", Object.create(null)],
    ["a symbol", Symbol("no")],
  ];
  for (const [name, value] of odd) {
    it(`${name} is a failed attempt`, async () => {
      const body = (): Response =>
        new Response(new ReadableStream({ pull: (controller) => controller.error(value) }), { status: 200 });
      const fails = (): never => {
        throw value;
      };
      for (const options of [
        { carriers: ["sse"], fetch: fails },
        { carriers: ["poll"], fetch: () => Promise.reject(value) },
        { carriers: ["sse"], fetch: async () => body() },
        {
          carriers: ["websocket"],
          WebSocket: class {
            constructor() {
              fails();
            }
          },
        },
      ] as const) {
        const network = new Network();
        const connection = network.connect(options as never);
        const errors = errorsOf(connection);
        await settle();
        assert.equal(errors.length, 1);
        assert.match(errors[0]!, /^CONNECT_FAILED/);
        await network.advance(1000);
        assert.equal(errors.length, 2, "it goes on");
        connection.close();
      }
    });
  }
});
