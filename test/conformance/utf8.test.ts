// RFC 6455 §5.6 and §8.1: text is UTF-8. Autobahn|Testsuite's group 6; the byte strings are those of Markus Kuhn's "UTF-8
// decoder capability and stress test", and of RFC 3629 §3 and §4.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { hex } from "../support/hex.ts";
import { closeFrame, frame, WsClient } from "../support/ws-client.ts";
import { eachFails, echo, failed, may, must, open, should } from "./clause.ts";

const { CONTINUATION, TEXT, BINARY } = OPCODE;

const VALID: readonly (readonly [what: string, bytes: string])[] = [
  ["kosme", "ce ba e1 bd b9 cf 83 ce bc ce b5"],
  ["the first of 1 byte", "00"],
  ["the last of 1 byte", "7f"],
  ["the first of 2 bytes", "c2 80"],
  ["the last of 2 bytes", "df bf"],
  ["the first of 3 bytes", "e0 a0 80"],
  ["below the surrogates", "ed 9f bf"],
  ["above the surrogates", "ee 80 80"],
  ["U+FEFF", "ef bb bf"],
  ["U+FFFD", "ef bf bd"],
  ["U+FFFE, a noncharacter", "ef bf be"],
  ["U+FFFF, a noncharacter", "ef bf bf"],
  ["the first of 4 bytes", "f0 90 80 80"],
  ["a noncharacter of plane 15", "f3 bf bf be"],
  ["the last of all, U+10FFFF", "f4 8f bf bf"],
];

const INVALID: readonly (readonly [what: string, bytes: string])[] = [
  ["kosme and a surrogate", "ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64"],
  ["a lone continuation byte", "80"],
  ["the last continuation byte", "bf"],
  ["seven continuation bytes", "80 bf 80 bf 80 bf 80"],
  ["a lone start of 2 bytes", "c2 20"],
  ["a lone start of 3 bytes", "e1 80 20"],
  ["a lone start of 4 bytes", "f1 80 80 20"],
  ["the start of 2 bytes at the end", "ce"],
  ["the start of 3 bytes at the end", "e1 bd"],
  ["the start of 4 bytes at the end", "f0 90 80"],
  ["FE", "fe"],
  ["FF", "ff"],
  ["FE FE FF FF", "fe fe ff ff"],
  ["an overlong slash in 2 bytes", "c0 af"],
  ["an overlong slash in 3 bytes", "e0 80 af"],
  ["an overlong slash in 4 bytes", "f0 80 80 af"],
  ["an overlong slash in 5 bytes", "f8 80 80 80 af"],
  ["an overlong slash in 6 bytes", "fc 80 80 80 80 af"],
  ["the largest overlong in 2 bytes", "c1 bf"],
  ["the largest overlong in 3 bytes", "e0 9f bf"],
  ["the largest overlong in 4 bytes", "f0 8f bf bf"],
  ["an overlong NUL", "c0 80"],
  ["5 bytes", "f8 88 80 80 80"],
  ["6 bytes", "fc 84 80 80 80 80"],
  ["U+110000", "f4 90 80 80"],
  ["the first high surrogate", "ed a0 80"],
  ["the last high surrogate", "ed af bf"],
  ["the first low surrogate", "ed b0 80"],
  ["the last low surrogate", "ed bf bf"],
  ["a pair of surrogates", "ed a0 80 ed b0 80"],
];

describe("text", () => {
  must(
    "6455 §5.6, §8.1",
    "every character of Unicode is taken, in one frame and cut anywhere into fragments",
    async (t) => {
      const client = await open(t);
      for (const [what, bytes] of VALID) {
        const text = hex(`61 ${bytes} 62`);
        client.raw.write(frame(TEXT, text));
        assert.deepEqual((await client.frame()).payload, Buffer.from(text), what);
        for (let at = 0; at <= text.length; at++) {
          client.raw.write(frame(TEXT, text.subarray(0, at), false)).write(frame(CONTINUATION, text.subarray(at)));
          assert.deepEqual((await client.frame()).payload, Buffer.from(text), `${what}, cut at ${at}`);
        }
      }
    },
  );

  must("6455 §8.1", "what is not UTF-8 fails the connection with 1007, alone or in other text", async (t) => {
    const all = INVALID.flatMap(([, bytes]) => [hex(bytes), hex(`48 c3 bc ${bytes}`)]);
    await eachFails(
      t,
      all.map((text) => frame(TEXT, text)),
      1007,
    );
  });

  must("6455 §8.1", "what is not UTF-8 fails it in fragments too, wherever they are cut", async (t) => {
    const all: Uint8Array[] = [];
    for (const [, bytes] of INVALID) {
      const text = hex(`48 c3 bc ${bytes}`);
      for (let at = 0; at <= text.length; at++) {
        all.push(Buffer.concat([frame(TEXT, text.subarray(0, at), false), frame(CONTINUATION, text.subarray(at))]));
      }
    }
    await eachFails(t, all, 1007);
  });

  must("6455 §5.6", "a character may be cut by fragments, each byte in its own", async (t) => {
    const client = await open(t);
    const text = hex(VALID.map(([, bytes]) => bytes).join(""));
    text.forEach((byte, at) => {
      client.raw.write(frame(at === 0 ? TEXT : CONTINUATION, Uint8Array.of(byte), at === text.length - 1));
    });
    assert.deepEqual((await client.frame()).payload, Buffer.from(text));
  });

  should(
    "6455 §8.1",
    "text fails as soon as it cannot become UTF-8 any more: before its frame or message is whole",
    async (t) => {
      const site = await echo(t);
      for (const [what, bytes] of INVALID) {
        // A truncated character could still be completed.
        if (what.endsWith("at the end")) continue;
        const text = hex(`48 c3 bc ${bytes}`);
        const inMessage = await WsClient.open(t, site.target);
        inMessage.raw.write(frame(TEXT, text, false));
        await failed(inMessage, 1007);
        const inFrame = await WsClient.open(t, site.target);
        inFrame.raw.write(frame(TEXT, Buffer.concat([text, Buffer.alloc(1000, "x")])).subarray(0, 8 + text.length));
        await failed(inFrame, 1007);
      }
    },
  );

  may("6455 §5.6", "binary data may be anything", async (t) => {
    const client = await open(t);
    for (const [, bytes] of INVALID) {
      client.raw.write(frame(BINARY, hex(bytes)));
      assert.deepEqual((await client.frame()).payload, Buffer.from(hex(bytes)));
    }
  });

  must("6455 §5.5.1, §8.1", "the reason of a close frame is UTF-8 as well", async (t) => {
    const all = INVALID.map(([, bytes]) => frame(OPCODE.CLOSE, Buffer.concat([hex("03e8"), hex(bytes)])));
    await eachFails(t, all, 1007);
    const client = await open(t);
    client.raw.write(closeFrame(1000, "Käse €"));
    await failed(client, 1000);
  });

  must("6455 §5.6", "what the server sends is UTF-8, whatever the string", async (t) => {
    const client = await open(t, { channel: {} });
    client.send("\u{10ffff}\ufeff\0");
    assert.deepEqual((await client.frame()).payload, Buffer.from(hex("f48fbfbf efbbbf 00")));
  });
});
