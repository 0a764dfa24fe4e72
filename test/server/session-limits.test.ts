// The limits of sessions, and the requests that they refuse.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionHandlers } from "../../src/index.ts";
import type { EngineServer } from "../../src/server/engine-server.ts";
import { ack, ask, back, opened, poll, post, SocketClient, text } from "../support/session-client.ts";
import { sessionOfPoll, sessionOfSocket, sessionOfStream, sessionSite } from "../support/session-site.ts";
import { until } from "../support/wait.ts";

const KIB = "x".repeat(1024);

describe("a session whose client does not keep up", () => {
  it("is closed with overflow while its client is away, and the client learns it: resumed is false", async (t) => {
    const { site, open } = await sessionOfPoll(t, {}, { maxBufferedBytes: 4096 });
    for (let i = 0; i < 4; i++) assert.equal(site.channel.send(KIB), true);
    assert.equal(site.channel.send(KIB), false);
    assert.equal(site.channel.isOpen, false);
    await site.called("close server 4408 application");
    assert.deepEqual(site.site.takeMessages(), ["send: unsent data exceeds maxBufferedBytes"]);
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });

  it("counts messages that were written and not acknowledged, also empty ones", async (t) => {
    const { site, socket } = await sessionOfSocket(t, {}, { maxBufferedBytes: 4096 });
    for (let i = 0; i < 64; i++) assert.equal(site.channel.send(""), true);
    for (let i = 0; i < 64; i++) assert.deepEqual(await socket.record(), text(""));
    assert.equal(site.channel.send(""), false);
    assert.deepEqual(await socket.closed(), { code: 4408, reason: "overflow" });
    site.site.takeReports();
  });

  it("is cut off on an event stream", async (t) => {
    const { site, stream, open } = await sessionOfStream(t, {}, { maxBufferedBytes: 1024 });
    site.channel.send(KIB);
    site.channel.send(KIB);
    await until(() => stream.raw.isEnded, "it is dropped");
    site.site.takeReports();
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });

  it("drops messages with onOverflow: drop, and goes on", async (t) => {
    const { site, session } = await sessionOfPoll(t, {}, { maxBufferedBytes: 1024, onOverflow: "drop" });
    assert.equal(site.channel.send(KIB), true);
    assert.equal(site.channel.send("lost"), false);
    await post(t, site.endpoint, session, 1, ack(1));
    assert.equal(site.channel.send("more"), true);
  });
});

describe("sessions whose clients read and never acknowledge", () => {
  const MIB = 1024 * 1024;

  it("are bounded by maxTotalBufferedBytes together, and others are served", async (t) => {
    const limit = 8 * MIB;
    const echo: SessionHandlers = { message: (message, channel) => void channel.send(message) };
    const site = await sessionSite(t, echo, {}, { maxTotalBufferedBytes: limit });
    const { buffered } = (site.site.server as EngineServer).exchanges;
    const good = await SocketClient.open(t, site.endpoint);
    await good.opened();
    const ended = (): number => site.calls.filter((call) => call.startsWith("close server 4408")).length;
    // 4 MB each, in one message: none is sent anything again, and without a limit they are 48 MB.
    for (let i = 0; i < 12; i++) {
      const socket = await SocketClient.open(t, site.endpoint);
      await socket.opened();
      socket.send({ type: "message", data: new Uint8Array(4_000_000) });
      const { length } = site.calls;
      await until(() => site.calls.length > length || buffered.bytes > 0, "it was received");
      good.send(text(`${i}`), ack(i));
      await until(() => site.calls.includes(`receive ${i}`), "the good one is served");
      // One message beyond it, and what its connection has not taken of it.
      assert.ok(buffered.bytes <= limit + 2 * 4_100_000, `${buffered.bytes}`);
    }
    // The last of them may be on their way still.
    await until(() => ended() >= 8, "eight were ended");
    assert.ok(buffered.bytes <= limit + 2 * 4_100_000, `${buffered.bytes}`);
    assert.equal(site.channels[0]!.isOpen, true);
    site.site.takeReports();
  });

  it("free everything that they kept as soon as they are ended", async (t) => {
    const site = await sessionSite(t, {}, { maxBufferedBytes: MIB });
    const { buffered } = (site.site.server as EngineServer).exchanges;
    const socket = await SocketClient.open(t, site.endpoint);
    await socket.opened();
    for (let i = 0; i < 2; i++) assert.equal(site.channel.send("x".repeat(MIB / 2)), true);
    assert.equal(site.channel.bufferedAmount, MIB);
    assert.equal(site.channel.send("x"), false);
    // Its connection is still there, waits for the closing handshake, and keeps the channel.
    assert.equal(site.channel.bufferedAmount, 0);
    await until(() => buffered.bytes < MIB, "the sum knows it");
    site.site.takeReports();
  });
});

