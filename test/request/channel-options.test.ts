// Values of the options of channels and sessions: what is wrong is refused before anything is made, and the connection goes on.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChannelRequest, openChannel, openSession, withChannel } from "../../src/index.ts";
import {
  each,
  INFINITE,
  type Loose,
  NO_AMOUNT,
  NO_BOOLEAN,
  NO_FUNCTION,
  NO_HEADERS,
  NO_OBJECT,
  type Table,
} from "../support/bad-values.ts";
import { request as head, serving } from "../support/serving.ts";
import { upgradeRequest } from "../support/ws-client.ts";

const encode = String;
const decode = String;

const COMPRESS: readonly unknown[] = [
  "yes",
  1,
  null,
  [],
  { level: 0 },
  { level: "5" },
  { level: 1.5 },
  { thresholdBytes: "5" },
  { thresholdBytes: -1 },
  { contextTakeover: "no" },
  { windowBits: 7 },
  { windowBits: null },
];

const CODEC: readonly unknown[] = [
  ...NO_OBJECT,
  {},
  { encode },
  { decode },
  { encode: 5, decode },
  { encode, decode, contentType: 5 },
  { encode, decode, contentType: "a\nb" },
];

const SHARED: Table = {
  headers: NO_HEADERS,
  maxBufferedBytes: NO_AMOUNT,
  maxMessageBytes: NO_AMOUNT,
  onOverflow: ["wait", true, null, 5],
  compress: COMPRESS,
  codec: CODEC,
};

const CHANNEL: Table = {
  ...SHARED,
  protocols: ["chat", ["a b"], [""], ["chat", "chat"], [5], [null], null, {}, 5, new Set(["chat"])],
  sse: NO_BOOLEAN,
  pingIntervalMs: NO_AMOUNT,
  pongTimeoutMs: NO_AMOUNT,
};

const SESSION: Table = {
  ...SHARED,
  identity: [5, null, {}, true],
  resumeMs: [...NO_AMOUNT, 1.5, INFINITE],
  heartbeatMs: [...NO_AMOUNT, 0, 1.5, INFINITE],
  parkMs: [...NO_AMOUNT, 0, 1.5],
};

const GOOD: readonly Loose[] = [
  { protocols: [] },
  { protocols: ["chat", "Chat"] },
  { protocols: () => undefined },
  { sse: false, compress: false, headers: {} },
  { headers: new Headers({ "X-A": "b" }) },
  { headers: [["X-A", "b"]] },
  { headers: new Map([["X-A", "b"]]) },
  { maxBufferedBytes: INFINITE, maxMessageBytes: 0, pingIntervalMs: 0, pongTimeoutMs: INFINITE },
  { compress: { level: 9, windowBits: 8, thresholdBytes: 0, contextTakeover: true } },
  { codec: { encode, decode, contentType: undefined } },
  { codec: Object.create({ encode, decode, contentType: "text/plain" }) },
  { codec: undefined, protocols: undefined },
];

const DOORS: Record<string, [open: (r: ChannelRequest, options: Loose) => unknown, table: Table]> = {
  withChannel: [(r, o) => withChannel(r, () => {}, o), CHANNEL],
  openChannel: [(r, o) => openChannel(r, {}, o), CHANNEL],
  openSession: [(r, o) => openSession(r, {}, o), SESSION],
};

for (const [door, [open, table]] of Object.entries(DOORS)) {
  describe(`the options of ${door}`, () => {
    it("are BAD_OPTION for each bad value, on a WebSocket too, and nothing is made of the request", async (t) => {
      let options: Loose;
      const site = await serving(t, (request) => {
        assert.throws(() => open(request, options), {
          code: "BAD_OPTION",
          message: new RegExp(Object.keys(options)[0]!),
        });
        return "refused";
      });
      const client = await site.connect();
      for (const [name, value, text] of each(table)) {
        options = { [name]: value };
        client.write(head("GET /"));
        assert.equal((await client.response()).text, "refused", `${name}: ${text}`);
      }
      assert.equal(site.server.stats().connectionsOpened, 1);
      for (const [name, value, text] of each(table)) {
        options = { [name]: value };
        const asked = upgradeRequest("/", ["Sec-WebSocket-Protocol: unichannel.v1"]);
        assert.equal((await site.request(asked.trimEnd())).text, "refused", `WebSocket, ${name}: ${text}`);
      }
      assert.deepEqual(site.server.stats().channels, { websocket: 0, sse: 0, stream: 0, poll: 0 });
    });

    it("let a getter throw before anything is made", async (t) => {
      const site = await serving(t, (request) => {
        for (const name of Object.keys(table)) {
          const options = Object.defineProperty({}, name, {
            enumerable: true,
            get() {
              throw new RangeError(`getter of ${name}`);
            },
          });
          assert.throws(() => open(request, options), { name: "RangeError", message: `getter of ${name}` });
        }
        return "refused";
      });
      assert.equal((await site.request("GET /")).text, "refused");
      assert.equal((await site.request(upgradeRequest("/").trimEnd())).text, "refused");
    });
  });
}

describe("options of channels at the limits of the allowed range", () => {
  for (const options of GOOD) {
    it(`are taken: ${Object.entries(options).map(([name, value]) => `${name} ${typeof value}`)}`, async (t) => {
      const site = await serving(t, (request) => {
        withChannel(request, (channel) => channel.send("one", true), options);
      });
      assert.equal((await site.request("GET /")).text, "one");
      assert.equal((await site.request("GET /")).text, "one");
    });
  }

  it("are checked once, where many channels share them", async (t) => {
    let reads = 0;
    const options = {
      get maxMessageBytes(): number {
        reads += 1;
        return 10;
      },
    };
    const site = await serving(t, (request) => {
      withChannel(request, (channel) => channel.send("one", true), options);
    });
    await site.request("GET /");
    const first = reads;
    await site.request("GET /");
    assert.ok(reads - first < first, `${first} reads, then ${reads - first}`);
  });
});

describe("the methods of a channel", () => {
  it("is BAD_OPTION where it cannot be called", async (t) => {
    const site = await serving(t, (request) => {
      for (const setup of [...NO_FUNCTION, undefined]) {
        assert.throws(() => (withChannel as Loose)(request, setup), {
          code: "BAD_OPTION",
          message: /must be a function/,
        });
      }
      for (const open of [openChannel, openSession] as Loose[]) {
        for (const handlers of [5, "x", null, [], undefined, () => {}]) {
          assert.throws(() => open(request, handlers), { code: "BAD_OPTION", message: /object of handlers/ });
        }
        for (const handler of NO_FUNCTION) {
          assert.throws(() => open(request, { close: handler }), { code: "BAD_OPTION", message: /handler close/ });
        }
      }
      return "refused";
    });
    assert.equal((await site.request("GET /")).text, "refused");
    assert.equal(site.server.stats().channels.stream, 0);
  });
});
