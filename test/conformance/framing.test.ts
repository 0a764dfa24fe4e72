// RFC 6455 §5 and §6: frames, fragments, pings, text and binary. Autobahn|Testsuite's groups 1 to 5, 9 and 10.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { encodeMaskedFrame, OPCODE } from "../../src/codec/ws-frame.ts";
import { withChannel } from "../../src/index.ts";
import { hex } from "../support/hex.ts";
import { serving } from "../support/serving.ts";
import { closeFrame, frame, textFrame, WsClient } from "../support/ws-client.ts";
import { eachFails, echo, failed, isAlive, may, must, open, should } from "./clause.ts";

const { CONTINUATION, TEXT, BINARY, PING, PONG } = OPCODE;
const KIB = 1024;
const MASK = "00000000";

/** Bytes that differ, so that none can be taken for another. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 7 + (at >> 8)) & 0xff;
  return bytes;
}

describe("frames", () => {
  must("6455 §5.1", "an unmasked frame closes the connection, with 1002", async (t) => {
    await eachFails(t, ["81 02 6869", "82 00", "89 00", "88 02 03e8"].map(hex), 1002);
  });

  must("6455 §5.1", "the server masks nothing that it sends", async (t) => {
    const client = await open(t);
    client.send("Hello");
    assert.deepEqual(await client.raw.take(7), Buffer.from(hex("81 05 48656c6c6f")));
    client.ping();
    assert.deepEqual(await client.raw.take(2), Buffer.from(hex("8a 00")));
    client.close(1000);
    assert.deepEqual(await client.raw.take(4), Buffer.from(hex("88 02 03e8")));
  });

  must("6455 §5.2", "RSV1, RSV2 and RSV3 are 0 where no extension gives them a meaning", async (t) => {
    const all: Uint8Array[] = [];
    for (let rsv = 1; rsv < 8; rsv++) {
      for (const opcode of [TEXT, BINARY, PING, PONG, OPCODE.CLOSE]) {
        all.push(hex(`${(0x80 | (rsv << 4) | opcode).toString(16)} 80 ${MASK}`));
      }
    }
    await eachFails(t, all, 1002);
  });

  must("6455 §5.2", "what came before a bad frame is delivered, what comes behind it is not", async (t) => {
    const client = await open(t);
    client.raw.write(Buffer.concat([textFrame("before"), hex(`f1 80 ${MASK}`), textFrame("behind")]));
    assert.equal(await client.message(), "before");
    await failed(client, 1002);
  });

  must(
    "6455 §5.2",
    "the opcodes 3 to 7 and 11 to 15 fail the connection, with and without FIN and payload",
    async (t) => {
      const all: Uint8Array[] = [];
      for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
        for (const fin of [0x80, 0]) {
          all.push(hex(`${(fin | opcode).toString(16).padStart(2, "0")} 80 ${MASK}`), frame(fin | opcode, "payload"));
        }
      }
      await eachFails(t, all, 1002);
    },
  );

  must("6455 §5.2", "a length stands in as few bytes as will do", async (t) => {
    const lengths = [
      "fe 0000",
      "fe 0005",
      "fe 007d",
      "ff 0000000000000005",
      "ff 000000000000007e",
      "ff 000000000000ffff",
    ];
    await eachFails(
      t,
      lengths.map((length) => Buffer.concat([hex(`82 ${length} ${MASK}`), Buffer.alloc(70_000)])),
      1002,
    );
  });

  must("6455 §5.2", "the most significant bit of a 64-bit length is 0", async (t) => {
    await eachFails(t, [hex(`82 ff 8000000000000000 ${MASK}`), hex(`82 ff ffffffffffffffff ${MASK}`)], 1002);
  });

  must("6455 §5.2, §5.6", "text of each form of length comes back", async (t) => {
    const client = await open(t);
    for (const length of [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537]) {
      const text = "*".repeat(length);
      client.send(text);
      assert.equal(await client.message(), text);
    }
  });

  must("6455 §5.2, §5.6", "binary data of each form of length comes back, whatever the bytes", async (t) => {
    const client = await open(t);
    for (const length of [0, 1, 125, 126, 127, 128, 256, 65_535, 65_536, 65_537]) {
      client.send(pattern(length));
      assert.ok(pattern(length).equals((await client.message()) as Buffer));
    }
  });

  must("6455 §5.2", "a frame is the same in whatever pieces it comes", async (t) => {
    const client = await open(t);
    for (const [length, chop] of [
      [64 * KIB, 997],
      [1000, 1],
      [200, 1],
      [5, 1],
    ] as const) {
      const bytes = frame(TEXT, "*".repeat(length));
      for (let at = 0; at < bytes.length; at += chop) {
        client.raw.write(bytes.subarray(at, at + chop));
        if (at % (chop * 8) === 0) await new Promise(setImmediate);
      }
      assert.equal(await client.message(), "*".repeat(length));
    }
  });

  must("6455 §5.3", "any masking key is taken, 0 too, at every alignment", async (t) => {
    const client = await open(t);
    for (const key of ["00000000", "ffffffff", "37fa213d", "80000001", "00ff00ff"]) {
      for (let length = 0; length < 20; length++) {
        client.raw.write(encodeMaskedFrame(BINARY, pattern(length), hex(key)));
        assert.deepEqual(await client.message(), pattern(length));
      }
    }
  });
});

describe("fragments", () => {
  must("6455 §5.4", "a message in fragments is one message, whatever their sizes, empty ones too", async (t) => {
    const client = await open(t);
    for (const parts of [["frag", "ment"], ["", ""], ["", "", "middle", "", ""], [..."one by one"], ["a", "", "b"]]) {
      parts.forEach((part, at) => {
        client.raw.write(frame(at === 0 ? TEXT : CONTINUATION, part, at === parts.length - 1));
      });
      assert.equal(await client.message(), parts.join(""));
    }
  });

  must("6455 §5.4", "fragments are joined in the order in which they came, in one segment or in many", async (t) => {
    const client = await open(t);
    const frames = [frame(BINARY, "1", false), frame(CONTINUATION, "2", false), frame(CONTINUATION, "3")];
    client.raw.write(Buffer.concat(frames));
    assert.deepEqual(await client.message(), Buffer.from("123"));
    for (const bytes of [frame(BINARY, "1", false), frame(CONTINUATION, "2", false), frame(CONTINUATION, "3")]) {
      for (const byte of bytes) {
        client.raw.write(Uint8Array.of(byte));
        await new Promise(setImmediate);
      }
    }
    assert.deepEqual(await client.message(), Buffer.from("123"));
  });

  must("6455 §5.4", "control frames come between fragments and are answered at once", async (t) => {
    const client = await open(t);
    client.raw.write(frame(TEXT, "frag", false));
    client.ping("ping 1");
    assert.equal(await client.pong(), "ping 1");
    client.raw.write(frame(CONTINUATION, "ment", false)).write(frame(PONG, "unasked"));
    client.ping("ping 2");
    assert.equal(await client.pong(), "ping 2");
    client.raw.write(frame(CONTINUATION, "ed"));
    assert.equal(await client.message(), "fragmented");
  });

  must("6455 §5.4", "control frames are not fragmented", async (t) => {
    await eachFails(
      t,
      [PING, PONG, OPCODE.CLOSE].map((opcode) => Buffer.concat([frame(opcode, "", false), frame(CONTINUATION)])),
      1002,
    );
  });

  must("6455 §5.4", "a continuation needs a message to continue", async (t) => {
    await eachFails(
      t,
      [
        frame(CONTINUATION, "nothing", true),
        frame(CONTINUATION, "nothing", false),
        Buffer.concat([frame(CONTINUATION, "", true), textFrame("behind")]),
      ],
      1002,
    );
    const client = await open(t);
    client.raw.write(Buffer.concat([frame(TEXT, "a", false), frame(CONTINUATION, "b"), frame(CONTINUATION, "c")]));
    assert.equal(await client.message(), "ab");
    await failed(client, 1002);
  });

  must("6455 §5.4", "the fragments of two messages are not interleaved", async (t) => {
    const all: Uint8Array[] = [];
    for (const first of [TEXT, BINARY]) {
      for (const second of [TEXT, BINARY]) {
        for (const fin of [true, false]) all.push(Buffer.concat([frame(first, "a", false), frame(second, "b", fin)]));
      }
    }
    await eachFails(t, all, 1002);
  });

  must("6455 §5.4", "a message that the server sends in fragments follows the same rules", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (c) => void c.send(["one ", "two ", "three"])));
    const client = await WsClient.open(t, site.target);
    const frames = [await client.frame(), await client.frame(), await client.frame(), await client.frame()];
    assert.deepEqual(
      frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.toString()]),
      [
        [TEXT, false, "one "],
        [CONTINUATION, false, "two "],
        [CONTINUATION, false, "three"],
        [CONTINUATION, true, ""],
      ],
    );
  });

  may("6455 §5.4", "a message in very many fragments is taken up to maxFragments, beyond that is 1008", async (t) => {
    const parts = (count: number): Uint8Array => {
      const middle = Array<Uint8Array>(count - 2).fill(frame(CONTINUATION, "*", false));
      return Buffer.concat([frame(TEXT, "*", false), ...middle, frame(CONTINUATION, "*")]);
    };
    const client = await open(t, { server: { maxFragments: 50 } });
    client.raw.write(parts(50));
    assert.equal(await client.message(), "*".repeat(50));
    client.raw.write(parts(51));
    await failed(client, 1008);
  });
});

describe("control frames", () => {
  must("6455 §5.5", "their payload is 125 bytes at most", async (t) => {
    const client = await open(t);
    client.ping("p".repeat(125));
    assert.equal(await client.pong(), "p".repeat(125));
    await eachFails(
      t,
      [PING, PONG, OPCODE.CLOSE].map((opcode) => frame(opcode, Buffer.alloc(126))),
      1002,
    );
  });

  must("6455 §5.5.2, §5.5.3", "a ping is answered with a pong of the same data, binary and empty too", async (t) => {
    const client = await open(t);
    for (const data of [
      Buffer.alloc(0),
      Buffer.from("ping"),
      Buffer.from([0, 255, 254, 253, 252, 251, 0]),
      pattern(125),
    ]) {
      client.raw.write(frame(PING, data));
      const { opcode, payload } = await client.frame();
      assert.equal(opcode, PONG);
      assert.deepEqual(payload, data);
    }
  });

  must("6455 §5.5.2", "pings in one segment are answered in order, byte by byte sent ones as well", async (t) => {
    const client = await open(t);
    const names = Array.from({ length: 10 }, (_, i) => `ping ${i}`);
    client.raw.write(Buffer.concat(names.map((name) => frame(PING, name))));
    for (const name of names) assert.equal(await client.pong(), name);
    for (const byte of frame(PING, "slow")) {
      client.raw.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    assert.equal(await client.pong(), "slow");
  });

  should(
    "6455 §5.5.2",
    "a ping is answered as soon as possible: before a message whose receiver takes long",
    async (t) => {
      let finish = (): void => {};
      const site = await serving(t, (r) =>
        withChannel(r, (c) =>
          c.onMessage(async () => {
            await new Promise<void>((resolve) => (finish = resolve));
            c.send("done");
          }),
        ),
      );
      const client = await WsClient.open(t, site.target);
      client.send("work");
      client.ping("now");
      assert.equal(await client.pong(), "now");
      finish();
      assert.equal(await client.message(), "done");
    },
  );

  may("6455 §5.5.3", "a pong that nobody asked for is taken, and has no answer", async (t) => {
    const client = await open(t);
    client.raw.write(Buffer.concat([frame(PONG), frame(PONG, "unasked"), frame(PONG, "again")]));
    client.ping("ping");
    assert.equal(await client.pong(), "ping");
    await isAlive(client);
  });

  must("6455 §5.5.2", "behind a received close frame no ping is answered", async (t) => {
    const client = await open(t);
    client.raw.write(Buffer.concat([closeFrame(1000), frame(PING, "late")]));
    await failed(client, 1000);
  });
});

describe("sizes", () => {
  must(
    "6455 §5.6, §6.2",
    "large messages come back, text and binary, in one frame and in fragments of any size",
    async (t) => {
      const client = await open(t, { server: { maxFragments: 100_000 } });
      for (const length of [64 * KIB, 256 * KIB, 900 * KIB]) {
        const bytes = pattern(length);
        client.send(bytes);
        assert.ok(bytes.equals((await client.message()) as Buffer));
        const text = "*".repeat(length);
        client.send(text);
        assert.ok((await client.message()) === text);
      }
      const whole = pattern(256 * KIB);
      for (const size of [64, 1000, 16 * KIB, 100_000]) {
        const frames: Uint8Array[] = [];
        for (let at = 0; at < whole.length; at += size) {
          const part = whole.subarray(at, at + size);
          frames.push(frame(at === 0 ? BINARY : CONTINUATION, part, at + size >= whole.length));
        }
        client.raw.write(Buffer.concat(frames));
        assert.ok(whole.equals((await client.message()) as Buffer));
      }
    },
  );

  should(
    "6455 §10.4",
    "a frame or message beyond maxMessageBytes is 1009, from what its header announces",
    async (t) => {
      const server = { maxMessageBytes: 100 };
      const client = await open(t, { server });
      client.send("*".repeat(100));
      assert.equal(await client.message(), "*".repeat(100));
      await eachFails(
        t,
        [hex(`81 e5 ${MASK}`), hex(`82 fe 0080 ${MASK}`), hex(`82 ff 7fffffffffffffff ${MASK}`)],
        1009,
        { server },
      );
      const split = await open(t, { server });
      split.raw.write(
        Buffer.concat([frame(TEXT, "*".repeat(60), false), frame(CONTINUATION, "*".repeat(41)).subarray(0, 6)]),
      );
      await failed(split, 1009);
    },
  );

  must("6455 §6.2", "a thousand messages in a row come back in order, none lost, none doubled", async (t) => {
    const client = await open(t);
    const all = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
    client.raw.write(Buffer.concat(all.map((text) => textFrame(text))));
    for (const text of all) assert.equal(await client.message(), text);
  });

  must("6455 §6.1", "what the server sends from another event is not in the middle of a message", async (t) => {
    const site = await echo(t);
    const clients = await Promise.all(Array.from({ length: 10 }, () => WsClient.open(t, site.target)));
    for (let round = 0; round < 20; round++) {
      for (const [at, client] of clients.entries()) client.send(`${at} ${round} ${"*".repeat(round * 1000)}`);
    }
    for (let round = 0; round < 20; round++) {
      for (const [at, client] of clients.entries()) {
        assert.equal(await client.message(), `${at} ${round} ${"*".repeat(round * 1000)}`);
      }
    }
  });
});
