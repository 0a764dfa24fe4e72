// The requirements of PROTOCOL.md for a server as a suite for any implementation: each § there is a test here.
// The application behind the URL is an echo: every message is sent back as it came, and the text "close" closes the session
// with 1000. `join <group>` and `leave <group>` make the client a member of a group or end that, `publish <group> <text>` and `bytes
// <group> <text>` publish a text or its bytes to a group, which keeps its last three messages. The identity of a client ends `lives`
// milliseconds after a request with `lives=<ms>` in its query. `SESSION_URL=http://host:port/path npm test -- conformance/session` runs it against a server that runs already.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type GroupRecord,
  type OpenRecord,
  SESSION_PROTOCOL,
  type SessionRecord,
} from "../../src/codec/session-record.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  type Answer,
  ask,
  back,
  close,
  type Endpoint,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import { upgradeRequest } from "../support/ws-client.ts";

const BYTES: SessionRecord = { type: "message", data: Uint8Array.of(0, 1, 254, 255) };
const ALL = ["websocket", "sse", "poll"] as const;

function request(data: string): SessionRecord {
  return { type: "request", data };
}

/** One carrier of any kind: what can be done on each, in the same words. */
interface AnyCarrier {
  readonly open: OpenRecord;
  /** The next record of the server that is no ack. */
  next(): Promise<SessionRecord | undefined>;
  /** Sends, the first with number `from`. */
  send(from: number, ...records: readonly SessionRecord[]): Promise<void>;
  drop(): void;
}