describe("a session's messages", () => {
  it("may be maxMessageBytes long in a POST; one byte more is 413, and nothing is taken", async (t) => {
    const { site, session } = await sessionOfPoll(t, {}, { maxMessageBytes: 1024 });
    assert.equal((await post(t, site.endpoint, session, 1, text(KIB))).status, 200);
    assert.equal((await post(t, site.endpoint, session, 2, text("a"), text(`${KIB}y`))).status, 413);
    const bytes = { type: "message", data: new Uint8Array(1025) } as const;
    assert.equal((await post(t, site.endpoint, session, 2, bytes)).status, 413);
    // "ü" is two bytes.
    assert.equal((await post(t, site.endpoint, session, 2, text("ü".repeat(513)))).status, 413);
    assert.equal((await post(t, site.endpoint, session, 2, text("ü".repeat(512)))).status, 200);
    assert.deepEqual(
      site.calls.map((call) => call.length),
      [4, 8 + 1024, 8 + 512],
    );
  });

  it("may have any characters in a POST, although the body is then longer than maxBodyBytes", async (t) => {
    const { site, session } = await sessionOfPoll(t, {}, { maxMessageBytes: 200_000 }, { maxBodyBytes: 1000 });
    const messages = ["\n".repeat(200_000), `${"\u0001".repeat(199_999)}\r`, "x".repeat(200_000)];
    for (const [i, data] of messages.entries()) {
      assert.equal((await post(t, site.endpoint, session, i + 1, text(data))).status, 200);
    }
    const bytes = { type: "message", data: new Uint8Array(200_000) } as const;
    assert.equal((await post(t, site.endpoint, session, 4, bytes)).status, 200);
    assert.deepEqual(
      site.calls.slice(1, 4).map((call) => call.slice("receive ".length)),
      messages,
    );
  });

  it("may be longer than maxBodyBytes in a POST whose target is a whole URL, as a proxy may send it", async (t) => {
    const { site, session } = await sessionOfPoll(t, {}, { maxMessageBytes: 200_000 }, { maxBodyBytes: 1000 });
    const { pathname } = site.endpoint;
    const endpoint = { ...site.endpoint, pathname: `http://localhost${pathname}` };
    assert.equal((await post(t, endpoint, session, 1, text("x".repeat(200_000)))).status, 200);
  });

  it("may share a POST with 64 KiB of others: seven times maxMessageBytes are accepted for one, and a longer body is 413", async (t) => {
    const { site, session } = await sessionOfPoll(t, {}, { maxMessageBytes: 1000 }, { maxBodyBytes: 1000 });
    const most = 7 * 1000 + 65_536;
    // Comments, a line of ten bytes each: nothing but the length of the body counts.
    const body = (length: number) => "x".repeat(length % 10) + `: ${"x".repeat(7)}\n`.repeat(length / 10);
    const query = { session, from: 1 };
    assert.equal((await ask(t, site.endpoint, { method: "POST", query, body: body(most) })).status, 200);
    assert.equal((await ask(t, site.endpoint, { method: "POST", query, body: body(most + 1) })).status, 413);
    // Without the token of a session a body has maxBodyBytes.
    const other = { method: "POST", query: { session: "AAAAAAAAAAAAAAAAAAAAAA", from: 1 } };
    assert.equal((await ask(t, site.endpoint, { ...other, body: body(1200) })).status, 413);
  });

  it("may be maxMessageBytes long on a WebSocket, not counting the letter of a text; one byte more is 1009", async (t) => {
    const site = await sessionSite(t, {}, { maxMessageBytes: 1024 });
    const bytes = (length: number) => ({ type: "message", data: new Uint8Array(length) }) as const;
    for (const [fits, exceeds] of [
      [text(KIB), text(`${KIB}y`)],
      [bytes(1024), bytes(1025)],
    ] as const) {
      const socket = await SocketClient.open(t, site.endpoint);
      await socket.opened();
      socket.send(fits);
      await until(() => site.calls.some((call) => call.startsWith("receive")), "it came");
      site.calls.length = 0;
      socket.send(exceeds);
      assert.equal((await socket.closed()).code, 1009);
      assert.ok(!site.calls.some((call) => call.startsWith("receive")));
    }
  });
});

