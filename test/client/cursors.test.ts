// The cursors of a client's groups (PROTOCOL.md, "Groups"): what it keeps of each record, and what it tells a new session.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_CURSORS } from "../../src/client/limits.ts";
import { Network, settle } from "./network.ts";

/** The number of cursors that a request announces. */
function announced(network: Network): string | null {
  return network.socket().url.searchParams.get("cursors");
}

async function lose(network: Network, fields: object = {}): Promise<void> {
  network.socket().taken();
  network.socket().drop();
  await network.advance(1000);
  network.socket().open({ session: "T2", ...fields });
  await settle();
}

describe("The cursors of a client", () => {
  it("are those of the newest record of each group, and are told first when the server asks", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const heard: unknown[] = [];
    connection.onMessage((message) => heard.push(message));
    assert.equal(announced(network), "0");
    network.socket().hear('g{"group":"a","id":"1"}', 'g{"group":"a","id":"2"}\nhello\nyou', 'g{"group":"b","id":""}');
    network.socket().hear('g{"group":"c","id":"7"}', 'g{"group":"c"}', 'g{"group":"a","reset":true}', "mdirect");
    assert.deepEqual(heard, ["hello\nyou", "direct"]);
    await lose(network, { since: true });
    assert.equal(announced(network), "2");
    connection.send("more");
    assert.deepEqual(network.socket().taken(), [
      "a0",
      's{"group":"a","id":"2"}',
      's{"group":"b","id":""}',
      's{"forgotten":false}',
      "mmore",
    ]);
    connection.close();
  });

  it("are not told to a server that does not ask, which may not know them", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().hear('g{"group":"a","id":"1"}');
    await lose(network);
    connection.send("more");
    assert.deepEqual(network.socket().taken(), ["a0", "mmore"]);
    connection.close();
  });

  it("are kept until the new session has another, and told again if that one is lost, too", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().hear('g{"group":"a","id":"1"}', 'g{"group":"b","id":"1"}');
    await lose(network, { since: true });
    network.socket().hear("a3", 'g{"group":"b","id":"2"}\nx');
    await lose(network, { session: "T3", since: true });
    assert.deepEqual(network.socket().taken(), [
      "a0",
      's{"group":"a","id":"1"}',
      's{"group":"b","id":"2"}',
      's{"forgotten":false}',
    ]);
    connection.close();
  });

  it("are at most 512: of more groups the one that has been silent longest is forgotten, and that is told", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    for (let n = 0; n < MAX_CURSORS; n++) network.socket().hear(`g{"group":"${n}","id":"1"}`);
    await lose(network, { since: true });
    const all = network.socket().taken();
    assert.deepEqual([all.length, all.at(-1)], [MAX_CURSORS + 2, 's{"forgotten":false}']);
    network.socket().hear('g{"group":"0","id":"2"}', 'g{"group":"new","id":"1"}');
    await lose(network, { session: "T3", since: true });
    const told = network.socket().taken();
    assert.deepEqual([told.length, told.at(-1)], [MAX_CURSORS + 2, 's{"forgotten":true}']);
    assert.ok(told.includes('s{"group":"0","id":"2"}') && !told.includes('s{"group":"1","id":"1"}'));
    connection.close();
  });

  it("come with bytes on a WebSocket as one record, which is acknowledged once", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const heard: unknown[] = [];
    connection.onMessage((message) => heard.push(message));
    const socket = network.socket();
    socket.hear('g{"group":"a","id":"1","binary":true}');
    socket.onmessage({ data: Uint8Array.of(1, 2).buffer });
    socket.onmessage({ data: Uint8Array.of(3).buffer });
    assert.deepEqual(heard, [Uint8Array.of(1, 2), Uint8Array.of(3)]);
    await network.advance(1000);
    assert.equal(socket.taken().at(-1), "a2");
    // Cut off between the head and the bytes: nothing has arrived.
    socket.hear('g{"group":"a","id":"9","binary":true}');
    await lose(network, { since: true });
    assert.ok(network.socket().taken().includes('s{"group":"a","id":"1"}'));
    connection.close();
  });

  it("tells of a reset once, before the messages that follow", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const heard: unknown[] = [];
    connection.onMessage((message) => heard.push(message));
    const off = connection.onReset((group) => heard.push({ reset: group }));
    network.socket().hear('g{"group":"a","reset":true}', 'g{"group":"a","id":"5"}\nkept');
    assert.deepEqual(heard, [{ reset: "a" }, "kept"]);
    off();
    network.socket().hear('g{"group":"a","reset":true}');
    assert.equal(heard.length, 2);
    connection.close();
  });
});