/** `isDirect`: nothing between that holds a POST back until its body is whole. */
export function sessionConformance(
  name: string,
  start: (t: TestContext) => Promise<Endpoint>,
  { isDirect = false, skip = false }: { readonly isDirect?: boolean; readonly skip?: string | false } = {},
): void {
  describe(`the session protocol: ${name}`, { skip }, () => {
    for (const bad of ["-1", "01", "1.5", "x", "", "9007199254740992"]) {
      it(`§1: refuses after=${bad} and from=${bad} with 400`, async (t) => {
        const endpoint = await start(t);
        assert.equal((await poll(t, endpoint, { after: bad })).status, 400);
        const { session } = opened(await poll(t, endpoint));
        assert.equal((await ask(t, endpoint, { method: "POST", query: { session, from: bad }, body: "" })).status, 400);
      });
    }

    it("§2: refuses a WebSocket that does not offer unichannel.v1 with 400", async (t) => {
      const endpoint = await start(t);
      for (const fields of [[], ["Sec-WebSocket-Protocol: chat"]]) {
        const client = await RawClient.connect(t, endpoint);
        client.write(upgradeRequest(endpoint.pathname, fields));
        assert.equal((await client.response()).status, 400);
      }
    });

    it("§2: chooses unichannel.v1", async (t) => {
      const { ws } = await SocketClient.open(t, await start(t));
      assert.deepEqual(ws.head.headers.get("sec-websocket-protocol"), [SESSION_PROTOCOL]);
    });

    it("§3: refuses a GET that is neither with 406, another method with 405", async (t) => {
      const endpoint = await start(t);
      assert.equal((await ask(t, endpoint, {})).status, 406);
      assert.equal((await ask(t, endpoint, { method: "DELETE" })).status, 405);
    });

    it("§4: forbids to store any answer", async (t) => {
      const endpoint = await start(t);
      const noStore = ({ headers }: Answer["response"] | StreamClient["head"]): void =>
        assert.deepEqual(headers.get("cache-control"), ["no-store"]);
      noStore((await StreamClient.open(t, endpoint)).head);
      const answer = await poll(t, endpoint);
      noStore(answer.response);
      noStore((await post(t, endpoint, opened(answer).session, 1, text("a"))).response);
    });

    const malformed = [
      "event: ping\ndata: 1\n\n",
      "event: binary\ndata: A\n\n",
      "event: ack\ndata: 99\n\n",
      "event: open\ndata: {}\n\n",
      "event: ack\ndata: 01\n\n",
      "event: ack\ndata: -1\n\n",
      "event: text\ndata: 7\n\n",
      'event: text\ndata: "\n\n',
      "event: close\ndata: {}\n\n",
      'event: close\ndata: {"code":999,"reason":""}\n\n',
      "event: from\ndata: 1\n\n",
      "event: heartbeat\ndata: 1\n\n",
    ];
    for (const event of malformed) {
      it(`§5: answers ${JSON.stringify(event)} with 400, and takes nothing of its POST`, async (t) => {
        const endpoint = await start(t);
        const { session } = opened(await poll(t, endpoint));
        const query = { session, from: 1 };
        assert.equal((await ask(t, endpoint, { method: "POST", query, body: `data: a\n\n${event}` })).status, 400);
        assert.equal(opened(await poll(t, endpoint, { session, park: 0 })).received, 0);
      });
    }

    it("§5: leaves the session and its WebSocket as they are beside a malformed POST", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint);
      const { session } = await socket.opened();
      for (const event of malformed) {
        const answer = await ask(t, endpoint, { method: "POST", query: { session, from: 1 }, body: event });
        assert.equal(answer.status, 400, event);
      }
      socket.send(text("a"));
      assert.deepEqual(await next(socket), text("a"));
    });

    for (const message of [
      "",
      "x",
      "a-1",
      "a99",
      "a",
      "a01",
      "o{}",
      "c{}",
      "f0",
      "f",
      "f-1",
      "f01",
      "f1.5",
      "h1",
      "s",
    ]) {
      it(`§6: closes a WebSocket with 1002 for ${JSON.stringify(message)}, and its session is over`, async (t) => {
        const endpoint = await start(t);
        const socket = await SocketClient.open(t, endpoint);
        const open = await socket.opened();
        socket.ws.send(message);
        assert.equal((await socket.closed()).code, 1002);
        assert.equal(opened(await poll(t, endpoint, back(open, 0))).resumed, false);
      });
    }

    it("§6: ignores what comes on a WebSocket that another carrier has replaced, malformed or not", async (t) => {
      const endpoint = await start(t);
      const one = await SocketClient.open(t, endpoint);
      const open = await one.opened();
      const two = await SocketClient.open(t, endpoint, back(open, 0));
      await two.opened();
      for (const message of ["x", "f0", "a99", "mlate"]) one.ws.send(message);
      two.send(text("a"));
      assert.deepEqual(await next(two), text("a"));
      assert.equal((await one.closed()).code, 4409);
      two.send(text("b"));
      assert.deepEqual(await next(two), text("b"));
    });

    for (const kind of ALL) {
      it(`§7: begins a ${kind} with open: a token, nothing received, the first number`, async (t) => {
        const { open } = await carrier(t, await start(t), kind);
        assert.match(open.session, /^[\x21-\x7e]{16,}$/, "a token of 128 bits or more");
        assert.equal(open.resumed, false);
        assert.equal(open.received, 0);
        assert.equal(open.first, 1);
        assert.ok(open.heartbeatMs > 0 && open.resumeMs > 0);
      });

      it(`carries text and bytes unchanged on a ${kind}, both ways, in order`, async (t) => {
        const one = await carrier(t, await start(t), kind);
        const records = [text("hello"), text(""), BYTES, text("a\r\nb\rc\nd\n"), text(" ü😀\u2028"), text("\0:")];
        await one.send(1, ...records);
        for (const record of records) assert.deepEqual(await one.next(), record);
      });
    }

    it("§8: takes a number once, whatever carries it, and acknowledges it again", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint);
      const { session } = await socket.opened();
      assert.deepEqual((await post(t, endpoint, session, 1, text("a"), text("b"))).records, [ack(2)]);
      // The WebSocket's own count begins at 1 as well: 1 and 2 are there, 3 is new.
      socket.send(text("a"), text("b"), text("c"));
      assert.deepEqual((await post(t, endpoint, session, 2, text("b"))).status, 200);
      await post(t, endpoint, session, 1, text("a"));
      for (const data of ["a", "b", "c"]) assert.deepEqual(await next(socket), text(data));
      await post(t, endpoint, session, 4, text("d"));
      assert.deepEqual(await next(socket), text("d"));
    });

    it("§9: acknowledges on a WebSocket within seconds", async (t) => {
      const socket = await SocketClient.open(t, await start(t));
      await socket.opened();
      socket.send(text("a"));
      assert.deepEqual(await socket.record(), text("a"));
      assert.deepEqual(await socket.record(), ack(1));
    });

    it("§10: answers a POST with how far it is, also where the numbers are old or there are none", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      assert.deepEqual((await post(t, endpoint, session, 1, text("a"), text("b"))).records, [ack(2)]);
      assert.deepEqual((await post(t, endpoint, session, 2, text("b"), text("c"))).records, [ack(3)]);
      assert.deepEqual((await post(t, endpoint, session, 1, text("a"))).records, [ack(3)]);
      assert.deepEqual((await post(t, endpoint, session, 4)).records, [ack(3)]);
    });

    it("§11: answers a gap with 409 and how far it is, and takes nothing", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      const answer = await post(t, endpoint, session, 2, text("b"));
      assert.equal(answer.status, 409);
      assert.deepEqual(answer.records, [ack(0)]);
      assert.deepEqual((await post(t, endpoint, session, 1, text("a"))).records, [ack(1)]);
    });

    it("§12: answers a POST without its session with 410", async (t) => {
      const endpoint = await start(t);
      assert.equal((await post(t, endpoint, "AAAAAAAAAAAAAAAAAAAAAA", 1, text("a"))).status, 410);
    });

    it("§13: takes two POSTs in the order of from, whichever is whole first", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint);
      const { session } = await stream.opened();
      const slow = await RawClient.connect(t, endpoint);
      const head = `POST ${endpoint.pathname}?session=${session}&from=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`;
      slow.write(`${head}data: a`);
      // A server that has answered has read what came before on another connection; one that has not may still do so.
      await post(t, endpoint, session, 1);
      const fast = post(t, endpoint, session, 2, text("b"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      slow.write("\n\n");
      assert.equal((await slow.response()).status, 200);
      // A server that never saw that the first had begun can only refuse the second.
      if (!isDirect && (await fast).status === 409) await post(t, endpoint, session, 2, text("b"));
      else assert.deepEqual((await fast).records, [ack(2)]);
      assert.deepEqual(await stream.record(), text("a"));
      assert.deepEqual(await stream.record(), text("b"));
    });

    for (const from of ALL) {
      for (const to of ALL) {
        it(`§14: resumes a ${from} on a ${to}, with what was not acknowledged`, async (t) => {
          const endpoint = await start(t);
          const one = await carrier(t, endpoint, from);
          await one.send(1, text("a"), text("b"), text("c"));
          assert.deepEqual(await one.next(), text("a"));
          one.drop();
          const two = await carrier(t, endpoint, to, back(one.open, 1));
          assert.equal(two.open.resumed, true);
          assert.equal(two.open.session, one.open.session);
          assert.equal(two.open.first, 2);
          assert.equal(two.open.received, 3);
          assert.deepEqual(await two.next(), text("b"));
          assert.deepEqual(await two.next(), text("c"));
          await two.send(4, text("d"));
          assert.deepEqual(await two.next(), text("d"));
        });
      }
    }

    it("§15: ends the carrier before: a WebSocket with 4409", async (t) => {
      const endpoint = await start(t);
      const one = await SocketClient.open(t, endpoint);
      const open = await one.opened();
      const two = await SocketClient.open(t, endpoint, back(open, 0));
      assert.equal((await two.opened()).resumed, true);
      assert.deepEqual(await one.closed(), { code: 4409, reason: "replaced" });
    });

    it("§15: ends the carrier before: a stream and a parked poll with their end", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint);
      const open = await stream.opened();
      const parked = poll(t, endpoint, back(open, 0));
      assert.equal(await stream.record(), undefined);
      const socket = await SocketClient.open(t, endpoint, back(open, 0));
      await socket.opened();
      const { status, records } = await parked;
      assert.deepEqual([status, records], [409, []]);
    });

    it("§16: goes on behind what was acknowledged, when after is below it", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint);
      const open = await stream.opened();
      await post(t, endpoint, open.session, 1, text("a"), text("b"));
      assert.deepEqual(await stream.record(), text("a"));
      await post(t, endpoint, open.session, 3, ack(1));
      const again = await poll(t, endpoint, back(open, 0));
      assert.equal(opened(again).first, 2);
      assert.deepEqual(again.records.slice(1), [text("b")]);
    });

    for (const kind of ALL) {
      it(`§17: opens a new session on a ${kind} for a token that is not there, or an after that was never sent`, async (t) => {
        const endpoint = await start(t);
        const unknown = { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 7 };
        const one = await carrier(t, endpoint, kind, unknown);
        assert.equal(one.open.resumed, false);
        assert.notEqual(one.open.session, unknown.session);
        assert.equal(one.open.first, 1);
        const two = await carrier(t, endpoint, kind, back(one.open, 1));
        assert.equal(two.open.resumed, false);
        assert.notEqual(two.open.session, one.open.session);
      });
    }

    it("§18: answers a poll at once if there is something, or with park=0", async (t) => {
      const endpoint = await start(t);
      const open = opened(await poll(t, endpoint));
      await post(t, endpoint, open.session, 1, text("a"));
      assert.deepEqual((await poll(t, endpoint, back(open, 0))).records.slice(1), [text("a")]);
      assert.deepEqual((await poll(t, endpoint, { ...back(open, 1), park: 0 })).records.slice(1), []);
      // The answer was lost: it comes again, until `after` says that it came.
      await post(t, endpoint, open.session, 2, text("b"));
      for (let i = 0; i < 2; i++) {
        assert.deepEqual((await poll(t, endpoint, back(open, 1))).records.slice(1), [text("b")]);
      }
    });

    it("§19: parks a poll until something is sent", async (t) => {
      const endpoint = await start(t);
      const open = opened(await poll(t, endpoint));
      const parked = poll(t, endpoint, back(open, 0));
      await post(t, endpoint, open.session, 1, text("a"));
      const answer = await parked;
      assert.equal(opened(answer).received, 1);
      assert.deepEqual(answer.records.slice(1), [text("a")]);
    });

    it("§20: acknowledges a close on a WebSocket, and closes it with 1000", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint);
      const open = await socket.opened();
      socket.send(close(1000, "bye"));
      assert.deepEqual(await next(socket, true), ack(1));
      assert.equal((await socket.closed()).code, 1000);
      assert.equal(opened(await poll(t, endpoint, back(open, 0))).resumed, false);
    });

    it("§20, §21: keeps its own close until it is acknowledged", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint);
      const open = await socket.opened();
      socket.send(text("last"), text("close"));
      assert.deepEqual(await next(socket), text("last"));
      socket.drop();
      const stream = await StreamClient.open(t, endpoint, back(open, 0));
      assert.equal((await stream.opened()).resumed, true);
      assert.deepEqual(await stream.record(), text("last"));
      assert.deepEqual(await stream.record(), close(1000));
      assert.equal(await stream.record(), undefined, "the stream ends behind it");
      const again = await poll(t, endpoint, back(open, 1));
      assert.deepEqual(again.records.slice(1), [close(1000)]);
      assert.equal((await post(t, endpoint, open.session, 3, ack(2))).status, 200);
      assert.equal((await post(t, endpoint, open.session, 3, ack(2))).status, 410);
    });

    it("§22: acknowledges a close in a POST, and ends the carrier", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint);
      const { session } = await stream.opened();
      const answer = await post(t, endpoint, session, 1, text("a"), close());
      assert.deepEqual(answer.records, [ack(2)]);
      for (let record = await stream.record(); record !== undefined; record = await stream.record()) {
        assert.deepEqual(record, text("a"));
      }
      assert.equal((await post(t, endpoint, session, 3)).status, 410);
    });

    it("§23: does not know the session at another path", async (t) => {
      const endpoint = await start(t);
      const open = opened(await poll(t, endpoint));
      const elsewhere = { ...endpoint, pathname: `${endpoint.pathname}/elsewhere` };
      const answer = await poll(t, elsewhere, { ...back(open, 0), park: 0 });
      if (answer.status === 200) assert.equal(opened(answer).resumed, false);
      assert.equal(opened(await poll(t, endpoint, { ...back(open, 0), park: 0 })).resumed, true);
    });

    it("§25: goes on where a client says that it does, when a POST has overtaken open", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint);
      const { session } = await socket.opened();
      await post(t, endpoint, session, 1, text("a"), text("b"));
      socket.send({ type: "from", number: 3 }, text("c"));
      for (const data of ["a", "b", "c"]) assert.deepEqual(await next(socket), text(data));
    });

    it("§25: closes with 1002 where that leaves a gap", async (t) => {
      const socket = await SocketClient.open(t, await start(t));
      await socket.opened();
      socket.send({ type: "from", number: 2 }, text("b"));
      assert.equal((await socket.closed()).code, 1002);
    });

    for (const kind of ALL) {
      it(`§26: refuses a request of its client's past for a ${kind} with 409, and nothing changes`, async (t) => {
        const endpoint = await start(t);
        const socket = await SocketClient.open(t, endpoint, { try: 1 });
        const open = await socket.opened();
        const newest = await SocketClient.open(t, endpoint, { ...back(open, 0), try: 7 });
        assert.equal((await newest.opened()).resumed, true);
        for (const attempt of [0, 1, 6]) {
          const query = { ...back(open, 0), try: attempt };
          assert.equal(await statusOf(t, endpoint, kind, query), 409, `try=${attempt}`);
        }
        newest.send(text("a"));
        assert.deepEqual(await next(newest), text("a"));
      });

      it(`§26: takes the same attempt again, a higher one, and one without a number, on a ${kind}`, async (t) => {
        const endpoint = await start(t);
        const { open } = await carrier(t, endpoint, kind, { try: 3 });
        for (const query of [{ try: 3 }, { try: 4 }, {}, { try: 4 }]) {
          const again = await carrier(t, endpoint, kind, { ...back(open, 0), ...query });
          assert.equal(again.open.resumed, true, JSON.stringify(query));
        }
      });
    }

    it("§26: counts only requests that have resumed the session, not a refused one or one of no session", async (t) => {
      const endpoint = await start(t);
      const open = opened(await poll(t, endpoint, { try: 1 }));
      assert.equal(await statusOf(t, endpoint, "poll", { session: open.session, after: "x", try: 9 }), 400);
      assert.equal(
        opened(await poll(t, endpoint, { session: "AAAAAAAAAAAAAAAAAAAAAA", try: 9, park: 0 })).resumed,
        false,
      );
      assert.equal(opened(await poll(t, endpoint, { ...back(open, 0), try: 2, park: 0 })).resumed, true);
    });

    it("§27: answers a POST with 429 and Retry-After while four of its session are under way", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      const head = `POST ${endpoint.pathname}?session=${session}&from=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`;
      const slow: RawClient[] = [];
      for (let i = 0; i < 4; i++) {
        const client = await RawClient.connect(t, endpoint);
        client.write(`${head}data: a`);
        slow.push(client);
        // A request that was sent behind it, on a connection of its own, is answered: it has been read.
        await poll(t, endpoint, { session, after: 0, park: 0 });
      }
      const answer = await post(t, endpoint, session, 1, ack(0));
      // Behind a proxy that holds bodies back the server has seen none of them.
      assert.equal(answer.status, isDirect ? 429 : 200);
      if (isDirect) assert.match(answer.response.headers.get("retry-after")?.[0] ?? "", /^[1-9]\d*$/);
      for (const client of slow) client.write("\n\n");
      for (const client of slow) assert.equal((await client.response("POST")).status, 200);
      assert.deepEqual((await post(t, endpoint, session, 2, text("b"))).records, [ack(2)]);
    });

    it("§28: refuses from=0 with 400, with records and without, and takes nothing", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      assert.equal((await post(t, endpoint, session, 0, text("a"))).status, 400);
      assert.equal((await post(t, endpoint, session, 0)).status, 400);
      assert.equal((await post(t, endpoint, session, 0, ack(0))).status, 400);
      assert.deepEqual((await post(t, endpoint, session, 1, text("a"))).records, [ack(1)]);
    });

    it("§29: takes acknowledgements alone beside a POST that is under way, and takes them before a gap is refused", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint);
      const open = await stream.opened();
      await post(t, endpoint, open.session, 1, text("a"), text("b"));
      assert.deepEqual(await stream.record(), text("a"));
      const slow = await RawClient.connect(t, endpoint);
      const head = `POST ${endpoint.pathname}?session=${open.session}&from=3 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`;
      slow.write(`${head}data: c`);
      assert.deepEqual((await post(t, endpoint, open.session, 3, ack(1))).records, [ack(2)]);
      assert.equal(opened(await poll(t, endpoint, { ...back(open, 0), park: 0 })).first, 2);
      slow.write("\n\n");
      assert.equal((await slow.response("POST")).status, 200);
      const refused = await post(t, endpoint, open.session, 9, ack(2), text("x"));
      assert.equal(refused.status, 409);
      assert.equal(opened(await poll(t, endpoint, { ...back(open, 0), park: 0 })).first, 3);
    });

    it("§30: answers a parked poll with open alone when the same request comes again", async (t) => {
      const endpoint = await start(t);
      const stream = await StreamClient.open(t, endpoint, { try: 1 });
      const again = { ...back(await stream.opened(), 0), try: 2 };
      const parked = poll(t, endpoint, again);
      // The poll has the session when the stream has ended.
      assert.equal(await stream.record(), undefined);
      const repeated = await poll(t, endpoint, { ...again, park: 0 });
      const answer = await parked;
      assert.deepEqual([opened(answer).resumed, answer.records.length], [true, 1]);
      assert.equal(opened(repeated).resumed, true);
    });

    for (const kind of ALL) {
      it(`§31: sends no record of groups on a ${kind} to a client that does not keep cursors`, async (t) => {
        const endpoint = await start(t);
        const group = unusedGroup();
        const lost = { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 7 };
        const one = await carrier(t, endpoint, kind, lost);
        assert.equal(one.open.since, undefined);
        await one.send(1, text(`join ${group}`), text(`publish ${group} hello`), text(`leave ${group}`), text("end"));
        assert.deepEqual(await one.next(), text("hello"));
        assert.deepEqual(await one.next(), text("end"));
      });

      it(`§32, §33: sends a client that keeps cursors on a ${kind} its place, and each message with its id`, async (t) => {
        const endpoint = await start(t);
        const group = unusedGroup();
        const one = await carrier(t, endpoint, kind, { cursors: 0 });
        assert.equal(one.open.since, undefined);
        const lines = ["text", "a\r\nb\rc\nd\n", ""];
        await one.send(1, text(`join ${group}`), ...lines.map((line) => text(`publish ${group} ${line}`)));
        await one.send(5, text(`bytes ${group} bytes`), text("direct"), text(`leave ${group}`));
        const place = asGroup(await one.next());
        assert.deepEqual([place.group, typeof place.id, place.data], [group, "string", undefined]);
        const ids = [place.id];
        for (const data of lines) {
          const record = asGroup(await one.next());
          assert.deepEqual([record.group, record.data], [group, data]);
          ids.push(record.id);
        }
        const bytes = asGroup(await one.next());
        if (kind === "websocket") assert.deepEqual(await one.next(), { type: "message", data: bytesOf("bytes") });
        else assert.deepEqual(bytes.data, bytesOf("bytes"));
        assert.equal(bytes.isHead, kind === "websocket");
        ids.push(bytes.id);
        assert.equal(new Set(ids).size, 5, "each has an id of its own");
        assert.deepEqual(await one.next(), text("direct"));
        const left = asGroup(await one.next());
        assert.deepEqual([left.group, left.id, left.data], [group, undefined, undefined]);
      });

      it(`§34, §35: asks a client on a ${kind} whose session is lost for its cursors, and continues from them`, async (t) => {
        const endpoint = await start(t);
        const group = unusedGroup();
        const other = unusedGroup();
        const one = await carrier(t, endpoint, kind, { cursors: 0 });
        await one.send(1, text(`join ${group}`), text(`publish ${group} 1`), text(`publish ${group} 2`));
        await one.send(4, text(`publish ${group} 3`));
        const records = [await one.next(), await one.next(), await one.next(), await one.next()].map(asGroup);
        const id = records[1]!.id!;
        const lost = { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 4, cursors: 1 };
        const two = await carrier(t, endpoint, kind, lost);
        assert.equal(two.open.since, true);
        // The members wait for the cursors, and what is published meanwhile with them.
        await two.send(1, { type: "since", group, id });
        await two.send(2, text(`join ${other}`), text(`publish ${other} other`), text("direct"));
        assert.deepEqual(await two.next(), text("direct"));
        await two.send(5, { type: "since" });
        const place = asGroup(await two.next());
        assert.deepEqual([place.group, place.data], [other, "other"]);
        // Later in the session, too.
        await two.send(6, text(`join ${group}`), text(`publish ${group} 4`));
        const heard = [await two.next(), await two.next(), await two.next()].map(asGroup);
        assert.deepEqual(
          heard.map(({ group: name, data }) => [name, data]),
          [
            [group, "2"],
            [group, "3"],
            [group, "4"],
          ],
        );
      });

      it(`§36: tells a client on a ${kind} that the history does not reach back to its cursor, before the rest`, async (t) => {
        const endpoint = await start(t);
        const group = unusedGroup();
        const one = await carrier(t, endpoint, kind, { cursors: 0 });
        await one.send(
          1,
          text(`join ${group}`),
          ...["1", "2", "3", "4", "5"].map((n) => text(`publish ${group} ${n}`)),
        );
        const first = asGroup(await one.next());
        for (const cursor of [first.id!, "", "no id", "1-1"]) {
          const lost = { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 4, cursors: 1 };
          const two = await carrier(t, endpoint, kind, lost);
          await two.send(1, { type: "since", group, id: cursor }, { type: "since" }, text(`join ${group}`));
          if (cursor !== "") assert.equal(asGroup(await two.next()).reset, true, `the cursor "${cursor}"`);
          const kept = [await two.next(), await two.next(), await two.next()].map(asGroup);
          assert.deepEqual(
            kept.map(({ data }) => data),
            ["3", "4", "5"],
          );
        }
        const three = await carrier(t, endpoint, kind, { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 4, cursors: 1 });
        await three.send(1, text(`join ${group}`), { type: "since", forgotten: true });
        assert.equal(asGroup(await three.next()).reset, true, "the cursor was forgotten");
      });
    }

    it("§34: waits for the cursors of a client whose carrier is cut, and takes them once", async (t) => {
      const endpoint = await start(t);
      const group = unusedGroup();
      const one = await SocketClient.open(t, endpoint, { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 1, cursors: 1 });
      const open = await one.opened();
      one.send(text(`join ${group}`), text(`publish ${group} hello`), text("direct"));
      assert.deepEqual(await next(one), text("direct"));
      one.drop();
      const two = await SocketClient.open(t, endpoint, { ...back(open, 1), cursors: 1 });
      const again = await two.opened();
      assert.deepEqual([again.resumed, again.received, again.since], [true, 3, true]);
      two.send({ type: "since" });
      assert.equal(asGroup(await next(two)).data, "hello");
    });

    for (const since of ["s", 's{"group":1,"id":"1"}', 's{"group":"g"}', `s{"group":"${"g".repeat(8192)}","id":"1"}`]) {
      it(`§37: takes ${JSON.stringify(since.slice(0, 30))} for malformed`, async (t) => {
        const endpoint = await start(t);
        const lost = { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 1, cursors: 1 };
        const socket = await SocketClient.open(t, endpoint, lost);
        await socket.opened();
        socket.ws.send(since);
        assert.equal((await socket.closed()).code, 1002);
        const { session } = opened(await poll(t, endpoint, lost));
        const body = `event: since\ndata: ${since.slice(1)}\n\n`;
        assert.equal((await ask(t, endpoint, { method: "POST", query: { session, from: 1 }, body })).status, 400);
      });
    }

    it("§37: takes a group record from a client for malformed", async (t) => {
      const endpoint = await start(t);
      const socket = await SocketClient.open(t, endpoint, { cursors: 0 });
      await socket.opened();
      socket.ws.send('g{"group":"g","id":"1"}');
      assert.equal((await socket.closed()).code, 1002);
      const { session } = opened(await poll(t, endpoint));
      const body = 'event: group\ndata: {"group":"g","id":"1"}\n\n';
      assert.equal((await ask(t, endpoint, { method: "POST", query: { session, from: 1 }, body })).status, 400);
    });

    for (const kind of ALL) {
      it(`§38: announces requests on a ${kind} to a client that has announced them, and to no other`, async (t) => {
        const endpoint = await start(t);
        assert.equal((await carrier(t, endpoint, kind)).open.requests, undefined);
        const { requests = 0 } = (await carrier(t, endpoint, kind, { requests: 10 })).open;
        assert.ok(requests >= 1);
      });

      it(`§39: answers each request of a client on a ${kind} once, in order with the messages`, async (t) => {
        const endpoint = await start(t);
        const one = await carrier(t, endpoint, kind, { requests: 10 });
        const contents = ["1\nhello", "2\n", "5 bytes\nAP8=", "6 escaped\na\\rb\\\\\nc", "7\na\nb\n"];
        for (const [i, content] of contents.entries()) {
          await one.send(2 * i + 1, request(`ask ${content}`), text(`message ${i}`));
          const records = [await one.next(), await one.next()];
          assert.deepEqual(
            records.sort((a, b) => (a!.type < b!.type ? -1 : 1)),
            [text(`message ${i}`), request(`reply ${content}`)],
          );
        }
      });
    }

    it("§38, §40: takes requests for malformed that are not announced, whose number does not grow, or that have another form", async (t) => {
      const endpoint = await start(t);
      const good = "ask 1\nx";
      const bad = [
        "ask 1",
        "ask 0\nx",
        "ask 01\nx",
        "tell 1\nx",
        "ask 1 json\nx",
        "ask 1 bytes\n!",
        "ask 1 escaped\n\\x",
      ];
      const wrong = [
        { query: {}, contents: [good] },
        { query: { requests: 1 }, contents: [good, good] },
        ...[...bad, "ask 1  bytes\nAA==", "cancel 1\n", "cancel", ""].map((content) => ({
          query: { requests: 1 },
          contents: [content],
        })),
      ];
      for (const { query, contents } of wrong) {
        const socket = await SocketClient.open(t, endpoint, query);
        await socket.opened();
        for (const [i, content] of contents.entries()) {
          socket.ws.send(`r${content}`);
          if (i + 1 < contents.length) assert.equal((await next(socket))?.type, "request");
        }
        assert.equal((await socket.closed()).code, 1002, contents.join());
      }
      const { session } = opened(await poll(t, endpoint, { requests: 1 }));
      const asks = [request("ask 1\nx"), request("ask 1\ny")];
      for (const bad of [asks, [request("error 1\nno JSON")]]) {
        assert.equal((await post(t, endpoint, session, 1, text("a"), ...bad)).status, 400);
        // None of the records was accepted (§5).
        assert.equal((await post(t, endpoint, session, 2, text("b"))).status, 409);
      }
      const body = "event: request\ndata: ask 1 json\ndata: x\n\n";
      assert.equal((await ask(t, endpoint, { method: "POST", query: { session, from: 1 }, body })).status, 400);
    });

    it("§41: answers a request once that is sent again on another carrier", async (t) => {
      const endpoint = await start(t);
      const one = await carrier(t, endpoint, "websocket", { requests: 10 });
      await one.send(1, request("ask 1\nfirst"));
      assert.deepEqual(await one.next(), request("reply 1\nfirst"));
      const two = await carrier(t, endpoint, "sse", { ...back(one.open, 1), requests: 10 });
      await two.send(1, request("ask 1\nfirst"), request("ask 2\nsecond"));
      assert.deepEqual(await two.next(), request("reply 2\nsecond"));
    });

    it("§24: refuses pages of other origins with 403", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      const fields = ["Origin: http://evil.example"];
      assert.equal((await ask(t, endpoint, { query: { mode: "poll" }, fields })).status, 403);
      assert.equal((await ask(t, endpoint, { query: { mode: "poll", session }, fields })).status, 403);
      const query = { session, from: 1 };
      assert.equal((await ask(t, endpoint, { method: "POST", query, fields, body: "data: a\n\n" })).status, 403);
      const client = await RawClient.connect(t, endpoint);
      client.write(upgradeRequest(endpoint.pathname, [...fields, `Sec-WebSocket-Protocol: ${SESSION_PROTOCOL}`]));
      assert.equal((await client.response()).status, 403);
      assert.equal(opened(await poll(t, endpoint, { session, park: 0 })).received, 0);
    });

    for (const kind of ALL) {
      it(`§55: says in each open on a ${kind} how long the identity of the client lasts, by the request that it answers`, async (t) => {
        const endpoint = await start(t);
        const first = await carrier(t, endpoint, kind, { lives: 600_000 });
        const { session, expiresInMs } = first.open;
        assert.ok(expiresInMs! > 300_000 && expiresInMs! <= 600_000, `${expiresInMs}`);
        for (const lives of [3_600_000, 900_000]) {
          const again = await carrier(t, endpoint, kind, { session, after: 0, lives });
          assert.equal(again.open.resumed, true);
          assert.ok(again.open.expiresInMs! > lives - 300_000 && again.open.expiresInMs! <= lives);
        }
      });

      it(`§55: says nothing of it on a ${kind} to a client whose identity does not end`, async (t) => {
        const { open } = await carrier(t, await start(t), kind);
        assert.equal(open.expiresInMs, undefined);
      });

      it(`§56: ends a session on a ${kind} whose identity has ended with 4401, behind the earlier records`, async (t) => {
        const endpoint = await start(t);
        const client = await carrier(t, endpoint, kind, { lives: 2000 });
        await client.send(1, text("a"));
        assert.deepEqual(await client.next(), text("a"));
        const record = await client.next();
        assert.ok(record?.type === "close" && record.code === 4401, JSON.stringify(record));
      });

      it(`§57: goes on with a session on a ${kind} whose client shows another identity in time`, async (t) => {
        const endpoint = await start(t);
        const first = await carrier(t, endpoint, kind, { lives: 2000 });
        const { session } = first.open;
        const client = await carrier(t, endpoint, kind, { session, after: 0, lives: 600_000 });
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await client.send(1, text("a"));
        assert.deepEqual(await client.next(), text("a"));
      });

      it(`§58: refuses a ${kind} of a client whose identity has ended with 401, and leaves the session as it is`, async (t) => {
        const endpoint = await start(t);
        const { session } = opened(await poll(t, endpoint));
        assert.equal(await statusOf(t, endpoint, kind, { lives: 0 }), 401);
        assert.equal(await statusOf(t, endpoint, kind, { session, after: 0, lives: 0 }), 401);
        assert.equal(opened(await poll(t, endpoint, { session, park: 0 })).resumed, true);
      });
    }

    it("§58: refuses a POST of a client whose identity has ended with 401, and takes none of its records", async (t) => {
      const endpoint = await start(t);
      const { session } = opened(await poll(t, endpoint));
      const query = { session, from: 1, lives: 0 };
      assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: a\n\n" })).status, 401);
      assert.equal(opened(await poll(t, endpoint, { session, park: 0 })).received, 0);
    });
  });
}