describe("the number of sessions", () => {
  it("is bounded by maxSessions: 503 on every carrier, until one is over", async (t) => {
    const { site, open } = await sessionOfPoll(t, {}, {}, { maxSessions: 2 });
    opened(await poll(t, site.endpoint));
    const refused = await poll(t, site.endpoint);
    assert.equal(refused.status, 503);
    assert.deepEqual(refused.response.headers.get("retry-after"), ["1"]);
    await assert.rejects(SocketClient.open(t, site.endpoint), /503 !== 101/);
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
    site.channels[0]!.terminate();
    assert.equal(opened(await poll(t, site.endpoint)).resumed, false);
  });
});

describe("a session's identity", () => {
  it("must be that of the request: for any other its token is unknown, and its own client can still use it", async (t) => {
    const site = await sessionSite(t, {}, (request) => {
      const user = request.headers.get("user");
      return user === null ? {} : { identity: user };
    });
    const mine = { query: { mode: "poll", park: 0 }, fields: ["User: me"] };
    const open = opened(await ask(t, site.endpoint, mine));
    const query = { ...mine.query, ...back(open, 0) };
    for (const fields of [["User: you"], [], ["User:"]]) {
      assert.equal(opened(await ask(t, site.endpoint, { query, fields })).resumed, false);
      const posted = { method: "POST", query: { session: open.session, from: 1 }, fields, body: "data: a\n\n" };
      assert.equal((await ask(t, site.endpoint, posted)).status, 410);
    }
    const again = opened(await ask(t, site.endpoint, { query, fields: mine.fields }));
    assert.equal(again.resumed, true);
    assert.equal(again.received, 0);
  });
});

describe("pages of other origins", () => {
  const allowedOrigins = ["https://app.example"];
  const fields = ["Origin: https://app.example"];

  it("may read their answers if they are allowed", async (t) => {
    const site = await sessionSite(t, {}, {}, { allowedOrigins });
    const answer = await ask(t, site.endpoint, { query: { mode: "poll" }, fields });
    assert.deepEqual(answer.response.headers.get("access-control-allow-origin"), ["https://app.example"]);
    assert.deepEqual(answer.response.headers.get("access-control-allow-credentials"), ["true"]);
    assert.deepEqual(answer.response.headers.get("vary"), ["Origin"]);
    const query = { session: opened(answer).session, from: 1 };
    const posted = await ask(t, site.endpoint, { method: "POST", query, fields, body: "data: a\n\n" });
    assert.deepEqual(posted.response.headers.get("access-control-allow-origin"), ["https://app.example"]);
    const gone = await ask(t, site.endpoint, { method: "POST", query: { session: "x", from: 1 }, fields, body: "" });
    assert.equal(gone.status, 410);
    assert.deepEqual(gone.response.headers.get("access-control-allow-origin"), ["https://app.example"]);
  });

  it("get their preflight answered (WHATWG Fetch §3.2.2)", async (t) => {
    const site = await sessionSite(t, {}, {}, { allowedOrigins });
    const asked = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-token"];
    const answer = await ask(t, site.endpoint, { method: "OPTIONS", fields: [...fields, ...asked] });
    assert.equal(answer.status, 204);
    assert.deepEqual(answer.response.headers.get("access-control-allow-methods"), ["GET, POST"]);
    assert.deepEqual(answer.response.headers.get("access-control-allow-headers"), ["x-token"]);
    const evil = await ask(t, site.endpoint, { method: "OPTIONS", fields: ["Origin: https://evil.example", ...asked] });
    assert.equal(evil.status, 403);
    assert.equal(evil.response.headers.get("access-control-allow-origin"), undefined);
  });

  it("cannot even make a session with an image (W3C Fetch Metadata §2.3)", async (t) => {
    const site = await sessionSite(t, {}, {}, { allowedOrigins: "any" });
    const from = async (where: string): Promise<number> =>
      (await ask(t, site.endpoint, { query: { mode: "poll" }, fields: [`Sec-Fetch-Site: ${where}`] })).status;
    assert.equal(await from("cross-site"), 403);
    assert.equal(await from("same-site"), 403);
    assert.equal(await from("same-origin"), 200);
    assert.equal(await from("none"), 200);
    assert.equal(site.channels.length, 2);
  });

  it("send no credentials if all origins are allowed", async (t) => {
    const site = await sessionSite(t, {}, {}, { allowedOrigins: "any" });
    const answer = await ask(t, site.endpoint, { query: { mode: "poll" }, fields: ["Origin: https://x.example"] });
    assert.deepEqual(answer.response.headers.get("access-control-allow-origin"), ["https://x.example"]);
    assert.equal(answer.response.headers.get("access-control-allow-credentials"), undefined);
  });
});

