// Messages and control frames over sockets: RFC 6455 §5 and §6, http-kit's ws_test.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type CloseStatus, type Message, type ServeOptions, withChannel } from "../../src/index.ts";
import { type Site, serving } from "../support/serving.ts";
import { deferred, turn, until } from "../support/wait.ts";
import { closeFrame, frame, textFrame, WsClient } from "../support/ws-client.ts";

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10] as const;
const MIB = 1024 * 1024;

interface Echo {
  readonly site: Site;
  readonly client: WsClient;
  readonly status: Promise<CloseStatus>;
}

/** A server that sends back what it receives, and a client of it. */
async function echo(t: TestContext, options: ServeOptions = {}): Promise<Echo> {
  const status = deferred<CloseStatus>();
  const site = await serving(
    t,
    (r) =>
      withChannel(r, (channel) => {
        channel.onMessage((message) => channel.send(message));
        channel.onClose(status.resolve);
      }),
    options,
  );
  return { site, client: await WsClient.open(t, site.target), status: status.promise };
}

describe("a message", () => {
  it("is a text frame for a string and a binary frame for bytes", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        for (const data of ["€", Uint8Array.of(1, 2), new Blob(["b"]), { body: "map", status: 500 }])
          channel.send(data);
      }),
    );
    const client = await WsClient.open(t, site.target);
    const frames = [await client.frame(), await client.frame()];
    assert.deepEqual(
      frames.map(({ opcode, fin, payload }) => [opcode, fin, [...payload]]),
      [
        [TEXT, true, [...Buffer.from("€")]],
        [BINARY, true, [1, 2]],
      ],
    );
    assert.deepEqual(await client.message(), Buffer.from("b"));
    assert.equal(await client.message(), "map");
  });

  it("is sent in fragments, one for each part, when it is a stream (§5.4)", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.send(["one ", "two ", "three"]);
        channel.send(new Blob([Uint8Array.of(1), Uint8Array.of(2)]).stream());
        channel.send("whole");
      }),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal(await client.message(), "one two three");
    assert.deepEqual(await client.message(), Buffer.of(1, 2));
    assert.equal(await client.message(), "whole");
  });

  for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, MIB, 4 * MIB]) {
    it(`is echoed unchanged, as text and as bytes: ${size} bytes`, async (t) => {
      const { client } = await echo(t);
      const text = "abcdefghij".repeat(Math.ceil(size / 10)).slice(0, size);
      client.send(text);
      const back = await client.message();
      assert.ok(back === text, "the same text");
      const bytes = Buffer.alloc(size, 0xa5);
      client.send(bytes);
      assert.ok(bytes.equals((await client.message()) as Buffer), "the same bytes");
    });
  }

  it("arrives whole from fragments with control frames between them (§5.4)", async (t) => {
    const { client } = await echo(t);
    client.raw.write(textFrame("fra", false));
    client.raw.write(frame(PING, "p1")).write(frame(PONG, "unasked"));
    client.raw.write(frame(CONTINUATION, "gmen", false));
    client.raw.write(frame(CONTINUATION, "", false)).write(frame(PING, "p2"));
    client.raw.write(frame(CONTINUATION, "ted"));
    assert.deepEqual([await client.pong(), await client.pong()], ["p1", "p2"]);
    assert.equal(await client.message(), "fragmented");
  });

  it("arrives whole when its fragments cut a character", async (t) => {
    const { client } = await echo(t);
    const bytes = Buffer.from("κόσμε🎈");
    for (let i = 0; i < bytes.length; i++) {
      client.raw.write(frame(i === 0 ? TEXT : CONTINUATION, bytes.subarray(i, i + 1), i === bytes.length - 1));
    }
    assert.equal(await client.message(), "κόσμε🎈");
  });

  it("arrives whole when it comes one byte at a time (http-kit #80)", async (t) => {
    const { client } = await echo(t);
    for (const byte of Buffer.concat([textFrame("slow but sure"), frame(BINARY, Buffer.alloc(130, 7))])) {
      client.raw.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    assert.equal(await client.message(), "slow but sure");
    assert.deepEqual(await client.message(), Buffer.alloc(130, 7));
  });

  it("arrives whole in TCP segments of 65 KB and more (http-kit #47)", async (t) => {
    const { client } = await echo(t);
    const text = "segment ".repeat(30_000);
    const bytes = Buffer.concat([textFrame(text), textFrame("next")]);
    for (let at = 0; at < bytes.length; at += 65_601) {
      client.raw.write(bytes.subarray(at, at + 65_601));
      await new Promise(setImmediate);
    }
    assert.equal(await client.message(), text);
    assert.equal(await client.message(), "next");
  });

  it("is not interleaved with others, however many send at once", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(
        r,
        (channel) => {
          for (let i = 0; i < 10; i++) {
            const letter = String.fromCharCode(97 + i);
            const large = letter.repeat(100_000 + i * 90_000);
            setImmediate(() => channel.send(i % 3 === 0 ? [large, large] : large));
          }
        },
        { maxBufferedBytes: 64 * MIB },
      ),
    );
    const client = await WsClient.open(t, site.target);
    const letters = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const text = (await client.message()) as string;
      assert.ok(text === text[0]!.repeat(text.length), "of one letter");
      letters.add(text[0]!);
    }
    assert.equal(letters.size, 10);
  });

  it("may be sent ten times in answer to one (test-websocket)", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(
        r,
        (channel) =>
          channel.onMessage((message) => {
            for (let i = 0; i < 10; i++) channel.send(message);
          }),
        { maxBufferedBytes: 64 * MIB },
      ),
    );
    const client = await WsClient.open(t, site.target);
    for (const size of [10, 70_000, MIB]) {
      const text = "r".repeat(size);
      client.send(text);
      for (let i = 0; i < 10; i++) assert.ok((await client.message()) === text);
    }
  });
});

