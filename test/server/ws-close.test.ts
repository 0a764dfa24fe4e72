// The closing handshake over sockets: RFC 6455 §5.5.1, §7, http-kit §1.5 and §1.8.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type CloseStatus, type ServeOptions, withChannel } from "../../src/index.ts";
import { type Site, serving } from "../support/serving.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { closeFrame, textFrame, WsClient } from "../support/ws-client.ts";

interface Pair {
  readonly site: Site;
  readonly client: WsClient;
  readonly channel: Channel;
  readonly statuses: CloseStatus[];
  /** The first status, when it is there. */
  status(): Promise<CloseStatus>;
}

async function pair(
  t: TestContext,
  options: ServeOptions = {},
  setup: (channel: Channel) => unknown = () => {},
): Promise<Pair> {
  const opened = deferred<Channel>();
  const statuses: CloseStatus[] = [];
  const site = await serving(
    t,
    (r) =>
      withChannel(r, (channel) => {
        opened.resolve(channel);
        channel.onClose((status) => statuses.push(status));
        return setup(channel);
      }),
    options,
  );
  const client = await WsClient.open(t, site.target);
  const status = async (): Promise<CloseStatus> => {
    await until(() => statuses.length > 0, "the close handler has run");
    return statuses[0]!;
  };
  return { site, client, channel: await opened.promise, statuses, status };
}

describe("a close of the server", () => {
  it("is a close frame; TCP ends after the client's answer (http-kit 1.8: it never did)", async (t) => {
    const { site, client, channel, status } = await pair(t);
    assert.equal(channel.close(), true);
    assert.equal(channel.isOpen, false);
    assert.deepEqual(await client.closed(), { code: 1000, reason: "" });
    await settled(() => client.raw.isEnded);
    assert.equal(client.raw.isEnded, false);
    client.close(1000);
    await client.ended();
    client.raw.end();
    assert.deepEqual(await status(), { by: "server", code: 1000, reason: "", name: "server-close" });
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });

  it("ends TCP after `closeTimeoutMs` without an answer", async (t) => {
    const { site, client, channel, status } = await pair(t, { closeTimeoutMs: 20 });
    channel.close(4000, "bye");
    assert.deepEqual(await client.closed(), { code: 4000, reason: "bye" });
    await client.raw.until(() => client.raw.isEnded, "the end of the connection");
    assert.deepEqual(await status(), { by: "server", code: 4000, reason: "bye", name: "application" });
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });

  it("ends when the client just leaves", async (t) => {
    const { client, channel, status } = await pair(t);
    channel.close(1000, "bye");
    await client.closed();
    client.raw.destroy();
    assert.deepEqual(await status(), { by: "server", code: 1000, reason: "bye", name: "server-close" });
  });

  for (const [code, reason] of [
    [1000, "bye"],
    [1001, ""],
    [1003, "grüße"],
    [1008, "x".repeat(123)],
    [1012, "restart"],
    [3000, "registered"],
    [4999, "private"],
  ] as const) {
    it(`carries ${code} ${JSON.stringify(reason.slice(0, 20))}`, async (t) => {
      const { client, channel } = await pair(t);
      channel.close(code, reason);
      assert.deepEqual(await client.closed(), { code, reason });
    });
  }

  it("comes after all that was sent", async (t) => {
    const { client } = await pair(t, {}, (channel) => {
      for (let i = 0; i < 20; i++) channel.send(`${i}`);
      channel.close();
    });
    for (let i = 0; i < 20; i++) assert.equal(await client.message(), `${i}`);
    assert.equal((await client.closed()).code, 1000);
  });

  it("comes after the one message of `send(data, true)`", async (t) => {
    const { client } = await pair(t, {}, (channel) => channel.send("only this", true));
    assert.equal(await client.message(), "only this");
    assert.deepEqual(await client.closed(), { code: 1000, reason: "" });
    client.close(1000);
    await client.ended();
  });

  it("drops messages that the client still sends (§1.4)", async (t) => {
    const got: unknown[] = [];
    const { client, channel, statuses } = await pair(t, {}, (c) => c.onMessage((message) => got.push(message)));
    channel.close();
    await client.closed();
    client.send("late");
    client.ping("late");
    client.raw.write(Buffer.concat([closeFrame(1000), textFrame("later"), closeFrame(1000)]));
    await client.ended();
    await until(() => statuses.length > 0, "the close handler has run");
    assert.deepEqual(got, []);
  });

  it("keeps its own code, whatever the client answers", async (t) => {
    const { client, channel, status } = await pair(t);
    channel.close(4001, "mine");
    await client.closed();
    client.close(4002, "yours");
    assert.deepEqual(await status(), { by: "server", code: 4001, reason: "mine", name: "application" });
  });
});

