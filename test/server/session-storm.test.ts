// A client that changes its carrier all the time, leaves in the middle, posts beside it, and posts again what it posted
// before, against the live server: in the end each side has every message of the other once, in order.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { encodeRecordEvent, type NumberedRecord, type SessionRecord } from "../../src/codec/session-record.ts";
import { Session } from "../../src/protocol/session.ts";
import { RawClient } from "../support/raw-client.ts";
import { type Endpoint, poll, post, SocketClient, StreamClient } from "../support/session-client.ts";
import { sessionSite } from "../support/session-site.ts";
import { until } from "../support/wait.ts";

type Step = {
  readonly kind: "websocket" | "sse" | "poll";
  readonly say: number;
  readonly take: number;
  readonly again: boolean;
  /** A POST of what is unacknowledged begins here, and its body is whole some steps later; or never. */
  readonly late: "whole" | "cut" | "none";
};

const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("websocket", "sse", "poll"),
  say: fc.nat(20),
  take: fc.nat(30),
  again: fc.boolean(),
  late: fc.constantFrom("whole", "cut", "none", "none"),
});

/** POSTs that are begun and not whole: with those of one step there are at most four of a session. */
const MAX_LATE = 1;

class StormClient {
  readonly session = new Session();
  readonly said: string[] = [];
  readonly heard: string[] = [];
  #token: string | undefined;
  readonly #late: { readonly client: RawClient; readonly rest: string }[] = [];
  /** The number of the next record on the carrier. */
  #next = 1;

  query(): { [name: string]: string | number } {
    return this.#token === undefined ? {} : { session: this.#token, after: this.session.takeAck() };
  }

  say(): NumberedRecord {
    const data = `${this.said.length}`;
    this.said.push(data);
    const record: NumberedRecord = { type: "message", data };
    this.session.send(record);
    return record;
  }

  hear(record: SessionRecord | undefined): void {
    if (record?.type === "open") {
      assert.ok(this.#token === undefined || record.resumed, "nothing was lost");
      this.#token = record.session;
      this.#next = record.first;
      this.session.acknowledge(record.received);
    } else if (record?.type === "ack") this.session.acknowledge(record.received);
    else if (record?.type === "message") {
      if (this.session.receive(this.#next++, record)) this.heard.push(String(record.data));
    }
  }

  /** Begins a POST whose end comes when others have overtaken it. */
  async postLate(t: TestContext, endpoint: Endpoint, isCut: boolean): Promise<void> {
    if (this.#token === undefined) return;
    if (this.#late.length === MAX_LATE) await this.endLate();
    const body = [{ type: "ack" as const, received: this.session.received }, ...this.session.after()]
      .map(encodeRecordEvent)
      .join("");
    const query = `session=${this.#token}&from=${this.session.acknowledged + 1}`;
    const head = `POST ${endpoint.pathname}?${query} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
    const client = await RawClient.connect(t, endpoint);
    client.write(head + body.slice(0, -5));
    if (isCut) client.destroy();
    else this.#late.push({ client, rest: body.slice(-5) });
  }

  /** Completes the POST that was begun first. Its answer may be out of date, and is ignored. */
  async endLate(): Promise<void> {
    const late = this.#late.shift();
    if (late === undefined) return;
    late.client.write(late.rest);
    assert.equal((await late.client.response("POST")).status, 200);
    late.client.destroy();
  }

  async post(t: TestContext, endpoint: Endpoint, isAgain: boolean): Promise<void> {
    const from = this.session.acknowledged + 1;
    const records = this.session.after();
    const ack: SessionRecord = { type: "ack", received: this.session.takeAck() };
    const send = () => post(t, endpoint, this.#token!, from, ack, ...records);
    for (const answer of await Promise.all(isAgain ? [send(), send()] : [send()])) {
      assert.equal(answer.status, 200);
      for (const record of answer.records) this.hear(record);
    }
  }
}

async function step(
  t: TestContext,
  endpoint: Endpoint,
  client: StormClient,
  { kind, say, take, again, late }: Step,
): Promise<void> {
  if (late !== "none") await client.postLate(t, endpoint, late === "cut");
  if (kind === "poll") {
    const { records } = await poll(t, endpoint, { ...client.query(), park: 0 });
    for (const record of records.slice(0, take + 1)) client.hear(record);
    for (let i = 0; i < say; i++) client.say();
    if (say > 0) await client.post(t, endpoint, again);
    return;
  }
  const carrier =
    kind === "sse"
      ? await StreamClient.open(t, endpoint, client.query())
      : await SocketClient.open(t, endpoint, client.query());
  client.hear(await carrier.record());
  if (carrier instanceof SocketClient) {
    carrier.send(...client.session.after());
    for (let i = 0; i < say; i++) carrier.send(client.say());
  } else {
    for (let i = 0; i < say; i++) client.say();
    await client.post(t, endpoint, again);
  }
  // As many as there are for sure: the echo of what is there already.
  for (let i = 0; i < take && client.heard.length < client.session.acknowledged; i++)
    client.hear(await carrier.record());
  carrier.drop();
}

describe("a session whose carriers change all the time", () => {
  it("loses, doubles and swaps no message", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const heard: string[] = [];
    const site = await sessionSite(t, {
      message(message, channel) {
        heard.push(String(message));
        channel.send(message);
      },
    });
    const client = new StormClient();
    for (const one of fc.sample(STEP, { seed, numRuns: 80 })) await step(t, site.endpoint, client, one);
    for (let i = 0; i < MAX_LATE; i++) await client.endLate();
    await step(t, site.endpoint, client, { kind: "poll", say: 1, take: 0, again: false, late: "none" });
    await until(() => heard.length === client.said.length, "the server has heard all");
    await step(t, site.endpoint, client, { kind: "poll", say: 0, take: 10_000, again: false, late: "none" });
    assert.deepEqual(heard, client.said);
    assert.deepEqual(client.heard, client.said);
    assert.equal(site.channels.length, 1);
    assert.deepEqual(client.session.after(), []);
    assert.ok(heard.length > 300, `${heard.length}`);
  });
});