describe("the longest message", () => {
  /** Frames by their payload sizes: one message in so many fragments. */
  function fragments(opcode: number, sizes: readonly number[]): Uint8Array {
    const frames = sizes.map((size, i) =>
      frame(i === 0 ? opcode : CONTINUATION, "m".repeat(size), i === sizes.length - 1),
    );
    return Buffer.concat(frames);
  }

  for (const [max, fits, over] of [
    [100, [[100], [50, 50], [0, 100]], [[101], [50, 51], [100, 1]]],
    [200, [[200], [100, 100], [126, 74]], [[201], [100, 101], [126, 75]]],
  ] as const) {
    for (const opcode of [TEXT, BINARY]) {
      const kind = opcode === TEXT ? "text" : "binary";
      it(`is ${max} bytes of ${kind} with maxMessageBytes ${max}, in whatever fragments`, async (t) => {
        const { client } = await echo(t, { maxMessageBytes: max });
        for (const sizes of fits) {
          client.raw.write(fragments(opcode, sizes));
          assert.equal((await client.message()).length, max);
        }
      });

      for (const sizes of over) {
        it(`is exceeded by ${sizes.join("+")} bytes of ${kind}: 1009`, async (t) => {
          const { client, status } = await echo(t, { maxMessageBytes: max });
          client.raw.write(fragments(opcode, sizes));
          assert.equal((await client.closed()).code, 1009);
          await client.ended();
          const { by, code, name } = await status;
          assert.deepEqual({ by, code, name }, { by: "server", code: 1009, name: "message-too-big" });
        });
      }
    }
  }

  it("is checked by the header, before the payload comes", async (t) => {
    const { client } = await echo(t);
    client.raw.write(Uint8Array.of(0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4));
    assert.equal((await client.closed()).code, 1009);
    await client.ended();
  });

  it("does not count for control frames", async (t) => {
    const { client } = await echo(t, { maxMessageBytes: 4 });
    client.ping("12345");
    assert.equal(await client.pong(), "12345");
  });

  it("can be set for one channel", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { maxMessageBytes: 3 }));
    const client = await WsClient.open(t, site.target);
    client.send("four");
    assert.equal((await client.closed()).code, 1009);
  });

  it("has at most `maxFragments` fragments: 1008", async (t) => {
    const { client, status } = await echo(t, { maxFragments: 3 });
    client.raw.write(fragments(TEXT, [1, 1, 1]));
    assert.equal(await client.message(), "mmm");
    client.raw.write(fragments(TEXT, [1, 1, 1, 1]));
    assert.equal((await client.closed()).code, 1008);
    await client.ended();
    assert.equal((await status).name, "policy-violation");
  });
});

