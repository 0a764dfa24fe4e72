// A WebSocket client made of single frames (RFC 6455 §5), so that a test can send what no library would.
// The frames of the server are read by hand and held to §5.1–§5.5.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { encodeMaskedFrame, FIN, OPCODE } from "../../src/codec/ws-frame.ts";
import { RawClient, type RawHead, type Target } from "./raw-client.ts";

export interface WsFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** The handshake of a browser, with the key of RFC 6455 §1.3. */
export const HANDSHAKE: readonly string[] = [
  "Host: x",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];

/** The masking key of the examples in RFC 6455 §5.7. */
const KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

export function upgradeRequest(target = "/", fields: readonly string[] = []): string {
  return [`GET ${target} HTTP/1.1`, ...HANDSHAKE, ...fields, "", ""].join("\r\n");
}

/** A masked frame, whole. */
export function frame(opcode: number, payload: Uint8Array | string = "", fin = true): Uint8Array {
  return encodeMaskedFrame(opcode, Buffer.from(payload), KEY, fin ? FIN : 0);
}

export function textFrame(text: string, fin = true): Uint8Array {
  return frame(OPCODE.TEXT, text, fin);
}

/** A close frame; without a code its payload is empty. */
export function closeFrame(code?: number, reason = ""): Uint8Array {
  if (code === undefined) return frame(OPCODE.CLOSE);
  return frame(OPCODE.CLOSE, Buffer.concat([Uint8Array.of(code >> 8, code & 0xff), Buffer.from(reason)]));
}

export class WsClient {
  readonly raw: RawClient;
  readonly head: RawHead;
  /** Control frames that came between the messages which were read. */
  readonly controls: WsFrame[] = [];

  /** `raw`: a connection that has become a WebSocket. `head`: the answer that said so. */
  constructor(raw: RawClient, head: RawHead) {
    this.raw = raw;
    this.head = head;
  }

  /** Connects and upgrades. `first` is sent in the same segment as the handshake. */
  static async open(
    t: TestContext,
    target: Target,
    { path = "/", fields = [], first }: { path?: string; fields?: readonly string[]; first?: Uint8Array } = {},
  ): Promise<WsClient> {
    const raw = await RawClient.connect(t, target);
    const handshake = Buffer.from(upgradeRequest(path, fields), "latin1");
    raw.write(first === undefined ? handshake : Buffer.concat([handshake, first]));
    const head = await raw.head();
    assert.equal(head.status, 101);
    return new WsClient(raw, head);
  }

  /** Sends a message as one frame. */
  send(data: string | Uint8Array): void {
    this.raw.write(typeof data === "string" ? textFrame(data) : frame(OPCODE.BINARY, data));
  }

  ping(data = ""): void {
    this.raw.write(frame(OPCODE.PING, data));
  }

  close(code?: number, reason = ""): void {
    this.raw.write(closeFrame(code, reason));
  }

  /** The next frame. */
  async frame(): Promise<WsFrame> {
    const head = await this.raw.take(2);
    assert.equal(head[0]! & 0x70, 0, "no reserved bit is set (§5.2)");
    assert.equal(head[1]! & 0x80, 0, "a server's frames are not masked (§5.1)");
    let length = head[1]! & 0x7f;
    if (length === 126) {
      length = (await this.raw.take(2)).readUInt16BE();
      assert.ok(length > 125, "the shortest form of a length (§5.2)");
    } else if (length === 127) {
      length = Number((await this.raw.take(8)).readBigUInt64BE());
      assert.ok(length > 0xffff, "the shortest form of a length (§5.2)");
    }
    const found = { opcode: head[0]! & 0x0f, fin: head[0]! >= 0x80, payload: await this.raw.take(length) };
    if (found.opcode >= 8) assert.ok(found.fin && length <= 125, "control frames are short and whole (§5.5)");
    return found;
  }

  /** The next message: text as a string, binary as bytes. Control frames before its end go to `controls`. */
  async message(): Promise<string | Buffer> {
    const parts: WsFrame[] = [];
    while (parts.at(-1)?.fin !== true) {
      const next = await this.frame();
      if (next.opcode >= 8) this.controls.push(next);
      else {
        assert.equal(next.opcode === OPCODE.CONTINUATION, parts.length > 0, "fragments follow their first (§5.4)");
        parts.push(next);
      }
      if (next.opcode === OPCODE.CLOSE) throw new Error(`closed: ${JSON.stringify(closePayload(next))}`);
    }
    const whole = Buffer.concat(parts.map((part) => part.payload));
    return parts[0]!.opcode === OPCODE.TEXT
      ? new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(whole)
      : whole;
  }

  /** The next frame, which must be a pong: its payload. */
  async pong(): Promise<string> {
    const { opcode, payload } = await this.frame();
    assert.equal(opcode, OPCODE.PONG);
    return payload.toString();
  }

  /** The next frame, which must be a close frame: its code (none: 1005) and reason. `mayPrecede`: text frames that are left out before. */
  async closed(mayPrecede: (text: string) => boolean = () => false): Promise<{ code: number; reason: string }> {
    for (;;) {
      const found = await this.frame();
      const text = found.payload.toString();
      if (found.opcode === OPCODE.TEXT && mayPrecede(text)) continue;
      assert.equal(found.opcode, OPCODE.CLOSE, `a close frame, not ${JSON.stringify(text)}`);
      return closePayload(found);
    }
  }

  /** Waits for the end of the TCP connection, and that nothing comes before it. */
  ended(): Promise<void> {
    return this.raw.ended();
  }
}

function closePayload({ payload }: WsFrame): { code: number; reason: string } {
  if (payload.length === 0) return { code: 1005, reason: "" };
  return { code: payload.readUInt16BE(), reason: payload.toString("utf8", 2) };
}