let groups = 0;

/** A name that no other test uses, of this run or of an earlier one. */
function unusedGroup(): string {
  return `group-${Date.now()}-${(groups += 1)}`;
}

function asGroup(record: SessionRecord | undefined): GroupRecord {
  assert.equal(record?.type, "group", JSON.stringify(record));
  return record as GroupRecord;
}

function bytesOf(data: string): Uint8Array {
  return new TextEncoder().encode(data);
}

function ack(received: number): SessionRecord {
  return { type: "ack", received };
}

/** The next record that is an ack, or the next one that is none. */
async function next(socket: SocketClient, isAck = false): Promise<SessionRecord> {
  for (;;) {
    const record = await socket.record();
    if ((record.type === "ack") === isAck) return record;
  }
}

/** The status of the answer to whoever asks for a carrier of this kind. */
async function statusOf(
  t: TestContext,
  endpoint: Endpoint,
  kind: (typeof ALL)[number],
  query: { readonly [name: string]: string | number },
): Promise<number> {
  if (kind === "poll") return (await poll(t, endpoint, { ...query, park: 0 })).status;
  if (kind === "sse") return (await ask(t, endpoint, { query, fields: ["Accept: text/event-stream"] })).status;
  const client = await RawClient.connect(t, endpoint);
  const text = Object.entries(query).map(([name, value]) => `${name}=${value}`);
  const target = `${endpoint.pathname}?${text.join("&")}`;
  client.write(upgradeRequest(target, [`Sec-WebSocket-Protocol: ${SESSION_PROTOCOL}`]));
  return (await client.response()).status;
}

