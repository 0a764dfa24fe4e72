// A TCP proxy that does to a connection what networks and middleboxes do: cuts it anywhere, delays it, holds a response
// back until it is whole, lets an upgrade through and swallows its frames, strips the upgrade, answers 502, stays silent.
// What chance decides comes from a seed, so that a failure can be had again.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../fuzz/random.ts";
import { reset } from "../../fuzz/reset.ts";

/** From the first to the second, drawn anew each time. */
type Range = readonly [least: number, most: number];

/** Faults of one connection. Without any, it is passed on as it is. */
export interface Faults {
  /** The connection is cut after so many bytes, of both directions together; by FIN or RST. */
  readonly cutAfterBytes?: Range;
  /** After so many bytes of both directions nothing is passed on any more, and the connection stays. */
  readonly stallAfterBytes?: Range;
  /** Each read is passed on so much later. */
  readonly delayMs?: Range;
  /** A response is passed on when it has ended. What was upgraded is not held. */
  readonly bufferDownstream?: boolean;
  /** After a 101 nothing passes, in either direction. */
  readonly swallowFrames?: boolean;
  /** Requests arrive without `Upgrade`. */
  readonly stripUpgrade?: boolean;
  /** Every request is answered with 502. */
  readonly badGateway?: boolean;
  /** Accepted, and never a byte back. */
  readonly halfOpen?: boolean;
  /** Dropped as soon as it is accepted. */
  readonly refuse?: boolean;
}

const BAD_GATEWAY = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const HEAD_END = "\r\n\r\n";

export class FaultProxy {
  /** For the connections that are accepted from now on. */
  faults: Faults | ((random: Random) => Faults) = {};
  /** Connections accepted so far. */
  accepted = 0;
  readonly port: number;
  readonly #upstreamPort: () => number;
  readonly #random: Random;
  readonly #links = new Set<Link>();

