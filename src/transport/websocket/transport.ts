// The WebSocket transport: a WebSocketConnection over a ByteStream. It reads at the pace of the listener, writes once a turn,
// and ends TCP when the closing handshake is done or takes too long (RFC 6455 §7.1.1).
// Long because reading, writing, liveness and the end share the state of the stream.

import { NO_BYTES, utf8Bytes } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError, type ErrorCode } from "../../base/errors.ts";
import type { Output } from "../../base/output.ts";
import { FIN, OPCODE } from "../../codec/ws-frame.ts";
import { EncodedMessage } from "../../protocol/encoded-message.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";
import {
  SERVER_SIDE,
  type WebSocketClosed,
  WebSocketConnection,
  type WebSocketConnectionEvent,
} from "../../protocol/websocket.ts";
import { type CloseStatus, closeStatus, connectionFailed } from "../close-status.ts";
import type { WebSocketOptions } from "../exchange.ts";
import type { BufferBudget } from "../io/buffer-budget.ts";
import type { ByteStream, ByteStreamListener } from "../io/byte-stream.ts";
import type { Flushable, Flusher } from "../io/flusher.ts";
import { earnedMs, FLUSH_BYTES } from "../limits.ts";
import type { Heartbeat, Transport, TransportKind, TransportListener } from "../transport.ts";
import { afterStep, delivers, isGone, isPaused, type Reading, type ReadingStep } from "./reading.ts";

/** A message in parts has begun without a part. */
const FIRST_PART = 1;
const DELIVERING = 2;
const FLUSH_QUEUED = 4;
/** Bytes arrived since the last tick. */
const HEARD = 8;

/** Bytes that are read ahead while the listener has paused. */
const MAX_AHEAD_BYTES = 65_536;

export interface WebSocketContext {
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Received bytes of all clients that were not delivered. */
  readonly received: BufferBudget;
}

export class WebSocketTransport implements Transport, ByteStreamListener, Flushable {
  readonly #stream: ByteStream;
  readonly #context: WebSocketContext;
  readonly #connection: WebSocketConnection;
  readonly #options: WebSocketOptions;
  #listener: TransportListener | undefined;
  #reading: Reading = "unopened";
  /** Four booleans packed into one number: as fields they cost 8 bytes each per WebSocket. */
  #flags: number = HEARD;
  #closeTimer: Timer | undefined;
  #heardAt = 0;
  /** The time of a ping that is unanswered. */
  #pingedAt: number | undefined;
  /** Pings and pongs in the second that began at `#controlsSince`. Not a `RateLimit`: each idle WebSocket gets pongs, and would keep one. */
  #controls = 0;
  #controlsSince = 0;
  /** Bytes of this connection in `received`. */
  #counted = 0;

  /** `output`: the 101, which goes out first. */
  constructor(stream: ByteStream, context: WebSocketContext, options: WebSocketOptions, output?: Output) {
    this.#stream = stream;
    this.#context = context;
    this.#connection = new WebSocketConnection(SERVER_SIDE, options, output);
    this.#options = options;
  }

