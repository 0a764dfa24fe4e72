// Drives one HTTP/1.1 connection: a ByteStream below, the protocol's state machine in the middle, an Exchange per
// request above. This file decides when bytes are read and written and when the connection ends; `protocol/http1.ts`
// interprets them.
// Long because reading, writing and ending depend on one state.

import type { Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { Http1Connection } from "../../protocol/http1.ts";
import type { ExchangeContext } from "../exchange-context.ts";
import { type Awaited, Inactivity } from "../input/inactivity.ts";
import { ReceivedMemory } from "../input/received-memory.ts";
import type { ByteStream, ByteStreamListener } from "../io/byte-stream.ts";
import type { Flushable } from "../io/flusher.ts";
import { FLUSH_BYTES } from "../limits.ts";
import { ClientProbe, SilenceWatch } from "./client-probe.ts";
import { DRIVER_STATES, type DriverState } from "./driver-state.ts";
import { type ClientConnection, type ExchangeOwner, Http1Exchange } from "./exchange.ts";

/**
 * Bytes of later requests that are held while one is being answered. Beyond it the socket is not read, so that a
 * pipelining client cannot fill the heap; up to it reading goes on, so that a client that leaves is noticed.
 */
const MAX_HELD_BYTES = 65_536;

/**
 * While more bytes of earlier answers are unsent, no pipelined request is begun: otherwise a client that sends requests and never
 * reads could fill the heap with its answers.
 */
const MAX_UNSENT_BYTES = 65_536;

interface BodyReader {
  readonly resolve: (part: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class Http1Driver implements ByteStreamListener, Flushable, ExchangeOwner {
  readonly stream: ByteStream;
  readonly client: ClientConnection;
  readonly connection: Http1Connection;
  readonly context: ExchangeContext;
  #state: DriverState = DRIVER_STATES.reading;
  /** The request that is being answered. */
  #exchange: Http1Exchange | undefined;
  /** Exists while the application waits for a part of the request's body. */
  #reader: BodyReader | undefined;
  readonly #memory = new ReceivedMemory();
  /** Created by the first tick: a connection that becomes a WebSocket in its first second has none. */
  #inactivity: Inactivity | undefined;
  /** Bytes that arrived while no request could be begun. */
  #heldBytes = 0;
  isReadingPaused = false;
  /** Guards against calls from inside `#advance`. */
  #isAdvancing = false;
  /** True inside `onBytes`, which writes the output when all bytes have been handled. */
  #isReading = false;
  #isFlushQueued = false;
  #closeTimer: Timer | undefined;
  #probe: ClientProbe | undefined;
  #silence: SilenceWatch | undefined;
  #requests = 0;

  /** `client`: the stream itself, or the client of the proxy that it comes from. */
  constructor(stream: ByteStream, context: ExchangeContext, client: ClientConnection = stream) {
    this.stream = stream;
    this.client = client;
    this.context = context;
    this.connection = new Http1Connection(context.http);
  }

  get bufferedAmount(): number {
    return this.connection.outputSize + this.stream.bufferedAmount;
  }

  get isIdle(): boolean {
    return this.#exchange === undefined && this.connection.isIdle;
  }

  onBytes(bytes: Uint8Array): void {
    // After our end the peer's bytes are read and dropped, so that no reset destroys our last answer on its way (RFC 9112
    // §9.6).
    if (this.#isOver()) return;
    this.connection.receive(bytes);
    if (this.#state !== DRIVER_STATES.reading) this.#hold(bytes.length);
    this.#isReading = true;
    this.#advance();
    this.#updateBudget();
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
    if (this.#state === DRIVER_STATES.ending) this.#awaitPeersEnd();
    else if (this.#state === DRIVER_STATES.writeBlocked) this.#advance();
  }

  onClosed(error: Error | undefined): void {
    this.context.clock.clearTimer(this.#closeTimer);
    this.#memory.release(this.context.received);
    const exchange = this.#leaveExchange(this.#state.close);
    this.#takeReader()?.reject(new ChannelError("CLIENT_GONE", undefined, { cause: error }));
    if (exchange === undefined) return;
    exchange.detach(error);
    this.context.onExchangeCut(exchange, exchange.status);
  }

  /** Writes the output of the protocol now. */
  flush(): void {
    this.#isFlushQueued = false;
    const output = this.connection.takeOutput();
    if (output === undefined) return;
    this.#silence?.wrote();
    this.stream.write(output);
    if (this.stream.bufferedAmount === 0) this.#exchange?.listener?.onDrain();
  }

  /** Writes the output at the end of this turn, or now if it is long. */
  queueFlush(): void {
    if (this.connection.outputSize >= FLUSH_BYTES) this.flush();
    // `onBytes` writes everything at its end.
    else if (!this.#isFlushQueued && !this.#isReading) {
      this.#isFlushQueued = true;
      this.context.flusher.add(this);
    }
  }

  /** As `closeSoon`, but an idle connection takes one more request, whose response says that it closes. */
  announceClose(): void {
    if (this.isIdle && this.#state === DRIVER_STATES.reading) this.connection.announceClose();
    else this.closeSoon();
  }

  /** Takes no request after the one that is being answered, or has begun to arrive. An idle connection ends now. */
  closeSoon(): void {
    // A client that does not read its answers gets no more of them.
    this.connection.closeSoon({ finishesPartial: this.#state !== DRIVER_STATES.writeBlocked });
    this.#advance();
  }

  /** Called about twice a second. True if it has ended the connection, because its client took too long. */
  tick(now: number): boolean {
    this.#probe?.tick();
    if (this.#exchange !== undefined) this.#memory.holdHead(this.#exchange.head);
    this.#updateBudget();
    const awaited = this.#awaited;
    const wait = { awaited, requests: this.#requests, bodyBytes: this.connection.bodyBytes };
    this.#inactivity ??= new Inactivity();
    if (!this.#inactivity.hasExpired(now, wait, this.context.timeouts)) return false;
    if (awaited === "request") this.closeSoon();
    else this.refuse(new ChannelError("REQUEST_TIMEOUT"));
    return true;
  }

  /** Answers with this error instead of a request's response, and reads no more. */
  refuse(error: ChannelError): void {
    this.#refuse(error);
    this.#advance();
  }

  holdsBody(bytes: number): boolean {
    this.#memory.holdBody(bytes);
    return this.#updateBudget();
  }

  /** The input of all clients is over its limit: ends the connection if it holds its equal share or more. */
  makeRoom(): void {
    if (this.#memory.isShareSpent(this.context.received)) this.#refuseInput();
  }

  isCurrent(exchange: Http1Exchange): boolean {
    return this.#exchange === exchange;
  }

  /** Sends probes soon, and then with each tick, until the client is gone, or read, or its response has begun. */
  probe(): void {
    if (this.#probe === undefined || this.#probe.isOver) {
      this.#probe = new ClientProbe(this.context.clock, () => this.#sendProbe());
    }
  }

  endWhenSilent(): void {
    this.#silence ??= new SilenceWatch(
      this.context.clock,
      () => this.bufferedAmount > 0,
      () => this.abort(),
    );
  }

  sendInterim(): void {
    if (this.connection.sendInterim()) this.flush();
  }

  /** Drops the connection, after writing the output of earlier answers: it may wait for the turn's end. */
  abort(): void {
    const output = this.connection.takeOutput();
    if (output !== undefined) this.stream.write(output);
    this.stream.destroy();
  }

  responseEnded(): void {
    const exchange = this.#leaveExchange(this.#state.answered)!;
    this.context.onExchangeEnd(exchange, exchange.status!);
    this.#takeReader()?.reject(new ChannelError("ALREADY_ANSWERED"));
    this.queueFlush();
    this.#advance();
  }

  readBody(): Promise<Uint8Array | undefined> {
    this.connection.sendContinue();
    if (this.connection.outputSize > 0) this.queueFlush();
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#advance();
      if (this.#reader !== undefined) this.#resume();
    });
  }

  handOver(): void {
    const exchange = this.#leaveExchange(this.#state.upgrade)!;
    this.#memory.release(this.context.received);
    this.context.onExchangeEnd(exchange, 101);
  }

  /** Handles all bytes that have arrived. A loop, because a response may end inside it. */
  #advance(): void {
    if (this.#isAdvancing || this.#isOver()) return;
    this.#isAdvancing = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#isAdvancing = false;
    }
    if (this.#isOver() || this.#exchange !== undefined) return;
    this.#memory.releaseRequest();
    this.#updateBudget();
    if (this.#isOver()) return;
    if (this.connection.isClosed) this.#end();
    else if (this.#state === DRIVER_STATES.reading) this.#resume();
  }

  /** Takes one step. False if none is possible before the next event. */
  #step(): boolean {
    if (this.#exchange !== undefined) return this.#feedReader();
    if (this.connection.isDiscarding) {
      while (this.connection.nextBody() !== undefined);
      return !this.connection.isDiscarding;
    }
    const isBlocked = this.stream.bufferedAmount > MAX_UNSENT_BYTES;
    if (isBlocked !== (this.#state === DRIVER_STATES.writeBlocked))
      this.#moveTo(isBlocked ? this.#state.block : this.#state.unblock);
    if (isBlocked) return false;
    const head = this.connection.nextRequest();
    if (head === undefined) return false;
    this.#requests += 1;
    this.#exchange = new Http1Exchange(this, head);
    this.#moveTo(this.#state.request);
    this.#exchange.isClientGone = this.connection.hasPeerEnded;
    this.#resumeIfCaughtUp();
    this.context.onExchange(this.#exchange);
    return !this.#isOver();
  }

  #sendProbe(): boolean {
    const isNeeded = this.isReadingPaused || this.#exchange?.isClientGone === true;
    if (!isNeeded || !this.connection.sendInterim()) return false;
    this.flush();
    return true;
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

  /** The part of a request that the client has not sent yet. */
  get #awaited(): Awaited {
    if (this.#state === DRIVER_STATES.answering) return this.#reader === undefined ? "nothing" : "body";
    if (this.#isOver()) return "nothing";
    if (this.connection.isDiscarding) return "body";
    if (this.#state === DRIVER_STATES.writeBlocked) return "nothing";
    return this.connection.isIdle ? "request" : "head";
  }

  #refuse(error: unknown): void {
    if (!(error instanceof ChannelError)) throw error;
    const exchange = this.#exchange === undefined ? undefined : this.#leaveExchange(this.#state.answered);
    const reader = this.#takeReader();
    const isAnswered = error.status !== undefined && !this.connection.isAnswering;
    // The connection ended within a body: the client cannot read an answer any more.
    if (error.status === undefined) this.abort();
    else this.connection.refuse(error, exchange === undefined ? this.#corsFields() : exchange.refusedWith());
    reader?.reject(error);
    exchange?.detach(error);
    if (exchange === undefined) {
      if (isAnswered) this.context.onRefusal(error);
    } else if (isAnswered) this.context.onExchangeEnd(exchange, error.status!);
    else this.context.onExchangeCut(exchange, exchange.status);
    this.queueFlush();
  }

  /** The fields by which a page may read why a request was refused for its body, before there was an exchange. */
  #corsFields(): readonly string[] | undefined {
    const head = this.connection.unansweredHead;
    return head === undefined ? undefined : this.context.corsFieldsOf?.(new Http1Exchange(this, head));
  }

  /** Updates the budget for received bytes. False if this connection has to make room: it was refused then. */
  #updateBudget(): boolean {
    if (this.#isOver() || this.#memory.count(this.connection.heldBytes, this.context.received)) return true;
    this.#refuseInput();
    return false;
  }

  #refuseInput(): void {
    this.#memory.release(this.context.received);
    this.refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes <= MAX_HELD_BYTES || this.#reader !== undefined || this.isReadingPaused) return;
    this.isReadingPaused = true;
    this.stream.pause();
  }

  /** Resumes reading when no bytes are held: a client that sends more with each answer must not make the held bytes grow. */
  #resumeIfCaughtUp(): void {
    if (this.#heldBytes > 0 && this.connection.isCaughtUp) this.#resume();
  }

  #resume(): void {
    this.#heldBytes = 0;
    if (!this.isReadingPaused) return;
    this.isReadingPaused = false;
    this.stream.resume();
  }

  #end(): void {
    this.#moveTo(this.#state.end);
    this.#memory.release(this.context.received);
    this.flush();
    this.#resume();
    this.stream.end();
    if (this.stream.bufferedAmount === 0) this.#awaitPeersEnd();
  }

  #awaitPeersEnd(): void {
    this.#closeTimer ??= this.context.clock.setTimer(() => this.stream.destroy(), this.context.closeTimeoutMs);
  }

  #leaveExchange(next: DriverState | undefined): Http1Exchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#moveTo(next);
    this.#probe?.stop();
    this.#probe = undefined;
    this.#silence?.stop();
    this.#silence = undefined;
    return exchange;
  }

  #takeReader(): BodyReader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  /** True once nothing is read or written on the stream any more. */
  #isOver(): boolean {
    const state = this.#state;
    return state === DRIVER_STATES.ending || state === DRIVER_STATES.closed || state === DRIVER_STATES.handedOver;
  }

  /** `state`: the state after a step; undefined if the present state has no such step. */
  #moveTo(state: DriverState | undefined): void {
    if (state === undefined) throw new Error(`a connection is ${this.#state.name}, which does not allow this step`);
    this.#state = state;
  }
}
