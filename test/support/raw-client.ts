// A client that is nothing but a socket: it writes the bytes that a test gives it and reads responses by RFC 9112 §6.3,
// with no leniency, so that what the server really put on the wire is what is tested.

import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { reset } from "../../fuzz/reset.ts";
import { settled, turn, within } from "./wait.ts";

/** Where a server listens. */
export interface Target {
  readonly port?: number;
  readonly host?: string;
  readonly path?: string;
  readonly tls?: boolean;
  /** A connection that is not made by the system. */
  readonly open?: () => Socket;
}

export type Framing = "none" | "length" | "chunked" | "close";

export interface RawHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Lower-case names; one value per field line. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly framing: Framing;
}

export interface RawResponse extends RawHead {
  readonly body: Buffer;
  readonly text: string;
  /** The chunks of a chunked body as the server cut them. */
  readonly chunks: readonly string[];
}

/** Far more than what only waits for its turn to be written. */
const CLOGGED_BYTES = 1 << 20;

export class RawClient {
  readonly socket: Socket;
  /** The server has ended its side. */
  isEnded = false;
  /** The connection is over, whole or reset. */
  isClosed = false;
  #bytes: Buffer = Buffer.alloc(4096);
  #start = 0;
  #end = 0;
  #changed = new Set<() => void>();
  /** How the body of the last head goes on; undefined between responses. */
  #framing: Framing | undefined;
  #left = 0;
  /** The CRLF after the last chunk was not read. */
  #isLineEndDue = false;

