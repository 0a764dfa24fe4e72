// A session whose requests are cut, repeated, late or doubled: each message is taken once, in order, and an acknowledgement
// counts only if it has arrived completely.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { encodeRecordEvent, type SessionRecord } from "../../src/codec/session-record.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  ack,
  back,
  CARRIERS,
  type CarrierKind,
  type Endpoint,
  poll,
  post,
  type Query,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import {
  type SessionSite,
  sessionOfPoll,
  sessionOfSocket,
  sessionOfStream,
  sessionSite,
} from "../support/session-site.ts";
import { until } from "../support/wait.ts";
import { textFrame } from "../support/ws-client.ts";

const BIG = "b".repeat(300_000);

function postBytes({ pathname }: Endpoint, session: string, from: number, ...records: SessionRecord[]): string {
  const body = records.map(encodeRecordEvent).join("");
  const head = `POST ${pathname}?session=${session}&from=${from} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}`;
  return `${head}\r\n\r\n${body}`;
}

/** The first two characters of the messages that the application has received. */
function received(site: SessionSite): string[] {
  return site.received.map((message) => message.slice(0, 2));
}

/** Takes the session up on a carrier of this kind; the messages that it has for the client at once. */
async function takeUp(
  t: TestContext,
  endpoint: Endpoint,
  kind: CarrierKind,
  query: Query,
  count: number,
): Promise<string[]> {
  const records: SessionRecord[] = [];
  if (kind === "poll") records.push(...(await poll(t, endpoint, { ...query, park: 0 })).records.slice(1));
  else {
    const carrier =
      kind === "websocket" ? await SocketClient.open(t, endpoint, query) : await StreamClient.open(t, endpoint, query);
    assert.equal((await carrier.opened()).resumed, true);
    while (records.length < count) records.push((await carrier.record())!);
  }
  return records.map((record) => String(record.type === "message" ? record.data : record.type));
}

describe("a POST that is cut at any byte", () => {
  it("takes none of its records unless it is complete; when it is sent again, each is taken once", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    let number = 1;
    for (let cut = 1; ; cut += 13) {
      const records = [text(`${number}`), text(`${number + 1}`)];
      const bytes = postBytes(site.endpoint, session, number, ...records);
      const client = await RawClient.connect(t, site.endpoint);
      client.write(bytes.slice(0, cut));
      if (cut % 2 === 0) client.destroy();
      else client.end();
      const answer = await post(t, site.endpoint, session, number, ...records);
      assert.deepEqual(answer.records, [ack(number + 1)], `cut after ${cut}`);
      client.destroy();
      number += 2;
      if (cut >= bytes.length) break;
    }
    assert.deepEqual(
      site.received,
      Array.from({ length: number - 1 }, (_, i) => `${i + 1}`),
    );
  });

  it("acknowledges nothing unless it is complete, also if it contains acknowledgements only", async (t) => {
    const { site, stream, session } = await sessionOfStream(t, { open: (channel) => void channel.send("kept") });
    assert.deepEqual(await stream.record(), text("kept"));
    const bytes = postBytes(site.endpoint, session, 1, ack(1));
    for (let cut = 1; cut < bytes.length; cut += 7) {
      const client = await RawClient.connect(t, site.endpoint);
      client.write(bytes.slice(0, cut));
      client.destroy();
      // It has been read by the time that a later request is answered.
      await post(t, site.endpoint, session, 1);
      assert.ok(site.channel.bufferedAmount > 0, `cut after ${cut}`);
    }
    assert.equal((await post(t, site.endpoint, session, 1, ack(1))).status, 200);
    assert.equal(site.channel.bufferedAmount, 0);
    site.channel.send("next");
    assert.deepEqual(await stream.record(), text("next"));
  });

  it("is answered again if its answer is lost, and nothing is taken twice", async (t) => {
    const { site, session } = await sessionOfPoll(t, { open: (channel) => void channel.send("kept") });
    for (let number = 1; number <= 20; number++) {
      const client = await RawClient.connect(t, site.endpoint);
      client.write(postBytes(site.endpoint, session, number, ack(1), text(`${number}`)));
      await site.called(`receive ${number}`);
      client.reset();
      assert.deepEqual((await post(t, site.endpoint, session, number, text(`${number}`))).records, [ack(number)]);
    }
    assert.equal(site.calls.length, 22);
  });
});

describe("a POST that arrives late", () => {
  it("is acknowledged if its records have arrived on another carrier, and nothing is taken", async (t) => {
    const { site, open } = await sessionOfStream(t);
    const bytes = postBytes(site.endpoint, open.session, 1, text("a"), text("b"));
    const late = await RawClient.connect(t, site.endpoint);
    late.write(bytes.slice(0, -3));
    await until(() => site.site.server.stats().requests === 2, "it has begun");
    const socket = await SocketClient.open(t, site.endpoint, back(open, 0));
    await socket.opened();
    socket.send(text("a"), text("b"), text("c"));
    await site.called("receive c");
    late.write(bytes.slice(-3));
    assert.equal((await late.response()).status, 200);
    socket.send(text("d"));
    await site.called("receive d");
    assert.deepEqual(received(site), ["a", "b", "c", "d"]);
  });

  it("is answered with 410 if its session is over, and does not reach the client's next session", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    const bytes = postBytes(site.endpoint, session, 1, text("late"));
    const late = await RawClient.connect(t, site.endpoint);
    late.write(bytes.slice(0, -3));
    await until(() => site.site.server.stats().requests === 2, "it has begun");
    site.channel.terminate();
    const next = await SocketClient.open(t, site.endpoint);
    await next.opened();
    late.write(bytes.slice(-3));
    assert.equal((await late.response()).status, 410);
    next.send(text("new"));
    await site.called("receive new");
    assert.deepEqual(received(site), ["ne"]);
  });

  it("changes nothing if its acknowledgement is older than another that has arrived", async (t) => {
    const { site, open } = await sessionOfPoll(t, {
      open: (channel) => void ["1", "2", "3"].map((one) => channel.send(one)),
    });
    const bytes = postBytes(site.endpoint, open.session, 1, ack(1));
    const late = await RawClient.connect(t, site.endpoint);
    late.write(bytes.slice(0, -3));
    assert.equal((await post(t, site.endpoint, open.session, 1, ack(2))).status, 200);
    late.write(bytes.slice(-3));
    assert.equal((await late.response()).status, 200);
    assert.deepEqual(await takeUp(t, site.endpoint, "poll", back(open, 0), 1), ["3"]);
  });
});

