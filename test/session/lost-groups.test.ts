// A session that is lost, and the groups of its channel: the next session continues where the client was in each of them. The
// real client and the real server, over every carrier, in virtual time. A session that the server terminates is lost as by a
// crash: its token is unknown.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { MemoryBackplane } from "../../src/backplane/memory.ts";
import type { Connection } from "../../src/client/index.ts";
import {
  type Channel,
  type ChannelStore,
  createChannelStore,
  type LostSession,
  openSession,
  type SessionOptions,
} from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";
import { CARRIERS, type CarrierKind } from "../support/session-client.ts";

class Place {
  readonly app: TestServer;
  readonly channels: Channel[] = [];
  readonly lost: LostSession[] = [];
  /** The calls of `lost` and `open`, in order. */
  readonly calls: string[] = [];
  /** Called when a channel is open. */
  join: (channel: Channel) => void = () => {};

  constructor(t: TestContext, options: SessionOptions = {}) {
    this.app = testServer((request) =>
      openSession(
        request,
        {
          open: (channel) => {
            this.calls.push("open");
            this.channels.push(channel);
            this.join(channel);
          },
          lost: (info) => {
            this.calls.push("lost");
            this.lost.push(info);
          },
        },
        options,
      ),
    );
    t.after(() => this.app.stop());
  }

  get channel(): Channel {
    return this.channels.at(-1)!;
  }
}

class Client {
  readonly connection: Connection;
  readonly #app: TestServer;
  /** Messages and resets, in order. */
  readonly #heard: string[] = [];
  readonly openings: string[] = [];

