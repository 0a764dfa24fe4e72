// RFC 6455 §9 (extensions) and RFC 7692 (permessage-deflate). Autobahn|Testsuite's groups 12 and 13.

import assert from "node:assert/strict";
import { describe, type TestContext } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { encodeMaskedFrame, FIN, OPCODE, RSV1 } from "../../src/codec/ws-frame.ts";
import type { CompressOptions } from "../../src/index.ts";
import { hex } from "../support/hex.ts";
import type { RawClient } from "../support/raw-client.ts";
import { closeFrame, upgradeRequest } from "../support/ws-client.ts";
import { type EchoOptions, echo, may, must, should } from "./clause.ts";

const { CONTINUATION, TEXT, BINARY, PING, PONG, CLOSE } = OPCODE;
const KEY = hex("37fa213d");
const END = hex("0000ffff");
const DEFLATE = "permessage-deflate";

/** All that a message can be: what repeats, what does not, short and long. */
const TEXTS: readonly string[] = [
  "",
  "a",
  "Hello",
  "{}".repeat(20),
  JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `name ${id}`, tags: ["a", "b"] }))),
  "Grüße, 世界, 😀".repeat(300),
  "*".repeat(100_000),
  Array.from({ length: 5000 }, (_, i) => String.fromCharCode(33 + ((i * i * 31 + (i >> 3)) % 90))).join(""),
];

/** A client that has agreed on permessage-deflate; it compresses and inflates with node:zlib. */
class Deflated {
  readonly raw: RawClient;
  /** The answer's parameters. */
  readonly agreed: readonly string[];
  #received: Buffer = Buffer.alloc(0);

  constructor(raw: RawClient, agreed: readonly string[]) {
    this.raw = raw;
    this.agreed = agreed;
  }

  frame(opcode: number, payload: Uint8Array, rsv1: boolean, fin = true): this {
    this.raw.write(encodeMaskedFrame(opcode, payload, KEY, (fin ? FIN : 0) | (rsv1 ? RSV1 : 0)));
    return this;
  }

  /** A message compressed on its own. */
  send(text: string, options: { readonly windowBits?: number; readonly level?: number } = {}): this {
    return this.frame(TEXT, compressed(Buffer.from(text), options), true);
  }

  /** The next frame, and whether it is compressed. */
  async next(): Promise<{ opcode: number; rsv1: boolean; payload: Buffer }> {
    const [first = 0, second = 0] = await this.raw.take(2);
    assert.ok(first >= 0x80 && (first & 0x30) === 0 && second < 128);
    const length =
      second < 126
        ? second
        : second === 126
          ? (await this.raw.take(2)).readUInt16BE()
          : Number((await this.raw.take(8)).readBigUInt64BE());
    return { opcode: first & 15, rsv1: (first & 0x40) !== 0, payload: await this.raw.take(length) };
  }

  /** The next message; with `takeover` what came before is its dictionary, no further back than `windowBits`. */
  async message({ takeover = false, windowBits = 15 } = {}): Promise<{ data: Buffer; rsv1: boolean }> {
    const { opcode, rsv1, payload } = await this.next();
    assert.ok(opcode === TEXT || opcode === BINARY, `a message, not ${payload.toString("hex")}`);
    if (!rsv1) return { data: payload, rsv1 };
    const dictionary = takeover ? this.#received.subarray(-(1 << windowBits)) : Buffer.alloc(0);
    const data = inflateRawSync(Buffer.concat([payload, END]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      windowBits,
      ...(dictionary.length > 0 ? { dictionary } : {}),
    });
    this.#received = Buffer.concat([this.#received, data]);
    return { data, rsv1 };
  }

  async fails(code: number): Promise<void> {
    const { opcode, rsv1, payload } = await this.next();
    assert.deepEqual([opcode, rsv1, payload.readUInt16BE()], [CLOSE, false, code]);
    await this.raw.ended();
  }
}

function compressed(
  bytes: Uint8Array,
  options: { readonly windowBits?: number; readonly level?: number } = {},
): Buffer {
  return deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, ...options }).subarray(0, -4);
}

/** Returns the answer of a server with these options to these offers; undefined if it accepts none. */
async function negotiated(t: TestContext, options: EchoOptions, ...offers: string[]): Promise<string | undefined> {
  const client = await (await echo(t, options)).connect();
  client.write(
    upgradeRequest(
      "/",
      offers.map((offer) => `Sec-WebSocket-Extensions: ${offer}`),
    ),
  );
  const { status, headers } = await client.head();
  assert.equal(status, 101);
  const values = headers.get("sec-websocket-extensions");
  assert.ok(values === undefined || values.length === 1);
  return values?.[0];
}

