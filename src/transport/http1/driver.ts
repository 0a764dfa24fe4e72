// Drives one HTTP/1.1 connection: a ByteStream below, the protocol's state machine in the middle, an Exchange per
// request above. Everything that is about time, reading pace and writes stands here; what HTTP means stands in
// `protocol/http1.ts`.
// Long because reading, writing, waiting and ending share what they know of the stream.

import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { RequestHead } from "../../codec/http1-request.ts";
import { Http1Connection, type Http1Options } from "../../protocol/http1.ts";
import type { Exchange } from "../exchange.ts";
import type { BufferBudget } from "../io/buffer-budget.ts";
import type { ByteStream, ByteStreamListener } from "../io/byte-stream.ts";
import type { Flushable, Flusher } from "../io/flusher.ts";
import { earnedMs, FLUSH_BYTES } from "../limits.ts";
import { Http1Exchange } from "./exchange.ts";

/** All in milliseconds. */
interface Http1Timeouts {
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

/** What is being waited for. While a handler works nothing is. */
type Wait = "request" | "head" | "body" | "nothing";

/** What all connections of one server share. */
export interface Http1Context {
  readonly http: Http1Options;
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Bytes that all clients have sent and nobody has taken. */
  readonly received: BufferBudget;
  /** How long a connection that we have ended may stay open for the peer to end its side, in milliseconds. */
  readonly closeTimeoutMs: number;
  readonly timeouts: Http1Timeouts;
  /** A request is there; its answer may come at any time. Never throws. */
  onExchange(exchange: Exchange): void;
  /**
   * Nothing of it is read or written any more, but for what `WebSocketTransport` makes of the connection. `status` 0: no
   * response had begun. `isWhole`: all of the response is on its way. Never throws.
   */
  onExchangeEnd(exchange: Exchange, status: number, isWhole: boolean): void;
  /** The fields by which a page of another origin may read the answer to a request that nobody may serve. Never throws. */
  pageFieldsOf?(exchange: Exchange): readonly string[] | undefined;
  /** A request that nobody may serve was answered with this error. Never throws. */
  onRefusal(error: ChannelError): void;
}

/**
 * Bytes of later requests that are held while one is being answered. Beyond it the socket is not read, so that a
 * pipelining client cannot fill the heap; up to it reading goes on, so that a client that leaves is noticed.
 */
const MAX_HELD_BYTES = 65_536;

/**
 * While more of earlier answers is unsent, no pipelined request is begun: a client that asks and never reads would have us
 * hold all its answers.
 */
const MAX_UNSENT_BYTES = 65_536;

/**
 * When a client that has ended its side is first asked whether it still reads, and again. The first answer to one that
 * has left makes its system send a reset, and what is written after that fails.
 */
const PROBE_MS = 50;
const FIRST_PROBES = 2;

/** A response to a client that has ended its side is given up after so many looks, `PROBE_MS` apart, without a write. */
const SILENT_LOOKS = 4;

interface BodyReader {
  readonly resolve: (part: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class Http1Driver implements ByteStreamListener, Flushable {
  readonly stream: ByteStream;
  readonly connection: Http1Connection;
  readonly context: Http1Context;
  #exchange: Http1Exchange | undefined;
  #reader: BodyReader | undefined;
  #heldBytes = 0;
  /** Bytes of this connection that `context.received` counts. */
  #counted = 0;
  /** Memory of a body that is being read whole, and of the head of a request that has lasted for a beat. */
  #bodyMemory = 0;
  #headMemory = 0;
  #isPaused = false;
  #isClogged = false;
  #isAdvancing = false;
  #isReading = false;
  #isFlushQueued = false;
  #isHandedOver = false;
  #isEnding = false;
  #closeTimer: Timer | undefined;
  #probeTimer: Timer | undefined;
  /** Something was written since the last look of `endWhenSilent`. */
  #hasFlushed = false;
  /** Probes sent for the current exchange; undefined: none is needed. */
  #probes: number | undefined;
  /** What the last beat found, for how many requests so far, and since when. */
  #wait: Wait = "nothing";
  #waitRequests = 0;
  #waitSince = 0;
  #requests = 0;

  constructor(stream: ByteStream, context: Http1Context) {
    this.stream = stream;
    this.context = context;
    this.connection = new Http1Connection(context.http);
  }

  /** True while the stream is not read. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  get bufferedAmount(): number {
    return this.connection.outputSize + this.stream.bufferedAmount;
  }

  /** True if no request is being read or answered. */
  get isIdle(): boolean {
    return this.#exchange === undefined && this.connection.isIdle;
  }

  onBytes(bytes: Uint8Array): void {
    // After our end only the peer's is awaited: what it still sends is read so that no reset destroys our last answer
    // on its way (RFC 9112 §9.6).
    if (this.#isEnding) return;
    this.connection.receive(bytes);
    if (this.#exchange !== undefined || this.#isClogged) this.#hold(bytes.length);
    this.#isReading = true;
    this.#advance();
    this.#count();
    this.#isReading = false;
    this.flush();
  }

  onEof(): void {
    this.connection.receiveEof();
    const exchange = this.#exchange;
    if (exchange !== undefined) {
      exchange.isClientGone = true;
      exchange.listener?.onHalfClose();
    }
    this.#advance();
  }

  onDrain(): void {
    this.#exchange?.listener?.onDrain();
    if (this.#isEnding) this.#awaitPeersEnd();
    else if (this.#isClogged) this.#advance();
  }

  onClosed(error: Error | undefined): void {
    this.context.clock.clearTimer(this.#closeTimer);
    this.context.clock.clearTimer(this.#probeTimer);
    this.#isEnding = true;
    this.#release();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#reader?.reject(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    this.#reader = undefined;
    if (exchange === undefined) return;
    exchange.detach(error);
    this.context.onExchangeEnd(exchange, exchange.status, false);
  }

  /** Writes what the protocol holds, now. */
  flush(): void {
    this.#isFlushQueued = false;
    const output = this.connection.takeOutput();
    if (output === undefined) return;
    this.#hasFlushed = true;
    this.stream.write(output);
    if (this.stream.bufferedAmount === 0) this.#exchange?.listener?.onDrain();
  }

  /** Output was added: it leaves at the end of this turn, or now if it is much. */
  queueFlush(): void {
    if (this.connection.outputSize >= FLUSH_BYTES) this.flush();
    // Inside a read everything is written when the read is over.
    else if (!this.#isFlushQueued && !this.#isReading) {
      this.#isFlushQueued = true;
      this.context.flusher.add(this);
    }
  }

  /** No request after the one that is being answered, or has begun to arrive. An idle connection ends now. */
  closeSoon(): void {
    // Who does not read its answers is asked nothing more.
    this.connection.closeSoon({ finishesPartial: !this.#isClogged });
    this.#advance();
  }

  /**
   * Called about twice a second. A timeout counts from the first beat that finds its state, so that no request pays for a
   * timer: it comes up to two beats late, and never early. True if the connection was ended.
   */
  beat(now: number): boolean {
    if (this.#probes !== undefined && this.#probes >= FIRST_PROBES) this.#sendProbe();
    if (this.#exchange !== undefined && this.#headMemory === 0) this.#headMemory = memoryOf(this.#exchange.head);
    this.#count();
    const wait = this.#waitsFor();
    if (wait !== this.#wait || this.#requests !== this.#waitRequests) {
      this.#wait = wait;
      this.#waitRequests = this.#requests;
      this.#waitSince = now;
      return false;
    }
    const { headerTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = this.context.timeouts;
    const waited = now - this.#waitSince;
    const bodyTimeoutMs = requestTimeoutMs + earnedMs(this.connection.bodyBytes);
    if (wait === "request" && waited >= keepAliveTimeoutMs) this.closeSoon();
    else if ((wait === "head" && waited >= headerTimeoutMs) || (wait === "body" && waited >= bodyTimeoutMs)) {
      this.refuse(new ChannelError("REQUEST_TIMEOUT"));
    } else return false;
    return true;
  }

  /** Answers with this error instead of a request's response, and reads no more. */
  refuse(error: ChannelError): void {
    this.#refuse(error);
    this.#advance();
  }

  /** Parts of the current request's body wait for its rest. False if there was no room for them. */
  holdsBody(bytes: number): boolean {
    this.#bodyMemory = bytes;
    return this.#count();
  }

  makeRoom(): void {
    const { received } = this.context;
    if (received.isExceeded && received.isShareSpent(this.#counted)) this.#refuseInput();
  }

  isCurrent(exchange: Http1Exchange): boolean {
    return this.#exchange === exchange;
  }

  /**
   * Finds out whether a client that has ended its side, or is not read, is still there, with interim responses that mean
   * nothing to one that is (RFC 9110 §15.2: it must parse any number of them). At once, and then with each beat until there is
   * an answer, or it is read.
   */
  probe(): void {
    if (this.#probes !== undefined) return;
    this.#probes = 0;
    this.#probeSoon();
  }

  /** Drops the connection of a client that has ended its side, once nothing is written to it for a while. */
  endWhenSilent(): void {
    const exchange = this.#exchange;
    let looks = 0;
    this.#hasFlushed = false;
    const look = (): void => {
      if (this.#exchange !== exchange) return;
      looks = this.#hasFlushed || this.bufferedAmount > 0 ? 0 : looks + 1;
      this.#hasFlushed = false;
      if (looks === SILENT_LOOKS) this.abort();
      else this.#probeTimer = this.context.clock.setTimer(look, PROBE_MS);
    };
    this.#probeTimer = this.context.clock.setTimer(look, PROBE_MS);
  }

  /** Drops the connection. What was answered before still goes out: it may wait for the turn's end. */
  abort(): void {
    const output = this.connection.takeOutput();
    if (output !== undefined) this.stream.write(output);
    this.stream.destroy();
  }

  /** The response of the current exchange is whole. */
  responseEnded(): void {
    const exchange = this.#exchange!;
    this.#exchange = undefined;
    this.context.onExchangeEnd(exchange, exchange.status, true);
    this.#reader?.reject(new ChannelError("ALREADY_ANSWERED"));
    this.#reader = undefined;
    this.queueFlush();
    this.#advance();
  }

  readBody(): Promise<Uint8Array | undefined> {
    this.connection.wantBody();
    if (this.connection.outputSize > 0) this.queueFlush();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#advance();
      if (this.#reader !== undefined) this.#resume();
    });
  }

  /** The connection belongs to another protocol now, with the bytes that came behind the request. */
  handOver(): void {
    const exchange = this.#exchange!;
    this.#exchange = undefined;
    this.#isHandedOver = true;
    this.#release();
    this.context.onExchangeEnd(exchange, 101, true);
  }

  /** Does all that can be done with what has arrived. Loops instead of recursing: a response may end inside it. */
  #advance(): void {
    if (this.#isAdvancing || this.#isHandedOver || this.#isEnding) return;
    this.#isAdvancing = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#isAdvancing = false;
    }
    if (this.#isHandedOver) return;
    if (this.#exchange === undefined) {
      this.#bodyMemory = 0;
      this.#headMemory = 0;
      if (this.#counted > 0) this.#count();
      if (this.#isEnding) return;
      if (this.connection.isClosed) this.#end();
      else if (!this.#isClogged) this.#resume();
    }
  }

  /** One step forward; false when there is nothing to do but wait. */
  #step(): boolean {
    if (this.#exchange !== undefined) return this.#feedReader();
    if (this.connection.isDiscarding) {
      while (this.connection.nextBody() !== undefined);
      return !this.connection.isDiscarding;
    }
    this.#isClogged = this.stream.bufferedAmount > MAX_UNSENT_BYTES;
    if (this.#isClogged) return false;
    const head = this.connection.nextRequest();
    if (head === undefined) return false;
    this.#requests += 1;
    this.#exchange = new Http1Exchange(this, head);
    this.#probes = undefined;
    this.#exchange.isClientGone = this.connection.hasPeerEnded;
    this.#resumeIfCaughtUp();
    this.context.onExchange(this.#exchange);
    return !this.#isHandedOver;
  }

  #probeSoon(): void {
    this.#probeTimer = this.context.clock.setTimer(() => {
      this.#sendProbe();
      if (this.#probes !== undefined && this.#probes < FIRST_PROBES) this.#probeSoon();
    }, PROBE_MS);
  }

  #sendProbe(): void {
    const isNeeded = this.#exchange !== undefined && (this.#isPaused || this.#exchange.isClientGone);
    if (!isNeeded || !this.connection.sayProcessing()) this.#probes = undefined;
    else {
      this.#probes! += 1;
      this.flush();
    }
  }

  #feedReader(): boolean {
    const reader = this.#reader;
    if (reader === undefined) return false;
    const part = this.connection.nextBody();
    if (part === undefined && !this.connection.isBodyRead) return false;
    this.#reader = undefined;
    if (part === undefined) this.#resumeIfCaughtUp();
    reader.resolve(part);
    return false;
  }

  #waitsFor(): Wait {
    if (this.#isEnding || this.#isHandedOver) return "nothing";
    if (this.#exchange === undefined) {
      if (this.connection.isDiscarding) return "body";
      if (this.#isClogged) return "nothing";
      return this.connection.isIdle ? "request" : "head";
    }
    return this.#reader === undefined ? "nothing" : "body";
  }

  #refuse(error: unknown): void {
    if (!(error instanceof ChannelError)) throw error;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    const reader = this.#reader;
    this.#reader = undefined;
    const isAnswer = error.status !== undefined && !this.connection.isAnswering;
    // A body cut off by the end of the connection has nobody left who would read an answer.
    if (error.status === undefined) this.abort();
    else this.connection.refuse(error, exchange === undefined ? this.#pageFields() : exchange.refusedWith());
    reader?.reject(error);
    if (exchange !== undefined) {
      exchange.detach(error);
      this.context.onExchangeEnd(exchange, isAnswer ? error.status! : exchange.status, isAnswer);
    } else if (isAnswer) this.context.onRefusal(error);
    this.queueFlush();
  }

  /** Of a request that is refused for its body, before there is an exchange: a page may read why. */
  #pageFields(): readonly string[] | undefined {
    const head = this.connection.unansweredHead;
    return head === undefined ? undefined : this.context.pageFieldsOf?.(new Http1Exchange(this, head));
  }

  /** Brings the server's sum up to date. False if this connection grew and has to make room: it was refused then. */
  #count(): boolean {
    if (this.#isEnding || this.#isHandedOver) return true;
    const bytes = this.connection.heldBytes + this.#bodyMemory + this.#headMemory;
    const before = this.#counted;
    if (bytes === before) return true;
    const { received } = this.context;
    this.#counted = bytes;
    received.change(before, bytes);
    if (bytes < before || !received.isExceeded || !received.isShareSpent(bytes)) return true;
    this.#refuseInput();
    return false;
  }

  #refuseInput(): void {
    this.#release();
    this.refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  /** What this connection held is let go of. */
  #release(): void {
    this.#bodyMemory = 0;
    this.#headMemory = 0;
    if (this.#counted === 0) return;
    this.context.received.change(this.#counted, 0);
    this.#counted = 0;
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes <= MAX_HELD_BYTES || this.#reader !== undefined || this.#isPaused) return;
    this.#isPaused = true;
    this.stream.pause();
  }

  /** Only what was used up makes room: a client that sends more with every answer must not grow what is held. */
  #resumeIfCaughtUp(): void {
    if (this.#heldBytes > 0 && this.connection.isCaughtUp) this.#resume();
  }

  #resume(): void {
    this.#heldBytes = 0;
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.stream.resume();
  }

  #end(): void {
    this.#isEnding = true;
    this.#release();
    this.flush();
    this.#resume();
    this.stream.end();
    if (this.stream.bufferedAmount === 0) this.#awaitPeersEnd();
  }

  #awaitPeersEnd(): void {
    this.#closeTimer ??= this.context.clock.setTimer(() => this.stream.destroy(), this.context.closeTimeoutMs);
  }
}

/** The memory of a request's head, about: a parked poll keeps it for as long as it waits. */
function memoryOf({ target, fields }: RequestHead): number {
  let bytes = target.length + 32 * fields.length;
  for (const text of fields) bytes += text.length;
  return bytes;
}
