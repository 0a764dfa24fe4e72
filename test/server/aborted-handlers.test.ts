// A handler that honours its signal in the usual way rejects when the signal aborts. That is no error: nothing is reported. Whatever
// else it throws is, and so is the same exception before its signal has aborted. Each handler of an application that gets one of our
// signals does it in each of the usual ways.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { requests } from "../../src/client/index.ts";
import {
  type Channel,
  createChannelStore,
  openSession,
  type ServeOptions,
  type Server,
  serve,
  withChannel,
} from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";

const HOUR = 3_600_000;
type Handler = Parameters<typeof testServer>[0];

/** The work of a handler of the application until its signal aborts. */
type Work = (signal: AbortSignal) => Promise<never>;

/** Another server, which takes requests and never answers. */
let elsewhere: Server;
before(async () => {
  elsewhere = await serve((request) => void withChannel(request, () => {}), { host: "127.0.0.1", port: 0 });
});
after(() => elsewhere.stop({ graceMs: 0 }));

const WAYS: Readonly<Record<string, Work>> = {
  "a timer of Node": (signal) => sleep(HOUR, undefined as never, { signal }),
  "a fetch of another server": async (signal) => {
    await fetch(elsewhere.url, { signal });
    throw new Error("it has answered");
  },
  "a timer with a signal that follows it": (signal) =>
    sleep(HOUR, undefined as never, { signal: AbortSignal.any([signal, AbortSignal.timeout(HOUR)]) }),
  throwIfAborted: async (signal) => {
    await aborted(signal);
    signal.throwIfAborted();
    throw new Error("it has not aborted");
  },
};

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** `handler`: has the work as a handler of the application. `run`: begins it, and aborts its signal. */
interface Case {
  handler(work: Work, options: { onError(error: unknown): void }): Handler;
  run(app: TestServer, work: Work, options: { onError(error: unknown): void }): Promise<void>;
}

const CASES: Readonly<Record<string, Case>> = {
  "a request handler that the client cancels": {
    handler: (work) => (request) => openSession(request, { request: (_, __, { signal }) => work(signal) }),
    async run(app) {
      const connection = app.connect("/", { requests: requests() });
      await cancelled(app, (signal) => connection.request("x", { signal }));
    },
  },
  "a request handler whose session ends": {
    handler: (work) => (request) => openSession(request, { request: (_, channel) => work(channel.signal) }),
    async run(app) {
      const connection = app.connect("/", { requests: requests() });
      const asked = assert.rejects(connection.request("x"), { code: "REQUEST_LOST" });
      await app.settle();
      connection.close();
      await app.settle();
      await asked;
    },
  },
  "the client's handler of a request that the server cancels": {
    handler: () => (request) =>
      openSession(request, {
        async message(_, channel) {
          const aborter = new AbortController();
          const asked = assert.rejects(channel.request("x", { signal: aborter.signal }), { name: "AbortError" });
          setTimeout(() => aborter.abort(), 10);
          await asked;
        },
      }),
    async run(app, work, { onError }) {
      const connection = app.connect("/", { requests: requests() });
      connection.onError(onError);
      connection.onRequest((_, { signal }) => work(signal));
      connection.send("ask me");
      await app.settle();
      await sleep(30);
      await app.settle();
    },
  },
  "a message handler": {
    handler: (work) => (request) =>
      withChannel(request, (channel) => void channel.onMessage(() => work(channel.signal))),
    run: left,
  },
  "a setup": {
    handler: (work) => (request) => withChannel(request, (channel) => work(channel.signal)),
    run: left,
  },
  "an error handler is not called either:": {
    handler:
      (work, { onError }) =>
      (request) =>
        openSession(request, { error: onError, message: (_, channel) => work(channel.signal) }),
    async run(app) {
      const connection = app.connect("/");
      connection.send("go");
      await app.settle();
      connection.close();
      await app.settle();
    },
  },
  "onJoin of a store": {
    handler: (work, { onError }) => {
      const rooms = createChannelStore({
        onJoin: (_, channel) => work((channel as unknown as Channel).signal) as never,
        onError,
      });
      return (request) => withChannel(request, (channel) => void rooms.addToGroup("g", channel));
    },
    run: left,
  },
  "the function of a published stream": {
    handler: (work, { onError }) => {
      const rooms = createChannelStore({ onError });
      return (request) =>
        withChannel(request, (channel) => {
          void rooms.publishStream("g", (signal) => work(signal) as never, { signal: channel.signal });
        });
    },
    run: left,
  },
  "a snapshot": {
    handler: (work, { onError }) => {
      const rooms = createChannelStore({ onError });
      return (request) =>
        withChannel(request, (channel) => {
          rooms.addToGroup("g", channel, undefined, { snapshot: ({ signal }) => work(signal) });
        });
    },
    run: left,
  },
  "a handler with request.signal": {
    handler: (work) => async (request) => work(request.signal),
    run: givenUp,
  },
  "a handler with the signal of a Fetch request": {
    handler: (work) => async (request) => work(request.toRequest().signal),
    run: givenUp,
  },
  "a Fetch handler": {
    handler: (work) => ({ fetch: (request: Request) => work(request.signal) }) as never,
    run: givenUp,
  },
};