async function deflated(
  t: TestContext,
  {
    offer = DEFLATE,
    compress = true,
    ...options
  }: EchoOptions & { offer?: string; compress?: boolean | CompressOptions } = {},
): Promise<Deflated> {
  const client = await (await echo(t, { ...options, channel: { compress } })).connect();
  client.write(upgradeRequest("/", [`Sec-WebSocket-Extensions: ${offer}`]));
  const { headers } = await client.head();
  const [answer = ""] = headers.get("sec-websocket-extensions") ?? [];
  const [name, ...agreed] = answer.split("; ");
  assert.equal(name, DEFLATE);
  return new Deflated(client, agreed);
}

const ON: EchoOptions = { channel: { compress: true } };
const TAKEOVER: EchoOptions = { channel: { compress: { contextTakeover: true, windowBits: 15 } } };

describe("extensions", () => {
  must("6455 §9.1", "a field that does not follow the grammar fails the handshake", async (t) => {
    const site = await echo(t, ON);
    for (const field of ["permessage-deflate; =1", "a b", "a; b=", 'a; b="', "a; b=c d", ";a", 'a; b="c d"']) {
      const client = await site.connect();
      client.write(upgradeRequest("/", [`Sec-WebSocket-Extensions: ${field}`]));
      assert.equal((await client.response()).status, 400, field);
      await client.ended();
    }
  });

  must("6455 §9.1", "several fields are one list, in their order", async (t) => {
    const answer = await negotiated(t, TAKEOVER, "x-first; a=b", `${DEFLATE}; server_max_window_bits=9, x`, DEFLATE);
    assert.equal(answer, `${DEFLATE}; server_max_window_bits=9`);
  });

  may("6455 §9.1", "a parameter's value is quoted", async (t) => {
    assert.match((await negotiated(t, ON, `${DEFLATE}; server_max_window_bits="10"`))!, /server_max_window_bits=10/);
  });

  must("6455 §9.1", "without an agreement RSV1 stays forbidden", async (t) => {
    const client = await (await echo(t)).connect();
    client.write(upgradeRequest("/", [`Sec-WebSocket-Extensions: ${DEFLATE}`]));
    assert.equal((await client.head()).headers.has("sec-websocket-extensions"), false);
    await new Deflated(client, []).send("Hello").fails(1002);
  });
});

describe("the agreement on permessage-deflate", () => {
  must(
    "7692 §5, §7.1",
    "an offer with an unknown, repeated or malformed parameter is declined, not the connection",
    async (t) => {
      for (const params of [
        "unknown",
        "unknown=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits",
        ...["7", "16", "08", "0", "-9", "9.0", "a"].flatMap((bits) => [
          `server_max_window_bits=${bits}`,
          `client_max_window_bits=${bits}`,
        ]),
      ]) {
        assert.equal(await negotiated(t, ON, `${DEFLATE}; ${params}`), undefined, params);
      }
    },
  );

  must("7692 §5.1, §7", "of several offers the first that is acceptable is taken", async (t) => {
    const answer = await negotiated(
      t,
      TAKEOVER,
      `${DEFLATE}; unknown, ${DEFLATE}; server_max_window_bits=7, ${DEFLATE}; server_no_context_takeover, ${DEFLATE}`,
    );
    assert.equal(answer, `${DEFLATE}; server_no_context_takeover`);
  });

  must("7692 §7.1.1.1", "server_no_context_takeover is answered where it was offered, and kept", async (t) => {
    const client = await deflated(t, {
      offer: `${DEFLATE}; server_no_context_takeover`,
      compress: { contextTakeover: true, thresholdBytes: 0 },
    });
    assert.ok(client.agreed.includes("server_no_context_takeover"));
    for (let times = 0; times < 3; times++) {
      client.send("Hello Hello Hello Hello");
      // Inflates without what came before.
      const { data, rsv1 } = await client.message();
      assert.deepEqual([data.toString(), rsv1], ["Hello Hello Hello Hello", true]);
    }
  });

  may("7692 §7.1.1.1", "the server says server_no_context_takeover though it was not offered", async (t) => {
    assert.match((await negotiated(t, ON, DEFLATE))!, /server_no_context_takeover/);
  });

  may("7692 §7.1.1.2", "client_no_context_takeover is answered, offered or not", async (t) => {
    assert.match(
      (await negotiated(t, TAKEOVER, `${DEFLATE}; client_no_context_takeover`))!,
      /client_no_context_takeover/,
    );
    assert.match((await negotiated(t, ON, DEFLATE))!, /client_no_context_takeover/);
    assert.equal(await negotiated(t, TAKEOVER, DEFLATE), DEFLATE);
  });

  must(
    "7692 §7.1.2.1",
    "server_max_window_bits is answered with the same value or a smaller one, and kept",
    async (t) => {
      for (let bits = 8; bits <= 15; bits++) {
        const client = await deflated(t, {
          offer: `${DEFLATE}; server_max_window_bits=${bits}`,
          compress: { contextTakeover: true, windowBits: 15, thresholdBytes: 0 },
        });
        const agreed = Number(/server_max_window_bits=(\d+)/.exec(client.agreed.join(";"))?.[1]);
        assert.ok(agreed <= bits);
        for (const text of TEXTS) {
          client.send(text);
          // zlib refuses what looks back further.
          assert.equal((await client.message({ takeover: true, windowBits: agreed })).data.toString(), text);
        }
      }
    },
  );

  must(
    "7692 §7.1.2.2",
    "client_max_window_bits is answered only where it was offered, and not with more",
    async (t) => {
      const small: EchoOptions = { channel: { compress: { contextTakeover: true, windowBits: 10 } } };
      assert.doesNotMatch((await negotiated(t, small, DEFLATE))!, /client_max_window_bits/);
      assert.match((await negotiated(t, small, `${DEFLATE}; client_max_window_bits`))!, /client_max_window_bits=10$/);
      assert.match((await negotiated(t, small, `${DEFLATE}; client_max_window_bits=9`))!, /client_max_window_bits=9$/);
    },
  );
});