describe("a carrier that is replaced in the middle of a long message", () => {
  for (const kind of CARRIERS) {
    it(`takes the client's message once, on the new carrier: a ${kind} beside a WebSocket`, async (t) => {
      const { site, socket, open } = await sessionOfSocket(t);
      const bytes = textFrame(`m${BIG}`);
      socket.send(text("a"));
      socket.ws.raw.write(bytes.subarray(0, 200_000));
      await site.called("receive a");
      assert.deepEqual(await takeUp(t, site.endpoint, kind, back(open, 0), 0), []);
      socket.ws.raw.write(bytes.subarray(200_000));
      socket.send(text("of the past"));
      assert.deepEqual((await post(t, site.endpoint, open.session, 2, text(BIG), text("c"))).records, [ack(3)]);
      assert.equal((await socket.closed()).code, 4409);
      assert.deepEqual(received(site), ["a", "bb", "c"]);
    });

    for (const first of CARRIERS) {
      it(`sends the server's message completely on the new carrier: a ${kind} beside a ${first}`, async (t) => {
        const site = await sessionSite(t, {
          open: (channel) => void [BIG, "behind it"].map((one) => channel.send(one)),
        });
        const query = first === "poll" ? "mode=poll" : "";
        const client = await RawClient.connect(t, site.endpoint);
        const fields =
          first === "websocket"
            ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: unichannel.v1\r\n"
            : "Accept: text/event-stream\r\n";
        client.write(`GET ${site.endpoint.pathname}?${query} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
        // Half of the message has come, and the client reads no further.
        await client.until(() => client.peek().length > 20_000, "a part of it");
        client.pause();
        const session = /"session":"([^"]+)"/.exec(client.peek().toString("latin1"))![1]!;
        const messages = await takeUp(t, site.endpoint, kind, { session, after: 0 }, 2);
        assert.deepEqual([messages[0] === BIG, messages[1], messages.length], [true, "behind it", 2]);
        client.destroy();
      });
    }
  }
});

describe("two carriers that are open at once", () => {
  it("take a message once: records that still arrive on the first are sent again on the second", async (t) => {
    const site = await sessionSite(t);
    const first = await SocketClient.open(t, site.endpoint);
    const open = await first.opened();
    let number = 0;
    for (let round = 0, socket = first; round < 20; round++) {
      const before = socket;
      socket = await SocketClient.open(t, site.endpoint, back(open, 0));
      // The client has not seen that the first one is over, and both have the message.
      const { received: has } = await socket.opened();
      assert.equal(has, number);
      const message = text(`${++number}`);
      before.send(message);
      socket.send(message);
      await site.called(`receive ${number}`);
    }
    assert.equal(site.calls.filter((call) => call.startsWith("receive")).length, 20);
    assert.equal(site.channels.length, 1);
  });

  it("opened at the same moment leave the session with one that works", async (t) => {
    const { site, open } = await sessionOfPoll(t, { message: (message, channel) => channel.send(message) });
    for (let round = 1; round <= 10; round++) {
      const query = { ...back(open, 0), try: round };
      const [socket, stream, parked] = await Promise.all([
        SocketClient.open(t, site.endpoint, query),
        StreamClient.open(t, site.endpoint, query).catch(() => undefined),
        poll(t, site.endpoint, { ...query, park: 0 }),
      ]);
      assert.ok(parked.status === 200 || parked.status === 409);
      socket.drop();
      stream?.drop();
    }
    const last = await SocketClient.open(t, site.endpoint, { ...back(open, 0), try: 11 });
    assert.equal((await last.opened()).resumed, true);
    last.send(text("a"));
    for (;;) {
      const record = await last.record();
      if (record.type !== "message") continue;
      assert.deepEqual(record, text("a"));
      break;
    }
    assert.equal(site.channels.length, 1);
  });
});

describe("a poll whose answer is lost at any byte", () => {
  it("is answered again with all its records until they are acknowledged", async (t) => {
    const { site, open } = await sessionOfPoll(t, {
      open: (channel) => void ["1", "2", "3"].map((one) => channel.send(one)),
    });
    for (let cut = 1; cut < 320; cut += 40) {
      const client = await RawClient.connect(t, site.endpoint);
      client.write(
        `GET ${site.endpoint.pathname}?mode=poll&session=${open.session}&after=0 HTTP/1.1\r\nHost: x\r\n\r\n`,
      );
      await client.until(() => client.peek().length >= cut, "a part of the answer");
      client.reset();
    }
    await site.noConnections();
    assert.deepEqual(await takeUp(t, site.endpoint, "poll", back(open, 0), 3), ["1", "2", "3"]);
    assert.deepEqual(await takeUp(t, site.endpoint, "poll", back(open, 2), 1), ["3"]);
    assert.equal(site.calls.includes("close network 1006 abnormal"), false);
  });
});
