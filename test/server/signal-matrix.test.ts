// The end of a channel is known at once: on every transport, in whatever way its client leaves, whatever the application is
// waiting for. `signal`, `isOpen` and `send` say it together; `onClose` comes when the application has come to its end.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Channel,
  type ChannelError,
  type ChannelRequest,
  createChannelStore,
  openChannel,
  openSession,
  withChannel,
} from "../../src/index.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import {
  close,
  type Endpoint,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import { deferred, until } from "../support/wait.ts";
import { closeFrame, textFrame, upgradeRequest } from "../support/ws-client.ts";

type Way = "resets" | "ends its side" | "is gone" | "sends a close frame";

interface Transport {
  readonly name: string;
  readonly request: string;
  readonly isWebSocket?: true;
  /** Something is sent before anything else: a stream's head is out. */
  readonly sends?: true;
}

const TRANSPORTS: readonly Transport[] = [
  { name: "a WebSocket", request: upgradeRequest(), isWebSocket: true },
  { name: "an event stream", request: request("GET /\r\nAccept: text/event-stream") },
  { name: "an event stream that has begun", request: request("GET /\r\nAccept: text/event-stream"), sends: true },
  { name: "an HTTP stream", request: request("GET /"), sends: true },
  { name: "a poll", request: request("GET /") },
  { name: "a POST", request: request("POST /\r\nContent-Length: 2") + "{}" },
  { name: "a poll of HTTP/1.0", request: "GET / HTTP/1.0\r\nHost: x\r\n\r\n" },
];

/**
 * A FIN before the response has begun is no leaving (docs/decisions/0005): such a client may wait for its answer. HTTP/1.0 has
 * no interim response to find out whether it does. `leaving.test.ts` has what holds then.
 */
function waysOf({ isWebSocket, sends, name }: Transport): Way[] {
  if (isWebSocket) return ["resets", "ends its side", "is gone", "sends a close frame"];
  if (sends) return ["resets", "ends its side", "is gone"];
  return name.includes("HTTP/1.0") ? ["resets"] : ["resets", "is gone"];
}

function leave(client: RawClient, way: Way): void {
  if (way === "resets") client.reset();
  else if (way === "ends its side") client.end();
  else if (way === "is gone") client.destroy();
  else client.write(closeFrame(1000));
}

/** The events of one channel, in order. `seen`: the state of the channel when its signal aborted. */
class Watched {
  readonly log: string[] = [];
  readonly gate = deferred();
  channel: Channel | undefined;
  seen: readonly [isOpen: boolean, sent: boolean] | undefined;

  watch(channel: Channel): void {
    this.channel = channel;
    channel.onClose(() => this.log.push("close"));
    channel.signal.addEventListener("abort", () => {
      this.log.push("abort");
      this.seen = [channel.isOpen, channel.send("late")];
    });
  }

  /** The end is there, though the application is not done. */
  async ended(code = "CLIENT_GONE"): Promise<void> {
    await until(() => this.channel?.signal.aborted === true, `the signal has aborted; ${this.log.join()}`);
    const channel = this.channel!;
    assert.equal((channel.signal.reason as ChannelError).code, code);
    assert.deepEqual(this.seen, [false, false]);
    assert.equal(channel.isOpen, false);
    assert.equal(channel.send("late"), false);
    assert.ok(!this.log.includes("close"), `close is last: ${this.log.join()}`);
  }

  /** The application goes on, and hears of the end when it is done with `last`. */
  async over(last: string): Promise<void> {
    this.gate.resolve();
    await until(() => this.log.includes("close"), "close has run");
    assert.deepEqual(this.log, ["abort", last, "close"]);
  }
}

async function start(
  t: TestContext,
  handler: (request: ChannelRequest, watched: Watched) => unknown,
): Promise<{ site: Site; watched: Watched }> {
  const watched = new Watched();
  const site = await serving(t, (r) => {
    handler(r, watched);
  });
  return { site, watched };
}