describe("a close of the client", () => {
  for (const [code, name] of [
    [1000, "normal"],
    [1001, "going-away"],
    [1002, "protocol-error"],
    [1003, "unsupported"],
    [1007, "invalid-payload"],
    [1008, "policy-violation"],
    [1009, "message-too-big"],
    [1010, "mandatory-extension"],
    [1011, "internal-error"],
    [1012, "service-restart"],
    [1013, "try-again-later"],
    [3000, "application"],
    [4321, "application"],
    [4999, "application"],
  ] as const) {
    it(`is answered with its code ${code}, is named ${name}, and ends TCP`, async (t) => {
      const { client, channel, status } = await pair(t);
      client.close(code, "so long");
      assert.equal((await client.closed()).code, code);
      await client.ended();
      assert.deepEqual(await status(), { by: "client", code, reason: "so long", name });
      assert.equal(channel.isOpen, false);
      assert.equal(channel.close(), false);
    });
  }

  it("is 1005 without a code, and is answered without one", async (t) => {
    const { client, status } = await pair(t);
    client.close();
    assert.deepEqual(await client.closed(), { code: 1005, reason: "" });
    await client.ended();
    assert.deepEqual(await status(), { by: "client", code: 1005, reason: "", name: "no-status" });
  });

  it("keeps the number 1014, which has no name here", async (t) => {
    const { client, status } = await pair(t);
    client.close(1014);
    assert.deepEqual(await client.closed(), { code: 1014, reason: "" });
    await client.ended();
    assert.deepEqual(await status(), { by: "client", code: 1014, reason: "", name: "unknown" });
  });

  for (const code of [1016, 2999]) {
    it(`is refused with 1002 for the unassigned code ${code}`, async (t) => {
      const { client, status } = await pair(t);
      client.close(code);
      assert.equal((await client.closed()).code, 1002);
      await client.ended();
      assert.equal((await status()).code, 1002);
    });
  }

  it("is never taken for a loss, nor a loss for a close: 1006 by the network (http-kit 1.5)", async (t) => {
    for (const lose of ["destroy", "reset", "end"] as const) {
      const { client, status } = await pair(t);
      client.raw[lose]();
      const { by, code, name } = await status();
      assert.deepEqual({ by, code, name }, { by: "network", code: 1006, name: "abnormal" });
    }
  });

  it("is the last frame: a second close frame and later bytes are ignored (http-kit #68, #227, #319)", async (t) => {
    const { site, client, statuses } = await pair(t);
    client.raw.write(
      Buffer.concat([closeFrame(1000, "first"), closeFrame(1001, "second"), textFrame("x"), Buffer.alloc(100_000)]),
    );
    assert.equal((await client.closed()).code, 1000);
    await client.ended();
    client.raw.end();
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
    assert.deepEqual(
      statuses.map(({ reason }) => reason),
      ["first"],
    );
  });

  it("is answered once when both close at the same time", async (t) => {
    const { client, channel, status } = await pair(t);
    client.close(1000, "client");
    channel.close(1001, "server");
    assert.deepEqual(await client.closed(), { code: 1001, reason: "server" });
    await client.ended();
    assert.equal((await status()).by, "server");
  });

  it("may come in the middle of a fragmented message (test-interleaved)", async (t) => {
    const { client, status } = await pair(t);
    client.raw.write(textFrame("unfinished", false)).write(closeFrame(1000));
    assert.equal((await client.closed()).code, 1000);
    assert.equal((await status()).by, "client");
  });

  it("is answered while a receiver is busy", async (t) => {
    const gate = deferred();
    const { client, channel, statuses } = await pair(t, {}, (c) => c.onMessage(() => gate.promise));
    client.send("slow");
    client.close(1000);
    assert.equal((await client.closed()).code, 1000);
    await client.ended();
    assert.equal(channel.send("too late"), false);
    await turn();
    assert.equal(statuses.length, 0);
    gate.resolve();
    await until(() => statuses.length > 0, "the close handler has run");
    assert.equal(statuses[0]!.by, "client");
  });

  it("frees the connection though the client never ends its side", async (t) => {
    const { site, client } = await pair(t, { closeTimeoutMs: 20 });
    client.close(1000);
    await client.closed();
    await client.ended();
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });
});