describe("compressed messages", () => {
  must(
    "7692 §6.1, §7.2.2",
    "a message with RSV1 on its first frame is inflated, whole or in fragments cut anywhere",
    async (t) => {
      const client = await deflated(t);
      for (const text of TEXTS.slice(0, 5)) {
        const payload = compressed(Buffer.from(text));
        client.frame(TEXT, payload, true);
        assert.equal((await client.message()).data.toString(), text);
        for (const at of [0, 1, payload.length >> 1, payload.length]) {
          client.frame(TEXT, payload.subarray(0, at), true, false).frame(PING, Buffer.from("between"), false);
          client.frame(CONTINUATION, payload.subarray(at), false);
          assert.equal((await client.next()).opcode, PONG);
          assert.equal((await client.message()).data.toString(), text);
        }
      }
    },
  );

  must("7692 §6.1", "RSV1 is on no continuation and no control frame", async (t) => {
    const payload = compressed(Buffer.from("Hello"));
    await (await deflated(t))
      .frame(TEXT, payload.subarray(0, 3), true, false)
      .frame(CONTINUATION, payload.subarray(3), true)
      .fails(1002);
    for (const opcode of [PING, PONG, CLOSE])
      await (await deflated(t)).frame(opcode, Buffer.alloc(0), true).fails(1002);
  });

  must("7692 §6", "RSV2 and RSV3 stay forbidden", async (t) => {
    for (const first of [0xa1, 0x91, 0xe1, 0xd1]) {
      const client = await deflated(t);
      client.raw.write(Buffer.concat([Uint8Array.of(first, 0x80), KEY]));
      await client.fails(1002);
    }
  });

  may("7692 §6.1", "messages that are not compressed come between those that are", async (t) => {
    const client = await deflated(t, { compress: { contextTakeover: true, thresholdBytes: 0 } });
    for (let round = 0; round < 5; round++) {
      client.frame(TEXT, Buffer.from(`plain ${round}`), false);
      assert.equal((await client.message({ takeover: true })).data.toString(), `plain ${round}`);
      client.send(`compressed ${round} ${"*".repeat(200)}`);
      const { data, rsv1 } = await client.message({ takeover: true });
      assert.deepEqual([data.toString(), rsv1], [`compressed ${round} ${"*".repeat(200)}`, true]);
    }
  });

  must(
    "7692 §7.2.3",
    "the examples are understood: §7.2.3.1 one block, §7.2.3.3 stored, §7.2.3.4 BFINAL, §7.2.3.5 two blocks",
    async (t) => {
      const client = await deflated(t);
      for (const payload of [
        "f248cdc9c90700",
        "000500faff48656c6c6f00",
        "f348cdc9c9070000",
        "f248050000 00ffff cac9c90700",
      ]) {
        client.frame(TEXT, hex(payload), true);
        assert.equal((await client.message()).data.toString(), "Hello", payload);
      }
      client.frame(TEXT, hex("f248cd"), true, false).frame(CONTINUATION, hex("c9c90700"), false);
      assert.equal((await client.message()).data.toString(), "Hello");
    },
  );

  must(
    "7692 §7.2.3.2",
    "with its context a client refers to messages before: the example's second Hello",
    async (t) => {
      const compress = { contextTakeover: true, windowBits: 15 };
      const client = await deflated(t, { compress });
      client.frame(TEXT, hex("f248cdc9c90700"), true).frame(TEXT, hex("f200110000"), true);
      assert.equal((await client.message({ takeover: true })).data.toString(), "Hello");
      assert.equal((await client.message({ takeover: true })).data.toString(), "Hello");
    },
  );

  must("7692 §7.2.3.6", "an empty message is one block without data", async (t) => {
    const client = await deflated(t);
    client.frame(TEXT, hex("00"), true).frame(BINARY, hex("00"), true);
    assert.equal((await client.message()).data.length, 0);
    assert.equal((await client.message()).data.length, 0);
  });

  must(
    "7692 §7.2.1, §7.2.2",
    "messages of every size and kind come back as they were, with and without context",
    async (t) => {
      for (const contextTakeover of [false, true]) {
        const client = await deflated(t, { compress: { contextTakeover, thresholdBytes: 0 } });
        for (const level of [0, 1, 6, 9]) {
          for (const text of TEXTS) {
            client.send(text, { level });
            assert.equal((await client.message({ takeover: contextTakeover })).data.toString(), text);
          }
        }
        for (const length of [0, 1, 16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
          const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * i + (i >> 4)) & 0xff));
          client.frame(BINARY, compressed(bytes), true);
          const { data } = await client.message({ takeover: contextTakeover });
          assert.ok(data.equals(bytes));
        }
      }
    },
  );

  must("7692 §7.2.1", "a client may compress with any window that it is allowed, 9 to 15 bits", async (t) => {
    const client = await deflated(t);
    for (let windowBits = 9; windowBits <= 15; windowBits++) {
      for (const text of TEXTS) {
        client.send(text, { windowBits });
        assert.equal((await client.message()).data.toString(), text);
      }
    }
  });

  must("7692 §7.2.2", "what cannot be inflated fails the connection", async (t) => {
    for (const payload of ["ffffffff", "f248cd", "07", "0400", "000500faff48656c", "ed"]) {
      await (await deflated(t)).frame(TEXT, hex(payload), true).fails(1007);
    }
    // Without context there is nothing to look back to.
    const client = await deflated(t, { offer: `${DEFLATE}; client_no_context_takeover` });
    client.frame(TEXT, hex("f248cdc9c90700"), true);
    await client.message();
    await client.frame(TEXT, hex("f200110000"), true).fails(1007);
  });

  must("6455 §8.1", "compressed text is UTF-8 when it is inflated", async (t) => {
    for (const bad of ["ff", "c0af", "eda080", "e282"]) {
      await (await deflated(t)).frame(TEXT, compressed(hex(`61 ${bad}`)), true).fails(1007);
    }
    const client = await deflated(t);
    client.frame(BINARY, compressed(hex("61ff")), true);
    assert.deepEqual((await client.message()).data, Buffer.from(hex("61ff")));
  });

  should("6455 §10.4", "a message that is too big when it is inflated is 1009", async (t) => {
    const server = { maxMessageBytes: 10_000 };
    const client = await deflated(t, { server });
    client.send("*".repeat(10_000));
    assert.equal((await client.message()).data.length, 10_000);
    await client.send("*".repeat(10_001)).fails(1009);
    await (await deflated(t, { server })).send("*".repeat(5_000_000)).fails(1009);
  });

  must(
    "7692 §7.2.1",
    "each message of the server is whole in itself: its end is the flush that was taken off",
    async (t) => {
      const client = await deflated(t);
      client.send("*".repeat(5000));
      const { payload, rsv1 } = await client.next();
      assert.equal(rsv1, true);
      assert.notDeepEqual([...payload.subarray(-4)], [...END]);
      const { buffer, engine } = inflateRawSync(Buffer.concat([payload, END, hex("010000ffff")]), {
        info: true,
      }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      assert.equal(buffer.toString(), "*".repeat(5000));
      assert.equal(engine.bytesWritten, payload.length + 9);
    },
  );

  must("6455 §5.5.1", "the closing handshake is the same, and never compressed", async (t) => {
    const client = await deflated(t);
    client.raw.write(closeFrame(4000, "bye"));
    await client.fails(4000);
  });
});