for (const transport of TRANSPORTS) {
  for (const way of waysOf(transport)) {
    describe(`${transport.name} whose client ${way}`, () => {
      for (const [kind, begin] of [
        ["withChannel", (r: ChannelRequest, setup: (channel: Channel) => unknown) => withChannel(r, setup)],
        ["openChannel", (r: ChannelRequest, setup: (channel: Channel) => unknown) => openChannel(r, { open: setup })],
      ] as const) {
        it(`is over at once while the async setup of ${kind} runs`, async (t) => {
          const { site, watched } = await start(t, (r, w) =>
            begin(r, async (channel) => {
              w.watch(channel);
              if (transport.sends) channel.send("begun", false);
              await w.gate.promise;
              w.log.push("setup is over");
            }),
          );
          const client = await site.connect();
          client.write(transport.request);
          if (transport.sends || transport.isWebSocket) await client.head();
          await until(() => watched.channel !== undefined, "setup runs");
          leave(client, way);
          await watched.ended();
          await watched.over("setup is over");
        });
      }

      it("is over at once while a `for await` waits for a message, which ends", async (t) => {
        const { site, watched } = await start(t, (r, w) =>
          withChannel(r, async (channel) => {
            w.watch(channel);
            if (transport.sends) channel.send("begun", false);
            for await (const _ of channel);
            w.log.push("the loop is over");
          }),
        );
        const client = await site.connect();
        client.write(transport.request);
        if (transport.sends || transport.isWebSocket) await client.head();
        await until(() => watched.channel !== undefined, "setup runs");
        leave(client, way);
        await until(() => watched.log.includes("close"), "close has run");
        assert.deepEqual(watched.log, ["abort", "the loop is over", "close"]);
        assert.deepEqual(watched.seen, [false, false]);
      });

      // A poll that has sent something is an answer, and over.
      if (!transport.sends && !transport.isWebSocket && !transport.name.startsWith("an event")) return;
      it("is over at once while `drained()` is awaited, which resolves", async (t) => {
        const { site, watched } = await start(t, (r, w) =>
          withChannel(
            r,
            async (channel) => {
              w.watch(channel);
              // More than the systems on both sides take.
              for (let i = 0; i < 20; i++) channel.send("x".repeat(1024 * 1024), false);
              await channel.drained();
              w.log.push("drained");
            },
            { maxBufferedBytes: 64 * 1024 * 1024 },
          ),
        );
        const client = await site.connect();
        client.pause();
        client.write(transport.request);
        await until(() => watched.channel !== undefined, "setup runs");
        leave(client, way);
        // Its end of a close handshake is behind what it does not read: it goes then.
        if (way === "sends a close frame" || way === "ends its side") client.resume();
        await until(() => watched.log.includes("close"), `close has run: ${watched.log.join()}`);
        assert.equal(watched.log.at(-1), "close");
        assert.deepEqual([...watched.log].sort(), ["abort", "close", "drained"]);
        assert.deepEqual(watched.seen, [false, false]);
      });
    });
  }
}

describe("a WebSocket whose receiver runs", () => {
  for (const way of ["resets", "ends its side", "is gone", "sends a close frame"] as const) {
    it(`is over at once when its client ${way}, and close comes behind the receiver`, async (t) => {
      const { site, watched } = await start(t, (r, w) =>
        openChannel(r, {
          open: (channel) => w.watch(channel),
          async message() {
            await w.gate.promise;
            w.log.push("receiver is over");
          },
        }),
      );
      const client = await site.connect();
      client.write(upgradeRequest());
      await client.head();
      client.write(textFrame("work"));
      await until(() => watched.channel !== undefined, "it is open");
      leave(client, way);
      await watched.ended();
      await watched.over("receiver is over");
    });
  }
});

describe("a WebSocket that is not read, because too much waits for its receiver,", () => {
  for (const way of ["resets", "is gone"] as const) {
    it(`is over after the pings that find out when its client ${way}, though the receiver never comes back`, async (t) => {
      const { site, watched } = await start(t, (r, w) =>
        openChannel(
          r,
          {
            open: (channel) => w.watch(channel),
            async message() {
              await w.gate.promise;
              w.log.push("receiver is over");
            },
          },
          { pingIntervalMs: 1 },
        ),
      );
      const client = await site.connect();
      client.write(upgradeRequest());
      await client.head();
      for (let i = 0; i < 200; i++) client.write(textFrame("x".repeat(2000)));
      await until(() => watched.channel !== undefined, "it is open");
      leave(client, way);
      await watched.ended();
      watched.gate.resolve();
      await until(() => watched.log.includes("close"), "close has run");
      assert.equal(watched.log[0], "abort");
      assert.equal(watched.log.at(-1), "close");
    });
  }
});

