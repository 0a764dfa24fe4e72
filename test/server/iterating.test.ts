// A `for await` loop over a channel's messages that ends before the messages do: nobody can read what waits any more, and
// the end of the channel is told all the same.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, type Message, openSession, withChannel } from "../../src/index.ts";
import { collector } from "../support/collector.ts";
import { serving } from "../support/serving.ts";
import { SocketClient, text } from "../support/session-client.ts";
import { until } from "../support/wait.ts";
import { textFrame, WsClient } from "../support/ws-client.ts";

type Loop = (channel: Channel) => Promise<void>;

const LOOPS: Readonly<Record<string, Loop>> = {
  "by break": async (channel) => {
    for await (const _ of channel) break;
  },
  "by return": async (channel) => {
    for await (const _ of channel) return;
  },
  "by an exception": async (channel) => {
    try {
      for await (const _ of channel) throw new Error("of the application");
    } catch {}
  },
};

const THREE = Buffer.concat(["a", "b", "c"].map((message) => textFrame(message)));

for (const [how, loop] of Object.entries(LOOPS)) {
  describe(`a for await loop that is left ${how}`, () => {
    for (const [where, setup] of [
      ["beside a setup that is over", (channel: Channel) => void loop(channel)],
      ["in an async setup", (channel: Channel) => loop(channel)],
    ] as const) {
      it(`lets the close handler run, ${where}`, async (t) => {
        const log: string[] = [];
        const site = await serving(t, (r) =>
          withChannel(r, (channel) => {
            channel.onClose((status) => log.push(status.name));
            return setup(channel);
          }),
        );
        const client = await WsClient.open(t, site.target, { first: THREE });
        client.raw.reset();
        await until(() => log.length > 0, "close is told");
        assert.deepEqual(log, ["abnormal"]);
        assert.equal(site.server.stats().channels.websocket, 0);
      });
    }

    it("drops later messages, and goes on reading until the end", async (t) => {
      const log: string[] = [];
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          channel.onClose((status) => log.push(`${status.code}`));
          void loop(channel);
        }),
      );
      const client = await WsClient.open(t, site.target, { first: THREE });
      for (let i = 0; i < 200; i++) client.raw.write(textFrame("x".repeat(1000)));
      client.close(1000);
      assert.equal((await client.closed()).code, 1000);
      await until(() => log.length > 0, "close is told");
      assert.deepEqual(log, ["1000"]);
    });

    it("lets the close handler of a session run", async (t) => {
      const log: string[] = [];
      const site = await serving(t, (r) =>
        openSession(
          r,
          { open: (channel) => void loop(channel), close: (status) => log.push(status.name) },
          { resumeMs: 0 },
        ),
      );
      const socket = await SocketClient.open(t, { ...site.target, pathname: "/" });
      await socket.opened();
      socket.send(...["a", "b", "c"].map((message) => text(message)));
      socket.drop();
      await until(() => log.length > 0, "close is told");
    });
  });
}

describe("an iterator of a channel that is dropped", () => {
  it("lets the close handler run once it is garbage-collected", async (t) => {
    const collect = collector();
    const log: string[] = [];
    const got: Message[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onClose((status) => log.push(status.name));
        void channel[Symbol.asyncIterator]()
          .next()
          .then(({ value }) => got.push(value!));
      }),
    );
    const client = await WsClient.open(t, site.target, { first: THREE });
    await until(() => got.length > 0, "the first is pulled");
    client.raw.reset();
    await until(() => {
      collect();
      return log.length > 0;
    }, "close is told");
    assert.deepEqual([got, log], [["a"], ["abnormal"]]);
  });
});

describe("a close handler", () => {
  it("runs once though it adds itself again", async (t) => {
    const log: string[] = [];
    let channel: Channel | undefined;
    const site = await serving(t, (r) =>
      withChannel(r, (opened) => {
        channel = opened;
        const handler = (): void => {
          log.push("close");
          opened.onClose(handler);
        };
        opened.onClose(handler);
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.raw.reset();
    await until(() => log.length > 0, "close is told");
    assert.deepEqual(log, ["close"]);
    // A handler that is added after the end is called at once, and is not called again for adding itself.
    const late = (): void => {
      log.push("late");
      channel!.onClose(late);
    };
    channel!.onClose(late);
    assert.deepEqual(log, ["close", "late"]);
  });
});