  protected constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => this.#push(bytes));
    socket.on("end", () => {
      this.isEnded = true;
      this.#notify();
    });
    socket.on("close", () => {
      this.isEnded = true;
      this.isClosed = true;
      this.#notify();
    });
    socket.on("error", () => {});
  }

  /** Connects; the connection is dropped when the test ends. */
  static async connect(t: TestContext, target: Target): Promise<RawClient> {
    if (target.open !== undefined) return new RawClient(target.open());
    const { port = 0, host = "127.0.0.1", path, tls } = target;
    const where = path === undefined ? { port, host } : { path };
    const settings = { ...where, allowHalfOpen: true, noDelay: true };
    const socket = tls === true ? connectTls({ ...settings, rejectUnauthorized: false }) : connectTcp(settings);
    t.after(() => socket.destroy());
    const connected = new Promise<void>((resolve, reject) => {
      socket.once(tls === true ? "secureConnect" : "connect", () => resolve());
      socket.once("error", reject);
    });
    await within(connected, () => `a connection to ${JSON.stringify(target)}`);
    return new RawClient(socket);
  }

  /** Writes bytes, or text whose characters are one byte each. */
  write(bytes: Uint8Array | string): this {
    if (typeof bytes === "string") this.socket.write(bytes, "latin1");
    else this.socket.write(bytes);
    return this;
  }

  /**
   * Calls `write` until the system takes no more of what it writes, which means that the server does not read; answers
   * how often. Fails if it goes on for ever.
   */
  async clog(write: (i: number) => void): Promise<number> {
    for (let i = 0; i < 1000; i++) {
      write(i);
      await turn();
      if (this.socket.writableLength < CLOGGED_BYTES) continue;
      // Longer than elsewhere: a server that only has not come to it yet would be taken for one that does not read.
      await settled(() => this.socket.writableLength, 50);
      if (this.socket.writableLength > 0) return i + 1;
    }
    return assert.fail("the server takes all that is written");
  }

  /** Ends our side; the other one stays open. */
  end(): void {
    this.socket.end();
  }

  /** Stops reading: the server's writes pile up in the system, then in the server. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Drops the connection, as a client does that dies. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Drops the connection with a reset. */
  reset(): void {
    reset(this.socket);
  }

  /** Bytes that have come and were not taken yet. */
  peek(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Resolves when `isEnough`, which is asked whenever something has happened. */
  async until(isEnough: () => boolean, what: string): Promise<void> {
    if (isEnough()) return;
    let check!: () => void;
    const done = new Promise<void>((resolve) => {
      check = () => isEnough() && resolve();
    });
    this.#changed.add(check);
    try {
      await within(done, () => `${what}; ended: ${this.isEnded}, unread: ${preview(this.peek())}`);
    } finally {
      this.#changed.delete(check);
    }
  }

  /** The next `count` bytes. */
  async take(count: number): Promise<Buffer> {
    await this.until(() => this.#end - this.#start >= count || this.isEnded, `${count} bytes`);
    if (this.#end - this.#start < count) assert.fail(`the connection ended after ${preview(this.peek())}`);
    const taken = Buffer.from(this.#bytes.subarray(this.#start, this.#start + count));
    this.#start += count;
    return taken;
  }

  /** All that comes until the server ends its side. */
  async takeRest(): Promise<Buffer> {
    await this.until(() => this.isEnded, "the end of the connection");
    return this.take(this.#end - this.#start);
  }

  /** Waits for the server's end and asserts that nothing came before it. */
  async ended(): Promise<void> {
    assert.equal((await this.takeRest()).toString("latin1"), "");
  }

  /** A line without its CRLF. */
  async line(): Promise<string> {
    await this.until(() => this.peek().includes("\r\n") || this.isEnded, "a line");
    const length = this.peek().indexOf("\r\n");
    if (length === -1) assert.fail(`no line in ${preview(this.peek())}`);
    return (await this.take(length + 2)).toString("latin1", 0, length);
  }

  /** The next response's head. `method` is the request's: the answer to HEAD has no body (RFC 9112 §6.3). */
  async head(method = "GET"): Promise<RawHead> {
    const line = await this.line();
    const [, version, status, reason] = /^HTTP\/(\d\.\d) (\d{3}) ([^\r\n]*)$/.exec(line) ?? [];
    assert.ok(version !== undefined && reason !== undefined, `a status line: ${JSON.stringify(line)}`);
    const headers = new Map<string, string[]>();
    for (let field = await this.line(); field !== ""; field = await this.line()) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n]*)$/.exec(field) ?? [];
      assert.ok(name !== undefined && value !== undefined, `a field line: ${JSON.stringify(field)}`);
      const values = headers.get(name.toLowerCase()) ?? [];
      values.push(value);
      headers.set(name.toLowerCase(), values);
    }
    const head = {
      version,
      status: Number(status),
      reason,
      headers,
      framing: framingOf(Number(status), headers, method),
    };
    this.#framing = head.framing;
    this.#left = head.framing === "length" ? Number(headers.get("content-length")?.[0]) : 0;
    return head;
  }

  /** The next chunk of the body whose head was read; undefined when it is over. */
  async chunk(): Promise<Buffer | undefined> {
    const framing = this.#framing;
    if (framing === "chunked") {
      if (this.#isLineEndDue) await this.#lineEnd();
      const size = await this.line();
      assert.match(size, /^[0-9a-fA-F]+$/, "a chunk's size");
      const chunk = await this.take(Number.parseInt(size, 16));
      // uWebSockets.js sends it with the next chunk.
      this.#isLineEndDue = true;
      if (chunk.length === 0 || this.peek().length >= 2) await this.#lineEnd();
      if (chunk.length > 0) return chunk;
    } else if (framing === "close") {
      await this.until(() => this.isEnded || this.peek().length > 0, "bytes of a body that the connection's end ends");
      if (this.peek().length > 0) return this.take(this.peek().length);
    } else if (this.#left > 0) {
      await this.until(() => this.isEnded || this.peek().length > 0, "bytes of a body");
      assert.ok(this.peek().length > 0, `${this.#left} bytes of the body are missing`);
      const part = await this.take(Math.min(this.#left, this.peek().length));
      this.#left -= part.length;
      return part;
    }
    this.#framing = undefined;
    return undefined;
  }

  async #lineEnd(): Promise<void> {
    assert.equal(await this.line(), "", "CRLF after a chunk");
    this.#isLineEndDue = false;
  }

  /** The next response, whole. */
  async response(method = "GET"): Promise<RawResponse> {
    let head = await this.head(method);
    // RFC 9110 §15.2: a client skips interim responses that it does not wait for.
    while (head.status === 102) head = await this.head(method);
    const parts: Buffer[] = [];
    for (let part = await this.chunk(); part !== undefined; part = await this.chunk()) parts.push(part);
    const body = Buffer.concat(parts);
    const chunks = head.framing === "chunked" ? parts.map((part) => part.toString()) : [];
    return { ...head, body, text: body.toString(), chunks };
  }

  #push(bytes: Buffer): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes.length > this.#bytes.length) {
      const grown = held + bytes.length > this.#bytes.length ? Buffer.alloc(2 * (held + bytes.length)) : this.#bytes;
      this.#bytes.copy(grown, 0, this.#start, this.#end);
      this.#bytes = grown;
      this.#start = 0;
      this.#end = held;
    }
    this.#end += bytes.copy(this.#bytes, this.#end);
    this.#notify();
  }

  #notify(): void {
    for (const check of this.#changed) check();
  }
}

/** RFC 9112 §6.3, and what a server must not send: §6.1, §6.2. */
function framingOf(status: number, headers: ReadonlyMap<string, readonly string[]>, method: string): Framing {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  assert.ok(length === undefined || (length.length === 1 && /^\d+$/.test(length[0]!)), `Content-Length: ${length}`);
  assert.ok(coding === undefined || (coding.length === 1 && coding[0] === "chunked"), `Transfer-Encoding: ${coding}`);
  assert.ok(length === undefined || coding === undefined, "Content-Length beside Transfer-Encoding");
  if (status < 200 || status === 204) {
    assert.equal(length ?? coding, undefined, `no framing field in a ${status} (RFC 9110 §8.6, RFC 9112 §6.1)`);
    return "none";
  }
  if (method === "HEAD" || status === 304) return "none";
  if (coding !== undefined) return "chunked";
  return length === undefined ? "close" : "length";
}

function preview(bytes: Buffer): string {
  const text = bytes.toString("latin1", 0, 200);
  return JSON.stringify(bytes.length > 200 ? `${text}… (${bytes.length} bytes)` : text);
}