describe("a member of a group whose client leaves", () => {
  for (const transport of TRANSPORTS) {
    it(`is no member any more, and its signal has aborted: ${transport.name}`, async (t) => {
      const store = createChannelStore();
      const { site, watched } = await start(t, (r, w) =>
        withChannel(r, (channel) => {
          w.watch(channel);
          store.addToGroup("g", channel);
        }),
      );
      const client = await site.connect();
      client.write(transport.request);
      await until(() => store.size("g") === 1, "it is a member");
      leave(client, "is gone");
      await until(() => store.size("g") === 0, "it is none any more");
      assert.equal(watched.channel!.signal.aborted, true);
      assert.equal(watched.log[0], "abort");
    });
  }
});

describe("a session whose client closes it", () => {
  const endings: readonly (readonly [
    name: string,
    end: (t: TestContext, endpoint: Endpoint) => Promise<{ send(): Promise<unknown>; close(): unknown }>,
  ])[] = [
    [
      "on a WebSocket",
      async (t, endpoint) => {
        const socket = await SocketClient.open(t, endpoint);
        await socket.opened();
        return { send: async () => socket.send(text("work")), close: () => socket.send(close()) };
      },
    ],
    [
      "in a POST beside a stream",
      async (t, endpoint) => {
        const { session } = await (await StreamClient.open(t, endpoint)).opened();
        let from = 1;
        const send = (record: Parameters<typeof post>[4]): Promise<unknown> =>
          post(t, endpoint, session, from++, record!).catch(() => {});
        return { send: async () => void send(text("work")), close: () => send(close()) };
      },
    ],
    [
      "in a POST between two polls",
      async (t, endpoint) => {
        const { session } = opened(await poll(t, endpoint));
        let from = 1;
        const send = (record: Parameters<typeof post>[4]): Promise<unknown> =>
          post(t, endpoint, session, from++, record!).catch(() => {});
        return { send: async () => void send(text("work")), close: () => send(close()) };
      },
    ],
  ];
  for (const [name, begin] of endings) {
    it(`is over at once while its async setup runs: ${name}`, async (t) => {
      const { site, watched } = await start(t, (r, w) =>
        openSession(r, {
          async open(channel) {
            w.watch(channel);
            await w.gate.promise;
            w.log.push("setup is over");
          },
        }),
      );
      const client = await begin(t, { ...site.target, pathname: "/s" });
      await until(() => watched.channel !== undefined, "setup runs");
      void client.close();
      await watched.ended();
      await watched.over("setup is over");
    });

    it(`is over at once while its receiver runs: ${name}`, async (t) => {
      const running = deferred();
      const { site, watched } = await start(t, (r, w) =>
        openSession(r, {
          open: (channel) => w.watch(channel),
          async message() {
            running.resolve();
            await w.gate.promise;
            w.log.push("receiver is over");
          },
        }),
      );
      const client = await begin(t, { ...site.target, pathname: "/s" });
      await client.send();
      await running.promise;
      void client.close();
      await watched.ended();
      await watched.over("receiver is over");
    });

    it(`is over at once while drained() is awaited: ${name}`, async (t) => {
      const { site, watched } = await start(t, (r, w) =>
        openSession(r, {
          async open(channel) {
            w.watch(channel);
            channel.send("kept");
            await channel.drained();
            w.log.push("drained");
          },
        }),
      );
      const client = await begin(t, { ...site.target, pathname: "/s" });
      await until(() => watched.channel !== undefined, "setup runs");
      void client.close();
      await until(() => watched.log.includes("close"), "close has run");
      assert.deepEqual(watched.log, ["abort", "drained", "close"]);
      assert.deepEqual(watched.seen, [false, false]);
    });
  }
});