  /** True if nothing more is sent, and only bytes that have arrived already are still delivered. */
  #isOver(): boolean {
    return this.#connection.isClosed || isGone(this.#reading);
  }

  get kind(): TransportKind {
    return "websocket";
  }

  get messageForm(): "message" {
    return "message";
  }

  get outlivesExchange(): true {
    return true;
  }

  get bufferedAmount(): number {
    return this.#connection.outputSize + this.#stream.bufferedAmount;
  }

  get pinnedBytes(): number {
    return this.#stream.pinnedBytes ?? 0;
  }

  /** Takes the bytes that arrived after the request. */
  begins(rest: Uint8Array | undefined): void {
    if (rest !== undefined) this.#connection.receive(rest);
    this.#queueFlush();
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
  }

  open(): void {
    this.#step("open");
    this.#stream.resume();
    this.#deliver();
    this.#queueFlush();
  }

  send(message: OutboundMessage): void {
    const { body } = message;
    if (message instanceof EncodedMessage) this.#connection.sendEncoded(message);
    else if (typeof body === "string") this.#connection.sendText(body);
    else if (body !== null) this.#connection.sendBinary(body);
    this.#queueFlush();
  }

  sendText(text: string): void {
    this.#connection.sendText(text);
    this.#queueFlush();
  }

  sendPrefixed(prefix: string, text: string): void {
    this.#connection.sendText(text, prefix);
    this.#queueFlush();
  }

  sendLast(message: OutboundMessage): void {
    this.send(message);
    this.close(1000, "");
  }

  begin(): void {
    this.#flags |= FIRST_PART;
  }

  part(data: string | Uint8Array): void {
    // §5.4: the first fragment has the type of the message; the others continue it, as text or as bytes.
    this.#sendFragment(typeof data === "string" ? OPCODE.TEXT : OPCODE.BINARY, data, 0);
  }

  finish(): void {
    this.#sendFragment(OPCODE.TEXT, "", FIN);
  }

  fail(code: number, reason: string): void {
    this.close(code, reason);
    // The timer does not wait for unsent bytes.
    this.#startCloseTimer();
  }

  ping(data: Uint8Array): boolean {
    this.#connection.ping(data);
    this.#queueFlush();
    return true;
  }

  close(code: number, reason: string): void {
    this.#connection.close(code, reason);
    // A paused reader would never see the answer.
    this.resume();
    this.#queueFlush();
  }

  goodbye(): void {
    this.close(1001, "server is stopping");
  }

  terminate(): void {
    this.#drop({ by: "server" });
  }

  /**
   * Every received byte is a sign of life, so a busy connection is never pinged, and costs one store per read instead of a
   * timer. Silence while the stream is not read means nothing.
   */
  tick(now: number, { pingIntervalMs, pongTimeoutMs }: Heartbeat): void {
    // A slow peer that still reads must see a sign of life.
    if (this.#connection.sendPendingPong()) this.#queueFlush();
    this.#checkMessageTimeout(now);
    if (isPaused(this.#reading)) this.#findEnd();
    if (this.#isOver() || pingIntervalMs === 0) return;
    if (this.#flags & HEARD || isPaused(this.#reading)) {
      this.#flags &= ~HEARD;
      this.#heardAt = now;
      this.#pingedAt = undefined;
    } else if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt >= pongTimeoutMs) this.#drop();
    } else if (now - this.#heardAt >= pingIntervalMs) {
      this.#pingedAt = now;
      this.ping(NO_BYTES);
    }
  }

  /** Does nothing once the connection is over: the rest is delivered at once. */
  pause(): void {
    if (!this.#isOver() && this.#step("pause")) this.#stopIfFull();
  }

  resume(): void {
    const isStopped = this.#reading === "stopped";
    if (!this.#step("resume")) return;
    if (isStopped) this.#stream.resume();
    this.#deliver();
    this.#queueFlush();
  }

  onBytes(bytes: Uint8Array): void {
    this.#flags |= HEARD;
    this.#connection.receive(bytes);
    this.#deliver();
    if (this.#reading === "paused") this.#stopIfFull();
    if (this.#connection.outputSize > 0) this.flush();
  }

  onEof(): void {
    this.#connection.receiveEof();
    this.#step("end");
    this.#deliver();
  }

  onDrain(): void {
    this.#connection.holdsPongs = false;
    if (this.#connection.sendPendingPong()) this.#queueFlush();
    this.#emptied();
  }

  onClosed(): void {
    this.#context.clock.clearTimer(this.#closeTimer);
    // Bytes that were read before are still delivered, then the end.
    this.#connection.receiveEof();
    this.#step("close");
    this.#deliver();
  }

  makeRoom(): void {
    const { received } = this.#context;
    if (received.isExceeded && received.isShareSpent(this.#counted)) this.#refuse("RECEIVE_OVERFLOW");
  }

  flush(): void {
    this.#flags &= ~FLUSH_QUEUED;
    const output = this.#connection.takeOutput();
    if (output === undefined) return;
    this.#stream.write(output);
    if (this.#stream.bufferedAmount === 0) this.#emptied();
  }

  #stopIfFull(): void {
    if (this.#connection.heldBytes > MAX_AHEAD_BYTES && this.#step("fill")) this.#stream.pause();
  }

  /**
   * Finds the end of a client that is not read. Its close frame may have arrived already. Its FIN may stand behind unread bytes:
   * then its system answers a write with a reset, and the next write fails. A pong needs no answer (§5.5.3).
   */
  #findEnd(): void {
    if (this.#connection.hasClose()) {
      this.#step("end");
      this.#deliver();
    } else if (this.#reading === "stopped" && this.#stream.bufferedAmount === 0) {
      this.#connection.sendPong();
      this.#queueFlush();
    }
  }

  #deliver(): void {
    const listener = this.#listener;
    // A listener that resumes or closes from inside a delivery must not start a second loop.
    if (listener !== undefined && !(this.#flags & DELIVERING)) {
      this.#flags |= DELIVERING;
      try {
        while (delivers(this.#reading)) {
          const event = this.#connection.next();
          if (event === undefined) break;
          this.#deliverEvent(event, listener);
        }
      } finally {
        this.#flags &= ~DELIVERING;
      }
    }
    this.#updateBudget();
  }

  #deliverEvent(event: WebSocketConnectionEvent, listener: TransportListener): void {
    switch (event.type) {
      case "message":
        listener.messageArrived(event.data);
        break;
      case "ping":
        this.#queueFlush();
        this.#connection.holdsPongs = this.#stream.bufferedAmount > 0;
        if (!this.#isFlooded()) listener.pingArrived(event.data);
        break;
      case "pong":
        if (!this.#isFlooded()) listener.pongArrived(event.data);
        break;
      case "closed":
        this.#ended(event);
    }
  }

  /** Counts a control frame. Fails the connection for more than the limit within a second from the first of them. */
  #isFlooded(): boolean {
    const { maxControlFramesPerSecond = Number.POSITIVE_INFINITY } = this.#options;
    if (maxControlFramesPerSecond === Number.POSITIVE_INFINITY) return false;
    const now = this.#context.clock.now();
    if (Math.abs(now - this.#controlsSince) >= 1000) {
      this.#controls = 0;
      this.#controlsSince = now;
    }
    this.#controls += 1;
    const isFlood = this.#controls > maxControlFramesPerSecond;
    if (isFlood) this.#refuse("TOO_MANY_CONTROL_FRAMES");
    return isFlood;
  }

  /** Updates `received`; fails the connection if it grew and has to make room. */
  #updateBudget(): void {
    const bytes = this.#connection.heldBytes;
    const before = this.#counted;
    if (bytes === before) return;
    const { received } = this.#context;
    this.#counted = bytes;
    received.change(before, bytes);
    if (bytes > before && received.isExceeded && received.isShareSpent(bytes)) this.#refuse("RECEIVE_OVERFLOW");
  }

  /** Fails the connection if a message takes longer than `messageTimeoutMs` and the time that its bytes have earned. */
  #checkMessageTimeout(now: number): void {
    const unfinished = this.#connection.unfinished;
    if (unfinished === undefined) return;
    // A message makes no progress while the stream is not read.
    if (unfinished.since === undefined || isPaused(this.#reading)) unfinished.since = now;
    const { messageTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    if (now - unfinished.since >= messageTimeoutMs + earnedMs(unfinished.bytes)) this.#refuse("MESSAGE_TIMEOUT");
  }

  /** §7.1.7: fails the connection unless it is closed. */
  #refuse(code: ErrorCode): void {
    const end = this.#connection.refuse(new ChannelError(code));
    if (end === undefined) return;
    this.#updateBudget();
    this.#ended(end);
  }

  /** Starts the close timer when the close frame has left: a slow client may take long for the data before it. */
  #emptied(): void {
    if (!this.#connection.isOpen) this.#startCloseTimer();
    this.#listener?.bufferEmptied();
  }

  /** Ends without a handshake. */
  #drop(how?: Pick<WebSocketClosed, "by">): void {
    this.#stream.destroy();
    const end = this.#connection.abort();
    this.#updateBudget();
    if (end !== undefined) this.#ended({ ...end, ...how });
  }

  /** §7.1.1: the server ends TCP first; a client that does not follow is dropped. */
  #ended(event: WebSocketClosed): void {
    if (!isGone(this.#reading)) {
      this.flush();
      // The end of the peer must be read.
      this.#stream.resume();
      this.#stream.end();
      this.#startCloseTimer();
    }
    this.#listener?.transportClosed(statusOf(event));
  }

  #startCloseTimer(): void {
    if (isGone(this.#reading)) return;
    this.#closeTimer ??= this.#context.clock.setTimer(() => this.terminate(), this.#options.closeTimeoutMs);
  }

  /** `first` is the opcode where this fragment is the message's first. `flags`: FIN for its last, otherwise 0. */
  #sendFragment(first: number, data: string | Uint8Array, flags: number): void {
    const opcode = this.#flags & FIRST_PART ? first : OPCODE.CONTINUATION;
    this.#flags &= ~FIRST_PART;
    this.#connection.sendFragment(opcode, typeof data === "string" ? utf8Bytes(data) : data, flags);
    this.#queueFlush();
  }

  #step(step: ReadingStep): boolean {
    const next = afterStep(this.#reading, step);
    if (next === undefined) return false;
    this.#reading = next;
    return true;
  }

  #queueFlush(): void {
    const size = this.#connection.outputSize;
    if (size >= FLUSH_BYTES) this.flush();
    // Inside a read everything is written when the read is over.
    else if (size > 0 && !(this.#flags & FLUSH_QUEUED) && !(this.#flags & DELIVERING)) {
      this.#flags |= FLUSH_QUEUED;
      this.#context.flusher.add(this);
    }
  }
}

function statusOf(event: WebSocketClosed): CloseStatus {
  return event.by === "network" ? connectionFailed(event.reason) : closeStatus(event.by, event.code, event.reason);
}