describe("a session's own headers", () => {
  it("are on every answer", async (t) => {
    const site = await sessionSite(t, {}, { headers: { "X-Own": "1" } });
    const answer = await poll(t, site.endpoint);
    assert.deepEqual(answer.response.headers.get("x-own"), ["1"]);
    const posted = await post(t, site.endpoint, opened(answer).session, 1, text("a"));
    assert.deepEqual(posted.response.headers.get("x-own"), ["1"]);
    const socket = await SocketClient.open(t, site.endpoint);
    assert.deepEqual(socket.ws.head.headers.get("x-own"), ["1"]);
  });
});

describe("all sessions together", () => {
  it("keep at most maxTotalBufferedBytes for clients that are away: those that hold most are ended", async (t) => {
    const site = await sessionSite(t, {}, {}, { maxTotalBufferedBytes: 8 * 1024 });
    const opens = [opened(await poll(t, site.endpoint)), opened(await poll(t, site.endpoint))];
    const [big, small] = site.channels;
    small!.send("x");
    for (let i = 0; i < 8; i++) assert.equal(big!.send(KIB), true);
    assert.equal(small!.send("y"), true);
    assert.equal(big!.send(KIB), false);
    await site.called("close server 4408 application");
    assert.equal(site.site.takeReports().length, 1);
    // The memory that it held is free again.
    for (let i = 0; i < 6; i++) assert.equal(small!.send(KIB), true);
    const { records } = await poll(t, site.endpoint, back(opens[1]!, 0));
    assert.equal(records.length, 1 + 8);
    assert.equal(small!.send(KIB), true);
  });
});

describe("an upgrade check", () => {
  it("gives a session's WebSocket its attachment", async (t) => {
    const { site, socket } = await sessionOfSocket(
      t,
      {},
      {},
      { upgrade: () => ({ attachment: "me", headers: { "X-Upgrade": "1" } }) },
    );
    assert.equal(site.channel.attachment, "me");
    assert.deepEqual(socket.ws.head.headers.get("x-upgrade"), ["1"]);
  });
});

describe("the sessions of one address", () => {
  it("are limited by maxSessionsPerAddress, 1,000: one more is 503, reported once, and another address is not affected", async (t) => {
    const site = await sessionSite(t, {}, {}, { trustedProxies: ["127.0.0.1"] });
    const from = (address: string) =>
      ask(t, site.endpoint, { query: { mode: "poll" }, fields: [`X-Forwarded-For: ${address}`] });
    // Many at once: on a slow machine the first sessions would be given up, unconfirmed, before the last is there.
    for (let i = 0; i < 1000; i += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => from("192.0.2.1")));
      assert.ok(answers.every(({ status }) => status === 200));
    }
    const refused = await from("192.0.2.1");
    assert.equal(refused.status, 503);
    assert.deepEqual(refused.response.headers.get("retry-after"), ["1"]);
    assert.equal((await from("192.0.2.1")).status, 503);
    assert.equal(site.site.takeReports().length, 1);
    assert.equal((await from("192.0.2.2")).status, 200);
    site.channels[0]!.terminate();
    assert.equal((await from("192.0.2.1")).status, 200);
  });
});

describe("the memory that a session keeps", () => {
  it("counts in maxTotalBufferedBytes also with a carrier, two bytes for each character above U+00FF", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    site.channel.send("x".repeat(1000));
    site.channel.send("Ж".repeat(1000));
    for (let i = 0; i < 2; i++) await socket.record();
    assert.equal(site.channel.bufferedAmount, 3000);
    assert.equal(site.site.server.stats().bufferedBytes, 3000);
    const { buffered } = (site.site.server as EngineServer).exchanges;
    assert.equal(buffered.bytes, 3000);
    socket.send(ack(2));
    await until(() => site.channel.bufferedAmount === 0, "it is acknowledged");
    assert.equal(buffered.bytes, 0);
  });
});
