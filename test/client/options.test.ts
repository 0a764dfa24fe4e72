// Options that `connect` refuses before it makes any request.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/client/connect.ts";
import type { ConnectOptions } from "../../src/client/connection.ts";
import { ResumableWebSocket } from "../../src/client/resumable-web-socket.ts";
import { Network, settle } from "./network.ts";

describe("connect refuses with BAD_OPTION", () => {
  const refused: readonly [unknown, RegExp][] = [
    [null, /must be an object/],
    ["poll", /must be an object/],
    [{ carrier: ["poll"] }, /did you mean "carriers"/],
    [{ maxBufferedByte: 1 }, /did you mean "maxBufferedBytes"/],
    [{ carriers: ["websockets"] }, /did you mean "websocket"/],
    [{ carriers: ["poll", "toString"] }, /no carrier "toString"/],
    [{ carriers: "poll" }, /carriers/],
    [{ carriers: [] }, /carriers/],
    [{ backoff: { firstMS: 1 } }, /did you mean "firstMs"/],
    [{ backoff: 5 }, /backoff/],
    [{ protocols: "chat" }, /protocols/],
    [{ protocols: ["a b"] }, /protocols/],
    [{ credentials: "yes" }, /credentials/],
    [{ fetch: {} }, /fetch/],
    [{ fetch: null }, /fetch/],
    [{ debug: "all" }, /debug/],
    [{ WebSocket: 1 }, /WebSocket/],
    [{ headers: { "a b": "c" } }, /headers/],
    [{ headers: { a: "b\n" + "c: d" } }, /headers/],
    [{ params: { session: "mine" } }, /"session"/],
    [{ carriers: ["poll", "poll"] }, /carriers/],
    [{ protocols: ["a", "a"] }, /protocols/],
    [{ protocols: ["unichannel.v1"] }, /protocols/],
    [{ signal: new AbortController() }, /signal/],
    [{ signal: true }, /signal/],
    [{ signal: null }, /signal/],
    [{ environment: {} }, /environment/],
    [{ environment: { random: Math.random, watch: () => () => {} } }, /environment/],
    [{ codec: {} }, /codec/],
    [{ codec: { encode: String } }, /codec/],
    [{ codec: JSON }, /codec/],
    [{ WebSocket: {} }, /WebSocket/],
    ...["a=1", 5, null, true].flatMap((value): [unknown, RegExp][] => [
      [{ params: value }, /params/],
      [{ headers: value }, /headers/],
    ]),
    ...[undefined, null, {}].flatMap((value): [unknown, RegExp][] => [
      [{ params: { a: value } }, /params/],
      [{ headers: { a: value } }, /headers/],
    ]),
    // Their names are no properties: nothing of them would be sent.
    [{ headers: new Headers({ a: "b" }) }, /headers/],
    [{ headers: [["a", "b"]] }, /headers/],
    [{ headers: new Map([["a", "b"]]) }, /headers/],
    [{ params: new URLSearchParams({ a: "1" }) }, /params/],
    [{ params: [["a", "b"]] }, /params/],
    ...[0, -1, Number.NaN, "1000"].map((value): [unknown, RegExp] => [{ maxBufferedBytes: value }, /maxBufferedBytes/]),
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "500"].flatMap((value): [unknown, RegExp][] => [
      [{ backoff: { firstMs: value } }, /firstMs/],
      [{ backoff: { capMs: value } }, /capMs/],
    ]),
  ];
  for (const [options, message] of refused) {
    it(
      JSON.stringify(options, (_, value) => (typeof value === "number" ? `${value}` : value)),
      () => {
        assert.throws(() => connect("http://a.example", options as ConnectOptions), { code: "BAD_OPTION", message });
      },
    );
  }

  it("connect refuses each kind of fault before any request or listener", async () => {
    for (const options of [
      { signal: new AbortController() },
      { codec: {} },
      { params: "a=1" },
      { protocols: ["a", "a"] },
    ]) {
      const network = new Network();
      assert.throws(() => network.connect(options as ConnectOptions), { code: "BAD_OPTION" });
      await settle();
      assert.deepEqual([network.requests.length, network.sockets.length, network.isWatched], [0, 0, false]);
    }
  });

  it("and its text names the option, its value, and what is allowed", () => {
    const texts: readonly [unknown, string][] = [
      ["poll", 'the options of connect must be an object, not "poll"'],
      [{ maxBufferedBytes: -1 }, "maxBufferedBytes is -1; it must be a number from 1"],
      [{ carriers: "poll" }, 'carriers is "poll"; it must be a list of different names'],
      [{ carriers: ["stream"] }, 'there is no carrier "stream"; known are websocket, sse, poll'],
      [{ backoff: { capMs: 0 } }, "backoff.capMs is 0; it must be a number from 1 to 2^31 - 1"],
      [{ backoff: { firstMS: 1 } }, 'backoff has no option "firstMS"; did you mean "firstMs"?'],
      [{ fetch: null }, "fetch is null; it must be a function"],
      [{ codec: {} }, "codec is an object; it must be a MessageCodec"],
      [{ params: "a=1" }, 'params is "a=1"; it must be an object or a function'],
      [{ headers: new Headers() }, "headers is an object; it must be a plain object of texts"],
      [{ headers: null }, "headers is null; it must be an object or a function"],
      [{ headers: { a: undefined } }, "headers.a is undefined; it must be a text"],
      [{ params: { session: "mine" } }, '"session" in the query is the session\'s own; use another name'],
    ];
    for (const [options, text] of texts) {
      const message = new RegExp(`: ${text.replace(/[.?^]/g, "\\$&")}$`);
      assert.throws(
        () => connect("http://a.example", options as ConnectOptions),
        { code: "BAD_OPTION", message },
        text,
      );
    }
    const network = new Network();
    const connection = network.connect({ carriers: ["poll"] });
    assert.throws(() => connection.close(999), { message: /the code is 999; it must be 1000 or 3000 to 4999$/ });
    assert.throws(() => connection.onMessage("log" as never), {
      message: /a listener is "log"; it must be a function$/,
    });
    assert.throws(() => connection.send({} as never), {
      message: /an object; send text, an ArrayBuffer or a view of one$/,
    });
    connection.close();
  });

  it("the same options where a class inherits them", () => {
    const options = Object.create({ maxBufferedBytes: "1000" }) as ConnectOptions;
    assert.throws(() => connect("http://a.example", options), { code: "BAD_OPTION", message: /maxBufferedBytes/ });
  });

  it("a URL that no request can have, or whose query has a name of the session's own", () => {
    for (const url of ["ftp://a.example", "http://u:p@a.example", "ws://u@a.example", "mailto:a@b.example"]) {
      assert.throws(() => connect(url), { code: "BAD_OPTION" }, url);
      assert.throws(() => new ResumableWebSocket(url), { code: "BAD_OPTION" }, url);
    }
    for (const name of ["session", "after", "mode", "park", "from", "try"]) {
      assert.throws(() => connect(`http://a.example/?x=1&${name}=2`), { code: "BAD_OPTION" }, name);
    }
  });

  it("connect refuses results of `params` and `headers` that it would leave out", async () => {
    for (const given of [
      { params: () => "a=1" },
      { headers: () => new Headers({ a: "b" }) },
      { params: async () => null },
    ]) {
      const network = new Network();
      const connection = network.connect({ carriers: ["sse"], ...given } as unknown as ConnectOptions);
      const errors: unknown[] = [];
      connection.onError((error) => errors.push((error as { code: string }).code));
      await settle();
      assert.deepEqual(errors, ["BAD_OPTION"]);
      assert.equal(network.requests.length, 0);
      connection.close();
    }
  });

  it("connect refuses a reserved name that a `params` function returns", async () => {
    const network = new Network();
    const connection = network.connect({ carriers: ["sse"], params: () => ({ after: "7" }) });
    const errors: unknown[] = [];
    connection.onError((error) => errors.push((error as { code: string }).code));
    await settle();
    assert.deepEqual(errors, ["BAD_OPTION"]);
    assert.equal(network.requests.length, 0);
  });
});

