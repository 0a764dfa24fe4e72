// Two ends of a session, and a network between them that does its worst: carriers that are cut with what is on them, that
// overlap, whose handshakes come late; POSTs that are lost, come twice, or come long after. PROTOCOL.md's promise is that
// none of it shows: every message exactly once, in order, in both directions.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { NumberedRecord } from "../../src/codec/session-record.ts";
import { Session } from "../../src/protocol/session.ts";

type Down = { readonly open: { readonly received: number; readonly first: number } } | Up;
type Up = NumberedRecord | { readonly ack: number } | { readonly from: number };

/** A carrier: what is under way on it, in order, and where each receiver has its count. */
class Link {
  readonly after: number;
  readonly up: Up[] = [];
  readonly down: Down[] = [];
  isAccepted = false;
  isCut = false;
  nextUp = 0;
  nextDown = 0;

  constructor(after: number) {
    this.after = after;
  }
}

interface Post {
  readonly from: number;
  readonly records: readonly NumberedRecord[];
}

class World {
  readonly client = new Session();
  readonly server = new Session();
  readonly said = { client: [] as string[], server: [] as string[] };
  readonly heard = { client: [] as string[], server: [] as string[] };
  readonly links: Link[] = [];
  readonly posts: Post[] = [];
  /** The link that the server writes to. */
  serverLink: Link | undefined;
  /** The link that the client writes to, once `open` has arrived. */
  clientLink: Link | undefined;

  say(who: "client" | "server"): void {
    const data = `${who} ${this.said[who].length}`;
    this.said[who].push(data);
    // Every third record is a request: it is numbered, kept and acknowledged as a message is.
    const type = this.said[who].length % 3 === 0 ? "request" : "message";
    const record: NumberedRecord = { type, data };
    this[who].send(record);
    if (who === "client") this.clientLink?.up.push(record);
    else this.serverLink?.down.push(record);
  }

  connect(): Link {
    const link = new Link(this.client.takeAck());
    this.links.push(link);
    return link;
  }

  /** The handshake reaches the server: the link takes over. */
  accept(link: Link): void {
    if (link.isAccepted || link.isCut) return;
    link.isAccepted = true;
    this.serverLink = link;
    this.server.acknowledge(link.after);
    link.nextUp = this.server.received + 1;
    link.down.push({ open: { received: this.server.takeAck(), first: this.server.acknowledged + 1 } });
    link.down.push(...this.server.after());
  }

  cut(link: Link): void {
    link.isCut = true;
    link.up.length = 0;
    link.down.length = 0;
    if (this.serverLink === link) this.serverLink = undefined;
    if (this.clientLink === link) this.clientLink = undefined;
  }

  deliverDown(link: Link): void {
    const item = link.down.shift();
    if (item === undefined) return;
    if ("open" in item) {
      link.nextDown = item.open.first;
      this.client.acknowledge(item.open.received);
      this.clientLink = link;
      // A POST may have brought more meanwhile than the server had when it said `received`.
      const after = Math.max(item.open.received, this.client.acknowledged);
      if (after !== item.open.received) link.up.push({ from: after + 1 });
      link.up.push(...this.client.after(after));
    } else if ("ack" in item) this.client.acknowledge(item.ack);
    else if (!("from" in item)) {
      if (this.client.receive(link.nextDown, item)) this.heard.client.push(textOf(item));
      link.nextDown += 1;
      if (this.client.isAckDue) this.acknowledge("client");
    }
  }

  deliverUp(link: Link): void {
    const item = link.up.shift();
    // The server ignores what comes on a link that was replaced.
    if (item === undefined || link !== this.serverLink) return;
    if ("ack" in item) this.server.acknowledge(item.ack);
    else if ("from" in item) link.nextUp = item.from;
    else {
      if (this.server.receive(link.nextUp, item)) this.heard.server.push(textOf(item));
      link.nextUp += 1;
      if (this.server.isAckDue) this.acknowledge("server");
    }
  }