  private constructor(server: Server, upstreamPort: () => number, seed: number) {
    this.port = (server.address() as { port: number }).port;
    this.#upstreamPort = upstreamPort;
    this.#random = new Random(seed);
    server.on("connection", (client) => this.#accept(client));
  }

  /** Listens on a free port of 127.0.0.1 until the test ends. `upstream` is asked for at each connection. */
  static async start(
    t: TestContext,
    upstream: number | (() => number),
    { seed = 1, faults = {} }: { seed?: number; faults?: FaultProxy["faults"] } = {},
  ): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new FaultProxy(server, typeof upstream === "number" ? () => upstream : upstream, seed);
    proxy.faults = faults;
    t.after(() => {
      server.close();
      proxy.cut();
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#links.size;
  }

  /** Cuts all that is open. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  #accept(client: Socket): void {
    this.accepted++;
    const faults = typeof this.faults === "function" ? this.faults(this.#random) : this.faults;
    const link = new Link(client, faults, this.#random, this.#upstreamPort);
    this.#links.add(link);
    client.on("close", () => this.#links.delete(link));
  }
}

/** One connection and the one behind it. */
class Link {
  readonly #client: Socket;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #upstreamPort: () => number;
  #upstream: Socket | undefined;
  #head = "";
  /** Bytes until the cut, and until the stall. */
  #left: number;
  #flowing: number;
  #isSilent = false;
  #isUpgrade = false;
  /** Bytes that came before the response's end, or before its head's end. */
  #held: Buffer[] = [];

  constructor(client: Socket, faults: Faults, random: Random, upstreamPort: () => number) {
    this.#client = client;
    this.#faults = faults;
    this.#random = random;
    this.#upstreamPort = upstreamPort;
    this.#left = faults.cutAfterBytes === undefined ? Number.POSITIVE_INFINITY : this.#draw(faults.cutAfterBytes);
    this.#flowing =
      faults.stallAfterBytes === undefined ? Number.POSITIVE_INFINITY : this.#draw(faults.stallAfterBytes);
    client.setNoDelay();
    client.on("error", () => {});
    client.on("close", () => this.cut());
    if (faults.refuse) this.cut();
    else if (faults.halfOpen) client.resume();
    else client.on("data", this.#onHead);
  }

  cut(): void {
    for (const socket of [this.#client, this.#upstream]) {
      if (socket === undefined || socket.destroyed) continue;
      if (this.#random.chance(0.5)) reset(socket);
      else socket.destroy();
    }
  }

  /** Until the request's head is whole: what happens depends on it. */
  readonly #onHead = (bytes: Buffer): void => {
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) return;
    this.#client.off("data", this.#onHead);
    if (this.#faults.badGateway) {
      this.#client.end(BAD_GATEWAY);
      this.#client.resume();
      return;
    }
    const head = this.#rewrite(this.#head.slice(0, end));
    const rest = this.#head.slice(end);
    this.#connect(Buffer.from(head + rest, "latin1"));
  };

  #rewrite(head: string): string {
    this.#isUpgrade = /^upgrade:/im.test(head) && !this.#faults.stripUpgrade;
    if (this.#isUpgrade || !(this.#faults.stripUpgrade || this.#faults.bufferDownstream)) return head;
    // One request for each connection: its response ends where the server's side does.
    const lines = head.split("\r\n").filter((line) => !/^(upgrade|connection|keep-alive):/i.test(line));
    return [...lines, "Connection: close"].join("\r\n");
  }

  #connect(first: Buffer): void {
    this.#client.pause();
    const upstream = connect({ host: "127.0.0.1", port: this.#upstreamPort(), allowHalfOpen: true });
    this.#upstream = upstream;
    upstream.setNoDelay();
    upstream.on("error", () => {});
    upstream.on("close", () => {
      if (this.#client.writableFinished || !this.#client.writableEnded) this.cut();
    });
    this.#forward(this.#client, upstream, (bytes) => this.#pass(bytes, upstream));
    this.#forward(upstream, this.#client, (bytes) => this.#down(bytes));
    void this.#pass(first, upstream).then(() => this.#client.resume());
  }

  /** One read at a time, so that what is delayed stays in order. */
  #forward(source: Socket, target: Socket, pass: (bytes: Buffer) => Promise<void>): void {
    source.on("data", (bytes: Buffer) => {
      source.pause();
      void pass(bytes).then(() => source.resume());
    });
    source.on("end", () => {
      if (this.#isSilent) return;
      for (const held of this.#held.splice(0)) if (target === this.#client) target.write(held);
      target.end();
    });
  }

  async #down(bytes: Buffer): Promise<void> {
    const { bufferDownstream, swallowFrames } = this.#faults;
    if (this.#isUpgrade && swallowFrames && !this.#isSilent) {
      this.#held.push(bytes);
      const text = Buffer.concat(this.#held);
      const end = text.indexOf(HEAD_END);
      if (end === -1) return;
      this.#held = [];
      await this.#pass(text.subarray(0, end + HEAD_END.length), this.#client);
      this.#isSilent = text.includes("HTTP/1.1 101");
    } else if (bufferDownstream && !this.#isUpgrade) this.#held.push(bytes);
    else await this.#pass(bytes, this.#client);
  }

  async #pass(bytes: Buffer, target: Socket): Promise<void> {
    if (this.#faults.delayMs !== undefined) await delay(this.#draw(this.#faults.delayMs));
    if (this.#isSilent || target.destroyed) return;
    const part = bytes.subarray(0, Math.min(this.#left, this.#flowing));
    this.#left -= part.length;
    this.#flowing -= part.length;
    this.#isSilent ||= this.#flowing === 0;
    await new Promise<void>((resolve) => target.write(part, () => resolve()));
    if (this.#left === 0) this.cut();
  }

  #draw([least, most]: Range): number {
    return least + this.#random.below(most - least + 1);
  }
}