describe("connect takes", () => {
  it("every option at its edges", async () => {
    const network = new Network();
    const connection = network.connect({
      carriers: ["poll", "sse", "websocket"],
      maxBufferedBytes: Number.POSITIVE_INFINITY,
      backoff: { firstMs: 1, capMs: 2 ** 31 - 1 },
      headers: { A: "b" },
      params: { sessions: "1", After: "2" },
      protocols: ["token.x!"],
      credentials: "omit",
      signal: new AbortController().signal,
      debug: false,
    });
    await settle();
    assert.equal(network.get().query, "?sessions=1&After=2&mode=poll&park=0");
    connection.close();
  });

  it("a heartbeat that a server says and that is none, or beyond any timer", async () => {
    for (const heartbeatMs of ["null", "0", "-1", '"x"', "2147483648", "1e300", "0.5"]) {
      const network = new Network();
      const delays: number[] = [];
      const { setTimer } = network.clock;
      network.clock.setTimer = (fn, delayMs) => {
        delays.push(delayMs);
        return setTimer.call(network.clock, fn, delayMs);
      };
      const connection = network.connect();
      await settle();
      const open = { session: "T1", resumed: false, received: 0, first: 1, resumeMs: null, version: 1 };
      network.socket().hear(`o${JSON.stringify(open).replace("{", `{"heartbeatMs":${heartbeatMs},`)}`);
      assert.equal(connection.state, "open", heartbeatMs);
      for (const ms of delays) assert.ok(ms >= 0 && ms < 2 ** 31, `${heartbeatMs}: ${ms}`);
      assert.ok(delays.at(-1)! >= 10, heartbeatMs);
    }
  });
});