describe("an invalid frame fails the connection: a close frame with its code, then the end of TCP (§7.1.7)", () => {
  const raw = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
  const mask = [0, 0, 0, 0];
  const INVALID: readonly (readonly [what: string, code: number, ...frames: Uint8Array[]])[] = [
    ["RSV1", 1002, raw(0xc1, 0x80, ...mask)],
    ["RSV2", 1002, raw(0xa1, 0x80, ...mask)],
    ["RSV3", 1002, raw(0x91, 0x80, ...mask)],
    ["no mask", 1002, raw(0x81, 0x01, 0x61)],
    ["opcode 3", 1002, raw(0x83, 0x80, ...mask)],
    ["opcode 7", 1002, raw(0x87, 0x80, ...mask)],
    ["opcode 11", 1002, raw(0x8b, 0x80, ...mask)],
    ["opcode 15", 1002, raw(0x8f, 0x80, ...mask)],
    ["a continuation of nothing", 1002, frame(CONTINUATION, "stray")],
    ["a new message inside a fragmented one", 1002, textFrame("a", false), textFrame("b")],
    ["a fragmented ping", 1002, frame(PING, "p", false)],
    ["a fragmented close", 1002, frame(CLOSE, "", false)],
    ["a ping of 126 bytes", 1002, frame(PING, "p".repeat(126))],
    ["a 16-bit length that fits in 7", 1002, raw(0x81, 0xfe, 0, 125, ...mask)],
    ["a 64-bit length that fits in 16", 1002, raw(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...mask)],
    ["a 64-bit length with its top bit", 1002, raw(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, ...mask)],
    ["a close payload of one byte", 1002, frame(CLOSE, raw(3))],
    ...[0, 999, 1004, 1005, 1006, 1015, 5000, 65_535].map(
      (code) => [`close code ${code}`, 1002, closeFrame(code)] as const,
    ),
    ["text that is not UTF-8", 1007, frame(TEXT, raw(0xff))],
    ["text that ends in the middle of a character", 1007, frame(TEXT, raw(0xe2, 0x82))],
    ["a surrogate in UTF-8", 1007, frame(TEXT, raw(0xed, 0xa0, 0x80))],
    ["fragments that are not UTF-8 together", 1007, frame(TEXT, raw(0xe2), false), frame(CONTINUATION, "x")],
    ["a close reason that is not UTF-8", 1007, frame(CLOSE, raw(3, 0xe8, 0xff))],
  ];

  for (const [what, code, ...frames] of INVALID) {
    it(`${code} for ${what}`, async (t) => {
      const { client, status } = await echo(t);
      client.send("before");
      client.raw.write(Buffer.concat(frames)).write(textFrame("after"));
      assert.equal(await client.message(), "before");
      assert.equal((await client.closed()).code, code);
      await client.ended();
      client.raw.end();
      const found = await status;
      assert.deepEqual([found.by, found.code], ["server", code]);
    });
  }
});

describe("pings", () => {
  it("are answered at once while a receiver is busy (http-kit 1.6, gap d)", async (t) => {
    const gate = deferred();
    const site = await serving(t, (r) =>
      withChannel(r, (channel) =>
        channel.onMessage(async (message) => {
          await gate.promise;
          channel.send(message);
        }),
      ),
    );
    const client = await WsClient.open(t, site.target);
    client.send("slow");
    client.send("second");
    client.ping("are you there?");
    assert.equal(await client.pong(), "are you there?");
    gate.resolve();
    assert.deepEqual([await client.message(), await client.message()], ["slow", "second"]);
  });

  it("are answered while setup runs", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => new Promise(() => {})));
    const client = await WsClient.open(t, site.target);
    client.ping("p");
    assert.equal(await client.pong(), "p");
  });

  it("are answered with 125 bytes and with none", async (t) => {
    const { client } = await echo(t);
    client.ping("p".repeat(125));
    client.ping("");
    assert.deepEqual([await client.pong(), await client.pong()], ["p".repeat(125), ""]);
  });

  it("are not needed for a pong: an unsolicited one is accepted (§5.5.3)", async (t) => {
    const { client } = await echo(t);
    client.raw.write(frame(PONG, "unasked"));
    client.send("still here");
    assert.equal(await client.message(), "still here");
  });

  it("are refused with more than 125 bytes: BAD_DATA", async (t) => {
    const opened = deferred<Channel>();
    const site = await serving(t, (r) => withChannel(r, (channel) => opened.resolve(channel)));
    const client = await WsClient.open(t, site.target);
    const channel = await opened.promise;
    assert.throws(() => channel.ping("p".repeat(126)), { code: "BAD_DATA" });
    assert.equal(channel.send("good"), true);
    assert.equal(await client.message(), "good");
  });
});

describe("messages without a receiver", () => {
  it("are dropped once setup is over, and a later receiver gets the later ones", async (t) => {
    const opened = deferred<Channel>();
    const got: Message[] = [];
    const site = await serving(t, (r) => withChannel(r, (channel) => opened.resolve(channel)));
    const client = await WsClient.open(t, site.target);
    const channel = await opened.promise;
    await turn();
    client.send("dropped");
    client.ping();
    await client.pong();
    channel.onMessage((message) => got.push(message));
    client.send("received");
    await until(() => got.length > 0, "it is received");
    assert.deepEqual(got, ["received"]);
  });

  it("go to a receiver that is set directly after withChannel", async (t) => {
    const got: Message[] = [];
    const site = await serving(t, (r) => {
      const channel = withChannel(r, () => {});
      channel.onMessage((message) => got.push(message));
      return channel;
    });
    await WsClient.open(t, site.target, { first: textFrame("first") });
    await until(() => got.length > 0, "it is received");
    assert.deepEqual(got, ["first"]);
  });
});
