// Rows on how a channel ends: design §1.2, `close`, `terminate`, `onClose` and CloseStatus.

import assert from "node:assert/strict";
import { ChannelError, type CloseStatus } from "../../src/index.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import type { Contract } from "./channel.ts";

const SERVER_CLOSE: CloseStatus = { by: "server", code: 1000, reason: "", name: "server-close" };

export function closingRows({ open, can, row }: Contract): void {
  row("answers true to the close that closed it, and false ever after", async (t) => {
    const { channel, client } = await open(t, {});
    assert.deepEqual([channel.close(), channel.close(), channel.close(4000, "again")], [true, false, false]);
    assert.equal(channel.isOpen, false);
    const { text, ending } = await client.rest();
    assert.deepEqual([text, ending], ["", "whole"]);
    assert.equal(channel.close(), false);
  });

  row("is told once of its own close, with the status server-close", async (t) => {
    const statuses: CloseStatus[] = [];
    const { channel, client } = await open(t, { close: (status) => statuses.push(status) });
    channel.close();
    await client.rest();
    client.raw.destroy();
    await until(() => statuses.length > 0, "the close handler has run");
    await settled(() => statuses.length);
    assert.deepEqual(statuses, [SERVER_CLOSE]);
  });

  row("says server-close after a send that closes", async (t) => {
    const status = deferred<CloseStatus>();
    const { channel, client } = await open(t, { close: status.resolve });
    channel.send("bye", true);
    await client.rest();
    assert.deepEqual(await status.promise, SERVER_CLOSE);
  });

  row("keeps its own code and reason in the status", async (t) => {
    const status = deferred<CloseStatus>();
    const { channel, client } = await open(t, { close: status.resolve });
    channel.close(4001, "enough");
    const rest = await client.rest();
    if (can.closeCodes) assert.deepEqual([rest.code, rest.reason], [4001, "enough"]);
    assert.deepEqual(await status.promise, { by: "server", code: 4001, reason: "enough", name: "application" });
  });

  row("throws BAD_CLOSE for a code or reason that may not be sent, and stays open (RFC 6455 §7.4)", async (t) => {
    const { channel } = await open(t, {});
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1000.5, Number.NaN]) {
      assert.throws(() => channel.close(code), isBadClose, String(code));
    }
    assert.throws(() => channel.close(1000, "x".repeat(124)), isBadClose);
    assert.throws(() => channel.close(1000, "é".repeat(62)), isBadClose);
    assert.equal(channel.isOpen, true);
    assert.equal(channel.close(1000, "é".repeat(61)), true);
  });

  row("ends when its server stops, and its client sees a whole end", ["sendsMany"], async (t) => {
    const closed = deferred<CloseStatus>();
    const { client, send, site } = await open(t, { close: closed.resolve });
    send("before");
    assert.equal(await client.read(6), "before");
    const stopped = site.server.stop({ graceMs: 10_000 });
    const { text, ending, code } = await client.rest();
    assert.deepEqual([text, ending], ["", "whole"]);
    if (can.closeCodes) assert.equal(code, 1001);
    assert.equal((await closed.promise).by, "server");
    client.raw.destroy();
    await stopped;
  });

  row("loses nothing that was sent before its close", ["sendsMany"], async (t) => {
    const { channel, client, send } = await open(t, {});
    const part = `${"x".repeat(1023)}\t`;
    for (let i = 0; i < 100; i++) assert.equal(send(part), true);
    assert.equal(send([part, part]), true);
    for (let i = 0; i < 100; i++) assert.equal(send(part), true);
    assert.equal(channel.close(), true);
    const { text, ending } = await client.rest();
    assert.equal(text.length, 202 * 1024);
    assert.equal(ending, "whole");
  });

  row("loses nothing of a stream that was running when it was closed", async (t) => {
    const gate = deferred();
    const { channel, client, send } = await open(t, {});
    async function* parts(): AsyncGenerator<string> {
      yield "before ";
      await gate.promise;
      yield "after";
    }
    assert.equal(send(parts()), true);
    channel.close();
    assert.equal(channel.isOpen, false);
    gate.resolve();
    const { text, ending } = await client.rest();
    assert.deepEqual([text, ending], ["before after", "whole"]);
  });

  row(`says ${can.leaving.name} by the ${can.leaving.by} when the client leaves`, async (t) => {
    const statuses: CloseStatus[] = [];
    const { channel, client } = await open(t, { close: (status) => statuses.push(status) });
    client.leave();
    await until(() => statuses.length > 0, "the close handler has run");
    await settled(() => statuses.length);
    assert.deepEqual(statuses.map(withoutReason), [can.leaving]);
    assert.equal(channel.isOpen, false);
    assert.equal(channel.send("late"), false);
    assert.equal(channel.close(), false);
  });

  row("notices that the client left in the middle of what it is sent", ["sendsMany"], async (t) => {
    const status = deferred<CloseStatus>();
    const { client, send } = await open(t, { close: status.resolve });
    send("some");
    await client.read(4);
    client.leave();
    assert.deepEqual(withoutReason(await status.promise), can.leaving);
  });

  row(`says ${can.losing.name} by the ${can.losing.by} when the connection is lost`, async (t) => {
    const statuses: CloseStatus[] = [];
    const { channel, client } = await open(t, { close: (status) => statuses.push(status) });
    client.raw.destroy();
    await until(() => statuses.length > 0, "the close handler has run");
    await settled(() => statuses.length);
    assert.deepEqual(statuses.map(withoutReason), [can.losing]);
    assert.equal(channel.isOpen, false);
    assert.equal(channel.send("late"), false);
  });

  row("drops the connection on terminate", ["drops"], async (t) => {
    const statuses: CloseStatus[] = [];
    const { channel, client, send } = await open(t, { close: (status) => statuses.push(status) });
    if (can.sendsMany) {
      send("begun");
      await client.read(5);
    }
    channel.terminate();
    assert.equal(channel.isOpen, false);
    assert.equal(channel.send("late"), false);
    assert.equal(channel.close(), false);
    channel.terminate();
    await client.raw.until(() => client.raw.isClosed || client.raw.isEnded, "the end of the connection");
    if (can.marksEnd) assert.equal((await client.rest()).ending, "cut");
    await until(() => statuses.length > 0, "the close handler has run");
    await settled(() => statuses.length);
    assert.deepEqual(statuses.map(withoutReason), [{ by: "server", code: 1006, name: "abnormal" }]);
  });

  row("runs a close handler that is registered late at once, with the real status", async (t) => {
    const first = deferred();
    const { channel, client } = await open(t, { close: () => first.resolve() });
    channel.close(4002, "early");
    await client.rest();
    await first.promise;
    await turn();
    const late: CloseStatus[] = [];
    channel.onClose((status, same) => {
      late.push(status);
      assert.equal(same, channel);
    });
    assert.deepEqual(late, [{ by: "server", code: 4002, reason: "early", name: "application" }]);
  });

  row("runs all its close handlers once each, in the order in which they came", async (t) => {
    const log: string[] = [];
    const { channel, client } = await open(t, {
      open(c) {
        c.onClose(() => log.push("from setup"));
      },
      close: () => log.push("up front"),
    });
    channel.onClose(() => log.push("later"));
    client.raw.destroy();
    await until(() => log.length >= 3, "the close handlers have run");
    await settled(() => log.length);
    assert.deepEqual([...log].sort(), ["from setup", "later", "up front"]);
    assert.ok(log.indexOf("from setup") < log.indexOf("later"));
  });

  row("lets close handlers be removed, also by one that runs before", async (t) => {
    const log: string[] = [];
    const ended = deferred<unknown>();
    const { channel, client } = await open(t, {});
    const removeFirst = channel.onClose(() => log.push("first"));
    const twice = (): unknown => log.push("twice");
    channel.onClose(twice);
    const removeTwice = channel.onClose(twice);
    channel.onClose(() => removeLast());
    const removeLast = channel.onClose(() => log.push("last"));
    channel.onClose(ended.resolve);
    removeFirst();
    removeTwice();
    removeTwice();
    channel.close();
    await client.rest();
    await ended.promise;
    assert.deepEqual(log, ["twice"]);
    channel.onClose(() => log.push("late"))();
    assert.deepEqual(log, ["twice", "late"]);
  });

  row("is closed already when its close handler runs", async (t) => {
    const seen = deferred<unknown[]>();
    const { client } = await open(t, {
      close: (_, c) => seen.resolve([c.isOpen, c.send("x"), c.send("x", true), c.close(), c.ping(), c.bufferedAmount]),
    });
    client.raw.destroy();
    assert.deepEqual(await seen.promise, [false, false, false, false, false, 0]);
  });

  row("has drained when it is closed", async (t) => {
    const { channel, client } = await open(t, {});
    client.raw.destroy();
    await channel.drained();
    channel.terminate();
    await channel.drained();
  });
}

function withoutReason({ by, code, name }: CloseStatus): Pick<CloseStatus, "by" | "code" | "name"> {
  return { by, code, name };
}

function isBadClose(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "BAD_CLOSE";
}
