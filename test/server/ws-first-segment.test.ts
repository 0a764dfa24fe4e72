// Frames in one segment with the handshake: RFC 6455 §4.1 lets a client send as soon as it has asked.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { encodeMaskedFrame, OPCODE } from "../../src/codec/ws-frame.ts";
import { encodeClosePayload } from "../../src/codec/ws-message.ts";
import { serve, withChannel } from "../../src/index.ts";

const KEY = new Uint8Array([1, 2, 3, 4]);
const HANDSHAKE =
  "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

describe("a handshake, a message and a close frame in one segment", () => {
  for (const late of [false, true]) {
    it(`are answered in that order, the receiver set ${late ? "right behind withChannel" : "in setup"}`, async () => {
      const log: string[] = [];
      await using server = await serve(
        (request) => {
          const receive = (message: string | Uint8Array): void => {
            log.push(`sent ${channel.send(message)}`);
          };
          const channel = withChannel(request, (opened) => {
            if (!late) opened.onMessage((message) => void log.push(`sent ${opened.send(message)}`));
            opened.onClose((status) => void log.push(`closed by ${status.by} ${status.code}`));
          });
          if (late) channel.onMessage(receive);
          return channel;
        },
        { port: 0, host: "127.0.0.1" },
      );
      const socket = connect(server.port, "127.0.0.1");
      socket.write(
        Buffer.concat([
          Buffer.from(HANDSHAKE),
          encodeMaskedFrame(OPCODE.TEXT, Buffer.from("hi"), KEY),
          encodeMaskedFrame(OPCODE.CLOSE, encodeClosePayload(1000, ""), KEY),
        ]),
      );
      let text = "";
      for await (const bytes of socket) text += (bytes as Buffer).toString("latin1");
      assert.equal(text.slice(text.indexOf("\r\n\r\n") + 4), "\x81\x02hi\x88\x02\x03\xe8");
      assert.deepEqual(log, ["sent true", "closed by client 1000"]);
    });
  }
});
