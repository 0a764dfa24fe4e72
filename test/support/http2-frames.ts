// A client of HTTP/2 that is nothing but a TLS socket: it writes frames as a test makes them (RFC 9113 §4.1), valid or not, and
// reads those of the server. Header blocks are literals without indexing (RFC 7541 §6.2.2), so that no table is needed.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import type { Target } from "./raw-client.ts";
import { within } from "./wait.ts";

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8 } as const;

/** RFC 9113 §3.4. */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The fields of a usual request. */
export const GET: readonly string[] = [":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", "/"];

/** A frame, whole. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of name, value, … */
export function block(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    parts.push(Buffer.of(0), literal(fields[i]!), literal(fields[i + 1]!));
  }
  return Buffer.concat(parts);
}

/** RFC 9113 §6.5.2: the longest payload that a server has to take by default. */
const MAX_PAYLOAD = 16_384;

/** A request as one HEADERS frame, or as many frames as its length needs. */
export function headers(stream: number, fields: readonly string[] = GET, endStream = true): Buffer {
  const bytes = block(fields);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MAX_PAYLOAD) {
    const isLast = at + MAX_PAYLOAD >= bytes.length;
    const flags = (isLast ? FLAG.END_HEADERS : 0) | (at === 0 && endStream ? FLAG.END_STREAM : 0);
    const type = at === 0 ? FRAME.HEADERS : FRAME.CONTINUATION;
    frames.push(frame(type, flags, stream, bytes.subarray(at, at + MAX_PAYLOAD)));
  }
  return Buffer.concat(frames);
}

/** A number of four bytes: the payload of RST_STREAM and WINDOW_UPDATE. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 7541 §5.1 and §5.2: a string without Huffman coding. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

export class FrameClient {
  readonly socket: TLSSocket;
  /** Every frame that has come. */
  readonly frames: Frame[] = [];
  isClosed = false;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #changed = new Set<() => void>();

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#push(bytes));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.isClosed = true;
      this.#notify();
    });
  }

  /** Connects, and sends the preface with empty settings unless `isSilent`. Dropped when the test ends. */
  static async connect(
    t: TestContext,
    { port = 0 }: Target,
    { isSilent = false }: { readonly isSilent?: boolean } = {},
  ): Promise<FrameClient> {
    const socket = connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
    t.after(() => socket.destroy());
    const client = new FrameClient(socket);
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once("secureConnect", () => resolve());
        socket.once("close", () => reject(new Error("the connection was closed in its handshake")));
      }),
      () => "a TLS connection",
    );
    assert.equal(socket.alpnProtocol, "h2");
    if (!isSilent) client.write(PREFACE, frame(FRAME.SETTINGS, 0, 0));
    return client;
  }

  write(...frames: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  /** Resolves with the first frame that `isMeant`, past or future. Rejects if the connection ends without one. */
  async frame(isMeant: (frame: Frame) => boolean, what: string): Promise<Frame> {
    await this.until(() => this.isClosed || this.frames.some(isMeant), what);
    const found = this.frames.find(isMeant);
    assert.ok(found !== undefined, `${what}; the connection ended instead`);
    return found;
  }

  /** The code of the first GOAWAY; undefined before it has come. */
  get goawayCode(): number | undefined {
    return this.frames.find(({ type }) => type === FRAME.GOAWAY)?.payload.readUInt32BE(4);
  }

  /** Bytes of DATA that the server has let through on the connection so far, sent or not: RFC 9113 §6.9.2. */
  get window(): number {
    const updates = this.frames.filter(({ type, stream }) => type === FRAME.WINDOW_UPDATE && stream === 0);
    return updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535);
  }

  /** Resolves with the code of the first GOAWAY. */
  async goaway(): Promise<number> {
    const { payload } = await this.frame(({ type }) => type === FRAME.GOAWAY, "GOAWAY");
    return payload.readUInt32BE(4);
  }

  /** Resolves with the code with which the stream was reset. */
  async reset(stream: number): Promise<number> {
    const { payload } = await this.frame(
      (one) => one.type === FRAME.RST_STREAM && one.stream === stream,
      `RST_STREAM of ${stream}`,
    );
    return payload.readUInt32BE(0);
  }

  /** Resolves with the fields' first HEADERS frame of the stream: its block is not decoded but for `:status`. */
  async status(stream: number): Promise<number> {
    const { payload } = await this.frame(
      (one) => one.type === FRAME.HEADERS && one.stream === stream,
      `HEADERS of ${stream}`,
    );
    return statusOf(payload);
  }

  /** The bytes of all DATA frames of the stream so far. */
  data(stream: number): Buffer {
    return Buffer.concat(
      this.frames.filter((one) => one.type === FRAME.DATA && one.stream === stream).map(({ payload }) => payload),
    );
  }

  /** Resolves when the server has answered a PING: it has handled all that was sent before. */
  async handled(): Promise<void> {
    const before = this.frames.filter(isPong).length;
    this.write(frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
    await this.until(() => this.isClosed || this.frames.filter(isPong).length > before, "an answer to PING");
  }

  async until(isEnough: () => boolean, what: string): Promise<void> {
    if (isEnough()) return;
    let check!: () => void;
    const done = new Promise<void>((resolve) => {
      check = () => isEnough() && resolve();
    });
    this.#changed.add(check);
    try {
      await within(done, () => `${what}; closed: ${this.isClosed}, frames: ${this.frames.map(({ type }) => type)}`);
    } finally {
      this.#changed.delete(check);
    }
  }

  #push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) break;
      const [type, flags] = [this.#bytes[3]!, this.#bytes[4]!];
      const stream = this.#bytes.readUInt32BE(5) & 0x7fff_ffff;
      this.frames.push({ type, flags, stream, payload: Buffer.from(this.#bytes.subarray(9, 9 + length)) });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
    this.#notify();
  }

  #notify(): void {
    for (const check of this.#changed) check();
  }
}

function isPong({ type, flags }: Frame): boolean {
  return type === FRAME.PING && (flags & FLAG.ACK) !== 0;
}

/** RFC 7541, appendix A: the entries 8 to 14 of the static table. */
const INDEXED_STATUS = [200, 204, 206, 304, 400, 404, 500];

/** The `:status` of a header block, which is its first field. */
function statusOf(payload: Buffer): number {
  // A change of the dynamic table's size may come first: §6.3.
  let at = 0;
  while ((payload[at]! & 0xe0) === 0x20) at += 1;
  const first = payload[at]!;
  if (first & 0x80) return INDEXED_STATUS[(first & 0x7f) - 8]!;
  // A literal whose name is the entry 8; three digits, in Huffman coding or not.
  const isHuffman = (payload[at + 1]! & 0x80) !== 0;
  const length = payload[at + 1]! & 0x7f;
  const bytes = payload.subarray(at + 2, at + 2 + length);
  return Number(isHuffman ? digitsOf(bytes) : bytes.toString("latin1"));
}

/** RFC 7541, appendix B: the digits 0 to 2 have five bits, 3 to 9 six. */
function digitsOf(bytes: Buffer): string {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  let text = "";
  while (text.length < 3) {
    const five = Number.parseInt(bits.slice(0, 5), 2);
    const isShort = five <= 2;
    text += isShort ? five : Number.parseInt(bits.slice(0, 6), 2) - 0x19 + 3;
    bits = bits.slice(isShort ? 5 : 6);
  }
  return text;
}