/** Asks and cancels. */
async function cancelled(app: TestServer, ask: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const aborter = new AbortController();
  const asked = assert.rejects(ask(aborter.signal), { name: "AbortError" });
  await app.settle();
  aborter.abort();
  await app.settle();
  await asked;
}

/** A WebSocket says something, and leaves. */
async function left(app: TestServer): Promise<void> {
  const socket = await app.websocket("/");
  socket.send("go");
  await app.settle();
  socket.close();
  await app.settle();
}

/** A request whose client does not wait for the answer. */
async function givenUp(app: TestServer): Promise<void> {
  await cancelled(app, (signal) => app.fetch("/", { signal }));
}

/** Returns what is reported while the work of a case begins and ends. */
async function reportedBy({ handler, run }: Case, work: Work): Promise<unknown[]> {
  const reported: unknown[] = [];
  const options = { onError: (error: unknown) => void reported.push(error) } satisfies ServeOptions;
  let ended: Promise<unknown> | undefined;
  const watched: Work = (signal) => {
    const working = work(signal);
    ended ??= working.catch((error: unknown) => error);
    return working;
  };
  await using app = testServer(handler(watched, options), options);
  await run(app, watched, options);
  assert(ended !== undefined, "the handler was called");
  assert((await ended) instanceof Error);
  await app.settle();
  return reported;
}

describe("a handler whose signal has aborted:", () => {
  for (const [name, one] of Object.entries(CASES)) {
    for (const [way, work] of Object.entries(WAYS)) {
      it(`${name} ${way} is no error`, async () => assert.deepEqual(await reportedBy(one, work), []));
    }
  }

  /** Cases whose later exceptions nobody gets: the stream and the attempt are over. */
  const SILENT = ["the function of a published stream", "a snapshot"];
  for (const [name, one] of Object.entries(CASES)) {
    if (SILENT.includes(name)) continue;
    it(`${name} another exception is reported`, async () => {
      const failure = new Error("a mistake");
      const work: Work = async (signal) => {
        await aborted(signal);
        throw failure;
      };
      assert.deepEqual(await reportedBy(one, work), [failure]);
    });
  }

  it("an AbortError before it has aborted is reported", async () => {
    const failure = new DOMException("of something else", "AbortError");
    const reported: unknown[] = [];
    await using app = testServer(
      (request) =>
        openSession(request, {
          request: () => Promise.reject(failure),
          message: (_, channel) => channel.signal.aborted || Promise.reject(failure),
        }),
      { onError: (error) => reported.push(error) },
    );
    const connection = app.connect("/", { requests: requests() });
    const asked = assert.rejects(connection.request("x"), { code: "REQUEST_FAILED" });
    connection.send("x");
    await app.settle();
    await asked;
    assert.deepEqual(reported, [failure, failure]);
  });

  it("what cannot be inspected is reported, and nothing else happens", async () => {
    const hostile = {
      get name(): never {
        throw new Error("no name");
      },
    };
    for (const thrown of [hostile, undefined, null]) {
      const reported: unknown[] = [];
      await using app = testServer(
        (request) =>
          openSession(request, {
            async request(_, __, { signal }) {
              await aborted(signal);
              throw thrown;
            },
          }),
        { onError: (error) => reported.push(error) },
      );
      const connection = app.connect("/", { requests: requests() });
      await cancelled(app, (signal) => connection.request("x", { signal }));
      assert.deepEqual(reported, [thrown]);
    }
  });
});