  constructor(app: TestServer, carriers: readonly CarrierKind[]) {
    this.#app = app;
    this.connection = app.connect("/session", { carriers });
    this.connection.onMessage((message) => {
      this.#heard.push(typeof message === "string" ? message : `bytes ${[...message]}`);
    });
    this.connection.onReset((group) => this.#heard.push(`reset ${group}`));
    this.connection.onOpen(({ session }) => this.openings.push(session));
    this.connection.onError(() => {});
  }

  /** The messages since the last call, once all that is under way has arrived and was acknowledged. */
  async heard(): Promise<string[]> {
    await this.#app.advance(3000);
    return this.#heard.splice(0);
  }
}

const STORES: readonly (readonly [string, () => ChannelStore])[] = [
  ["in this process", () => createChannelStore()],
  ["with a backplane", () => createChannelStore({ backplane: new MemoryBackplane() })],
];

for (const [where, makeStore] of STORES) {
  for (const kind of CARRIERS) {
    describe(`the groups of a lost session: ${kind}, a store ${where}`, () => {
      const carriers: readonly CarrierKind[] = [kind];

      async function start(t: TestContext, ...groups: string[]): Promise<[Place, ChannelStore, Client]> {
        const place = new Place(t);
        const store = makeStore();
        t.after(() => store.close());
        place.join = (channel) => {
          for (const group of groups) store.addToGroup(group, channel);
        };
        const client = new Client(place.app, carriers);
        await client.heard();
        assert.equal(place.channels.length, 1);
        return [place, store, client];
      }

      it("come from the beginning behind a reset, if the application says so and the client was in the group", async (t) => {
        const [place, store, client] = await start(t);
        place.join = (channel) => store.addToGroup("room", channel, undefined, { since: "" });
        place.channel.terminate();
        assert.deepEqual(await client.heard(), []);
        await store.publish("room", "a");
        assert.deepEqual(await client.heard(), ["a"]);
        place.channel.terminate();
        await store.publish("room", "b");
        assert.deepEqual(await client.heard(), ["reset room", "a", "b"]);
        await store.publish("room", "c");
        assert.deepEqual(await client.heard(), ["c"]);
        // As after a restart: the history is gone, too.
        const other = makeStore();
        t.after(() => other.close());
        place.join = (channel) => other.addToGroup("room", channel, undefined, { since: "" });
        place.channel.terminate();
        assert.deepEqual(await client.heard(), ["reset room"]);
        await other.publish("room", "d");
        assert.deepEqual(await client.heard(), ["d"]);
      });

      it("continue: what was missed comes once, in order, before anything new of the group", async (t) => {
        const [place, store, client] = await start(t, "room", "news");
        await store.publish("room", "a");
        await store.publish("news", "b\rc\nd");
        await store.publish("room", Uint8Array.of(1, 2, 254));
        place.channel.send("direct");
        assert.deepEqual(await client.heard(), ["a", "b\rc\nd", "bytes 1,2,254", "direct"]);
        place.channel.terminate();
        await store.publish("room", "missed 1");
        await store.publish("news", "missed 2");
        await store.publish("room", Uint8Array.of(3));
        const join = place.join;
        place.join = (channel) => {
          join(channel);
          void store.publish("room", "new");
        };
        const heard = await client.heard();
        assert.deepEqual(
          heard.filter((text) => text !== "missed 2"),
          ["missed 1", "bytes 3", "new"],
        );
        assert.equal(heard.length, 4);
        assert.deepEqual(client.openings, ["new", "lost"]);
        assert.deepEqual(
          place.lost.map(({ groups }) => groups),
          [2],
        );
        assert.deepEqual(place.calls, ["open", "lost", "open"]);
      });

      it("continue from the place of joining, where nothing came before the loss", async (t) => {
        const [place, store, client] = await start(t, "room", "quiet");
        await store.publish("room", "a");
        assert.deepEqual(await client.heard(), ["a"]);
        place.channel.terminate();
        await store.publish("room", "missed 1");
        await client.heard();
        place.channel.terminate();
        await store.publish("room", "missed 2");
        assert.deepEqual(await client.heard(), ["missed 2"]);
      });

      it("continue when the application adds the channel later, each for itself, between direct messages", async (t) => {
        const [place, store, client] = await start(t, "room", "later");
        await store.publish("room", "a");
        await store.publish("later", "b");
        assert.deepEqual(await client.heard(), ["a", "b"]);
        place.channel.terminate();
        await store.publish("room", "missed 1");
        await store.publish("later", "missed 2");
        place.join = (channel) => {
          channel.send("direct 1");
          store.addToGroup("room", channel);
        };
        assert.deepEqual(await client.heard(), ["direct 1", "missed 1"]);
        await store.publish("later", "missed 3");
        place.channel.send("direct 2");
        store.addToGroup("later", place.channel);
        await store.publish("later", "new");
        assert.deepEqual(await client.heard(), ["direct 2", "missed 2", "missed 3", "new"]);
      });

      it("do not continue where the channel has left, with `since: null`, and with a `since` of the application", async (t) => {
        const [place, store, client] = await start(t, "left", "null", "own");
        for (const group of ["left", "null", "own"]) await store.publish(group, `${group} 1`);
        assert.equal((await client.heard()).length, 3);
        store.removeFromGroup("left", place.channel);
        await client.heard();
        place.channel.terminate();
        for (const group of ["left", "null", "own"]) await store.publish(group, `${group} 2`);
        place.join = (channel) => {
          store.addToGroup("left", channel);
          store.addToGroup("null", channel, undefined, { since: null });
          store.addToGroup("own", channel, undefined, { since: "" });
        };
        assert.deepEqual(await client.heard(), ["reset own", "own 1", "own 2"]);
        for (const group of ["left", "null"]) await store.publish(group, `${group} 3`);
        assert.deepEqual(await client.heard(), ["left 3", "null 3"]);
      });

      it("do not bring back a message that was not for this channel", async (t) => {
        const [place, store, client] = await start(t, "room");
        await store.publish("room", "a");
        await store.publish("room", "mine", { except: place.channel });
        assert.deepEqual(await client.heard(), ["a"]);
        place.channel.terminate();
        await store.publish("room", "missed");
        assert.deepEqual(await client.heard(), ["missed"]);
      });

      it("are told as reset where the history does not reach back, before the messages that are kept", async (t) => {
        const place = new Place(t);
        const backplane = where === "in this process" ? undefined : new MemoryBackplane();
        const store = createChannelStore({ backplane, history: { size: 2 } });
        t.after(() => store.close());
        const resets: Channel[] = [];
        place.join = (channel) => {
          store.addToGroup("room", channel);
          store.addToGroup("own", channel, undefined, { onReset: (member) => resets.push(member as Channel) });
        };
        const client = new Client(place.app, carriers);
        await client.heard();
        for (const group of ["room", "own"]) await store.publish(group, `${group} 1`);
        assert.deepEqual(await client.heard(), ["room 1", "own 1"]);
        place.channel.terminate();
        // More than the log of this process keeps.
        for (let n = 2; n < 300; n++) for (const group of ["room", "own"]) await store.publish(group, `${group} ${n}`);
        const heard = await client.heard();
        assert.deepEqual(
          heard.filter((text) => /room/.test(text)),
          ["reset room", "room 298", "room 299"],
        );
        assert.deepEqual(resets, [place.channel]);
      });

      it("open no group: a client that names one is a member of those alone to which the application adds it", async (t) => {
        const [place, store, client] = await start(t, "room", "secret");
        await store.publish("secret", "a");
        assert.deepEqual(await client.heard(), ["a"]);
        place.channel.terminate();
        place.join = (channel) => store.addToGroup("room", channel);
        await store.publish("secret", "hidden");
        await store.publish("room", "b");
        assert.deepEqual(await client.heard(), ["b"]);
      });
    });
  }
}