async function carrier(
  t: TestContext,
  endpoint: Endpoint,
  kind: (typeof ALL)[number],
  query: { readonly [name: string]: string | number } = {},
): Promise<AnyCarrier> {
  if (kind === "websocket") {
    const socket = await SocketClient.open(t, endpoint, query);
    const open = await socket.opened();
    return {
      open,
      next: () => next(socket),
      send: async (_, ...records) => socket.send(...records),
      drop: () => socket.drop(),
    };
  }
  if (kind === "sse") {
    const stream = await StreamClient.open(t, endpoint, query);
    const open = await stream.opened();
    return {
      open,
      next: () => stream.record(),
      send: (from, ...records) => posted(t, endpoint, open.session, from, records),
      drop: () => stream.drop(),
    };
  }
  const first = await poll(t, endpoint, { ...query, park: 0 });
  const open = opened(first);
  const waiting = [...first.records.slice(1)];
  let has = open.first - 1 + waiting.length;
  return {
    open,
    async next() {
      while (waiting.length === 0) {
        const { records } = await poll(t, endpoint, back(open, has));
        waiting.push(...records.slice(1));
        has += records.length - 1;
      }
      return waiting.shift();
    },
    send: (from, ...records) => posted(t, endpoint, open.session, from, records),
    drop: () => {},
  };
}

async function posted(
  t: TestContext,
  endpoint: Endpoint,
  session: string,
  from: number,
  records: readonly SessionRecord[],
): Promise<void> {
  assert.equal((await post(t, endpoint, session, from, ...records)).status, 200);
}