  acknowledge(who: "client" | "server"): void {
    if (who === "client" && this.clientLink !== undefined) this.clientLink.up.push({ ack: this.client.takeAck() });
    if (who === "server" && this.serverLink !== undefined) this.serverLink.down.push({ ack: this.server.takeAck() });
  }

  post(): void {
    const from = this.client.acknowledged + 1;
    this.posts.push({ from, records: this.client.after() });
  }

  /** A POST reaches the server; its answer may not reach the client. */
  deliverPost({ from, records }: Post, isAnswerLost: boolean): void {
    if (from > this.server.received + 1) return;
    for (const [i, record] of records.entries()) {
      if (this.server.receive(from + i, record)) this.heard.server.push(textOf(record));
    }
    const ack = this.server.takeAck();
    if (!isAnswerLost) this.client.acknowledge(ack);
  }

  check(): void {
    assert.deepEqual(this.heard.server, this.said.client.slice(0, this.heard.server.length));
    assert.deepEqual(this.heard.client, this.said.server.slice(0, this.heard.client.length));
  }

  /** The network is well: one carrier, and all on it arrives. */
  heal(): void {
    for (const link of this.links) this.cut(link);
    const link = this.connect();
    this.accept(link);
    for (let i = 0; i < 3; i++) {
      while (link.down.length > 0) this.deliverDown(link);
      while (link.up.length > 0) this.deliverUp(link);
      this.acknowledge("client");
      this.acknowledge("server");
    }
  }
}

function textOf(record: NumberedRecord): string {
  assert.ok((record.type === "message" || record.type === "request") && typeof record.data === "string");
  return record.data;
}

/** The possible events; `n` chooses among links, posts and records. */
const EVENTS: readonly ((world: World, n: number) => void)[] = [
  (world) => world.say("client"),
  (world) => world.say("server"),
  (world, n) => {
    for (let i = 0; i <= n % 20; i++) world.say(n % 2 === 0 ? "server" : "client");
  },
  (world) => world.connect(),
  (world, n) => choose(world.links, n, (link) => world.accept(link)),
  (world, n) => choose(world.links, n, (link) => world.deliverDown(link)),
  (world, n) => choose(world.links, n, (link) => world.deliverUp(link)),
  (world, n) => choose(world.links, n, (link) => drain(link, () => world.deliverDown(link), "down")),
  (world, n) => choose(world.links, n, (link) => drain(link, () => world.deliverUp(link), "up")),
  (world, n) => choose(world.links, n, (link) => world.cut(link)),
  (world) => world.acknowledge("client"),
  (world) => world.acknowledge("server"),
  (world) => world.post(),
  // Never taken away: it may come again, however late.
  (world, n) => choose(world.posts, n, (post) => world.deliverPost(post, n % 2 === 0)),
];

function choose<T>(list: readonly T[], n: number, use: (one: T) => void): void {
  if (list.length > 0) use(list[n % list.length]!);
}

function drain(link: Link, deliver: () => void, way: "up" | "down"): void {
  while (link[way].length > 0) deliver();
}

describe("two ends of a session, whatever the network does", () => {
  const steps = fc.array(fc.tuple(fc.nat(EVENTS.length - 1), fc.nat(1000)), { minLength: 20, maxLength: 200 });

  it("hear every message and request exactly once, in order, and in the end all of them", () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const world = new World();
        for (const [event, n] of plan) {
          EVENTS[event]!(world, n);
          world.check();
        }
        world.heal();
        assert.deepEqual(world.heard.server, world.said.client);
        assert.deepEqual(world.heard.client, world.said.server);
        assert.equal(world.client.bufferedAmount, 0);
        assert.equal(world.server.bufferedAmount, 0);
      }),
      { numRuns: Number(process.env["RUNS"] ?? 2000) },
    );
  });
});
