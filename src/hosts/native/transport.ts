// A WebSocket of the host as a transport. The host has the protocol; this file has what the contract of a channel adds: one
// write for each turn, counted and bounded memory in both directions, a pace that the listener sets, signs of life, and the end.
// Long because sending, receiving and the end share the state of one socket.

import { concat, NO_BYTES, utf8Bytes, utf8Length } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError, type ErrorCode } from "../../base/errors.ts";
import { heldBytes } from "../../base/memory-size.ts";
import { Queue } from "../../base/queue.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";
import { closeStatus, connectionFailed } from "../../transport/close-status.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import type { BufferBudget } from "../../transport/io/buffer-budget.ts";
import type { Flushable, Flusher } from "../../transport/io/flusher.ts";
import { FLUSH_BYTES } from "../../transport/limits.ts";
import type { Heartbeat, Transport, TransportKind, TransportListener } from "../../transport/transport.ts";
import type { HostSent, HostSocket, HostSocketEnd } from "./host-socket.ts";

/**
 * opening    the host has not opened the WebSocket; what is sent waits
 * open       messages go both ways
 * closing    our close waits for what was sent before; nothing more is sent
 * closed     the host has closed it, or was told to
 */
type SocketState = "opening" | "open" | "closing" | "closed";

/** Every legal move. */
const MOVES: Record<SocketState, readonly SocketState[]> = {
  opening: ["open", "closed"],
  open: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
};

/** Bytes that are held for a listener that has paused, before the host is told to stop reading. */
const MAX_AHEAD_BYTES = 65_536;
/** How often a host without a drain event is asked whether it has sent all, in milliseconds. */
const POLL_MS = 10;

export interface HostWebSocketContext {
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Unsent bytes of all clients. */
  readonly budget: BufferBudget;
  /** Received bytes of all clients that were not delivered. */
  readonly received: BufferBudget;
  readonly limits: {
    readonly writeTimeoutMs: number;
    readonly maxBufferedBytes: number;
  };
  /** Most bytes that wait for a slow listener, on a host that cannot stop reading. */
  readonly maxUnreadBytes: number;
}

type Ping = { readonly ping: Uint8Array };
type Part = { readonly first: boolean; readonly data: string | Uint8Array } | "last";
type Unsent = OutboundMessage | Ping | Part;

export class HostWebSocket implements Transport, Flushable {
  readonly kind: TransportKind = "websocket";
  readonly messageForm = "message";
  readonly outlivesExchange = true;
  readonly #context: HostWebSocketContext;
  readonly #options: WebSocketOptions;
  /** Called once, when the host has closed it. */
  readonly #onOver: () => void;
  #socket: HostSocket | undefined;
  #state: SocketState = "opening";
  #listener: TransportListener | undefined;
  /** Messages are delivered: `open` was called, and no `pause` since. */
  #isReading = false;
  /** `open` was called. */
  #isOpened = false;
  #isPausedByUs = false;
  /** A message of the host is being delivered: what is sent leaves with the end of it. */
  #isDelivering = false;
  #isHeard = true;
  #isFlushQueued = false;
  /** The host has bytes that the system has not taken: asking it for each message costs as much as sending one. */
  #isBlocked = false;
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  /** The parts of a message that is joined, because the host sends no fragments; undefined between such messages. */
  #parts: (string | Uint8Array)[] | undefined;
  #partBytes = 0;
  #isFirstPart = false;
  /** Received messages that wait for the listener. */
  #held: Queue<string | Uint8Array> | undefined;
  #heldBytes = 0;
  /** Bytes of this WebSocket in the budget for unsent bytes. */
  #counted = 0;
  /** The host's `bufferedAmount` when it was looked at last, and what it was given since: it has sent some if it has less. */
  #expected = 0;
  #given = 0;
  #stalledSince: number | undefined;
  #heardAt = 0;
  #pingedAt: number | undefined;
  #controls = 0;
  #controlsSince = 0;
  /** The close that this side has asked for. */
  #close: HostSocketEnd | undefined;
  #end: HostSocketEnd | undefined;
  #isEndTold = false;
  #closeTimer: Timer | undefined;
  #pollTimer: Timer | undefined;

  constructor(context: HostWebSocketContext, options: WebSocketOptions, onOver: () => void) {
    this.#context = context;
    this.#options = options;
    this.#onOver = onOver;
  }

  get bufferedAmount(): number {
    return this.#unsentBytes + (this.#isBlocked && this.#state !== "closed" ? this.#socket!.bufferedAmount : 0);
  }

  /** The parts of a message that is not whole are memory, but no client could take them. */
  get pinnedBytes(): number {
    return this.#partBytes;
  }

  /** The host has opened the WebSocket. */
  socketOpened(socket: HostSocket): void {
    // The server has dropped it before.
    if (this.#state === "closed") {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.#moveTo("open");
    this.flush();
    if (this.#close !== undefined) this.#startClosing();
  }

  /** The host has read a message. The bytes must stay as they are. */
  socketMessage(data: string | Uint8Array): void {
    this.#isHeard = true;
    if (this.#state === "closing" || this.#state === "closed") return;
    if (this.#isTooLong(data)) this.#refuse("MESSAGE_TOO_BIG");
    else if (this.#isReading && this.#held === undefined) this.#deliver(data);
    else this.#hold(data);
  }

  socketPing(data: Uint8Array): void {
    this.#isHeard = true;
    if (!this.#isFlooded()) this.#listener?.pingArrived(data);
  }

  socketPong(data: Uint8Array): void {
    this.#isHeard = true;
    if (!this.#isFlooded()) this.#listener?.pongArrived(data);
  }

  /** The host has sent some of what was unsent. */
  socketDrained(): void {
    this.#askHost();
    this.#count();
    if (this.bufferedAmount === 0) this.#emptied();
  }

  /** The host has closed the WebSocket. Called once. */
  socketClosed(end: HostSocketEnd): void {
    this.#ended(this.#close ?? end);
    this.#context.clock.clearTimer(this.#closeTimer);
    this.#socket = undefined;
    this.#onOver();
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
  }

  open(): void {
    this.#isOpened = true;
    this.#isReading = true;
    this.#deliverHeld();
  }

  send(message: OutboundMessage): void {
    const { body } = message;
    if (body === null || !this.#canSend) return;
    // Inside a delivery the host is corked, and what is sent leaves at its end.
    if (this.#isDelivering && this.#unsent.length === 0) this.#sendNow(body);
    else this.#queue(message, body.length);
  }

  sendLast(message: OutboundMessage): void {
    this.send(message);
    this.close(1000, "");
  }

  begin(): void {
    this.#isFirstPart = true;
    if (this.#state === "open" && this.#socket!.fragments !== undefined) return;
    this.#parts = [];
  }

  /** Throws MESSAGE_TOO_BIG for a message that has to be joined, and is longer than this server buffers for a client. */
  part(data: string | Uint8Array): void {
    if (this.#parts === undefined) {
      this.#queue({ first: this.#isFirstPart, data }, data.length);
      this.#isFirstPart = false;
      return;
    }
    this.#partBytes += typeof data === "string" ? utf8Length(data) : data.length;
    this.#parts.push(data);
    this.#count();
    const { maxBufferedBytes } = this.#context.limits;
    if (this.#partBytes <= maxBufferedBytes) return;
    this.#dropParts();
    throw new ChannelError(
      "MESSAGE_TOO_BIG",
      "this host sends no fragments, so a message in parts is joined, up to maxBufferedBytes: send its parts as messages",
    );
  }

  finish(): void {
    const parts = this.#parts;
    if (parts === undefined) {
      if (this.#isFirstPart) this.#queue({ first: true, data: "" }, 0);
      this.#queue("last", 0);
      return;
    }
    this.#dropParts();
    const isText = parts.length === 0 || typeof parts[0] === "string";
    const bytes = concat(parts.map((part) => (typeof part === "string" ? utf8Bytes(part) : part)));
    const body = isText ? Buffer.from(bytes).toString() : bytes;
    this.send({ status: undefined, fields: [], body, event: undefined, length: undefined });
  }

  fail(code: number, reason: string): void {
    this.close(code, reason);
    // The timer does not wait for what is unsent.
    this.#startCloseTimer();
  }

  ping(data: Uint8Array): boolean {
    if (data.length > 125) throw new ChannelError("BAD_DATA", "a ping carries 125 bytes at most (RFC 6455 §5.5)");
    if (!this.#canSend || (this.#state === "open" && this.#socket!.ping === undefined)) return false;
    this.#queue({ ping: data }, data.length);
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#close !== undefined || this.#state === "closed") return;
    this.#close = { by: "server", code, reason };
    if (this.#state === "open") this.#startClosing();
  }

  goodbye(): void {
    this.close(1001, "server is stopping");
  }

  terminate(): void {
    this.#drop({ by: "server", code: 1006, reason: "" });
  }

  flush(): void {
    this.#isFlushQueued = false;
    const socket = this.#socket;
    if (socket === undefined || (this.#state !== "open" && this.#state !== "closing")) return;
    if (this.#unsent.length > 0) {
      if (socket.cork === undefined || this.#unsent.length === 1) this.#sendUnsent();
      else {
        socket.cork(this.#sendUnsent);
        this.#askHost();
      }
    }
    this.#flushed();
  }

  /** Called about once a second. */
  tick(now: number, { pingIntervalMs, pongTimeoutMs }: Heartbeat): void {
    this.#askHost();
    this.#count();
    if (this.#isStalled(now)) {
      this.#drop({ by: "network", code: 1006, reason: new ChannelError("WRITE_TIMEOUT").message });
      return;
    }
    if (this.#state !== "open" || pingIntervalMs === 0 || this.#socket!.ping === undefined) return;
    if (this.#isHeard || this.#isPausedByUs) {
      this.#isHeard = false;
      this.#heardAt = now;
      this.#pingedAt = undefined;
    } else if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt >= pongTimeoutMs) this.#drop({ by: "network", code: 1006, reason: "" });
    } else if (now - this.#heardAt >= pingIntervalMs) {
      this.#pingedAt = now;
      this.ping(NO_BYTES);
    }
  }

  pause(): void {
    if (this.#state !== "closed") this.#isReading = false;
  }

  resume(): void {
    if (this.#isReading || !this.#isOpened) return;
    this.#isReading = true;
    this.#deliverHeld();
  }

  /** All clients together have sent too much. */
  makeRoom(): void {
    const { received } = this.#context;
    if (received.isExceeded && received.isShareSpent(this.#heldBytes)) this.#refuse("RECEIVE_OVERFLOW");
  }

  get #canSend(): boolean {
    return (this.#state === "opening" || this.#state === "open") && this.#close === undefined;
  }

  #queue(item: Unsent, bytes: number): void {
    if (!this.#canSend) return;
    this.#unsent.push(item);
    this.#unsentBytes += bytes;
    if (this.#state === "opening") this.#count();
    else if (this.#unsentBytes >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued && !this.#isDelivering) {
      this.#isFlushQueued = true;
      this.#context.flusher.add(this);
    }
  }

  readonly #sendUnsent = (): void => {
    const unsent = this.#unsent;
    this.#unsentBytes = 0;
    for (let i = 0; i < unsent.length && this.#state !== "closed"; i++) this.#sendItem(unsent[i]!);
    unsent.length = 0;
  };

  #askHost(): void {
    this.#isBlocked = this.#socket !== undefined && this.#state !== "closed" && this.#socket.bufferedAmount > 0;
  }

  #sendItem(item: Unsent): void {
    const socket = this.#socket!;
    if (item === "last") this.#sent(socket.fragments!.last());
    else if ("ping" in item) socket.ping?.(item.ping);
    else if ("first" in item) {
      const { fragments } = socket;
      const { data } = item;
      if (this.#isBlocked) this.#given += data.length;
      if (item.first) this.#sent(fragments!.first(data));
      else this.#sent(fragments!.next(typeof data === "string" ? utf8Bytes(data) : data));
    } else this.#sendNow(item.body!);
  }

  #sendNow(body: string | Uint8Array): void {
    const socket = this.#socket!;
    if (this.#isBlocked) this.#given += body.length;
    this.#sent(typeof body === "string" ? socket.sendText(body) : socket.sendBinary(body));
  }

  /** A message that the host has dropped is lost: the client must not take the next one for it. */
  #sent(how: HostSent): void {
    if (how === "sent") return;
    this.#isBlocked = true;
    if (how === "dropped" && this.#state !== "closed") {
      this.#drop({ by: "network", code: 1006, reason: "the host has dropped a message" });
    }
  }

  #flushed(): void {
    const buffered = this.bufferedAmount;
    if (buffered === 0) {
      if (this.#counted > 0) this.#count();
      this.#emptied();
    } else {
      this.#count();
      this.#look(buffered);
      this.#pollSoon();
    }
  }

  /** A host without a drain event is asked. */
  #pollSoon(): void {
    if (this.#socket === undefined || this.#socket.hasDrainEvent) return;
    this.#pollTimer ??= this.#context.clock.setTimer(() => {
      this.#pollTimer = undefined;
      this.socketDrained();
      if (this.bufferedAmount > 0) this.#pollSoon();
    }, POLL_MS);
  }

  #emptied(): void {
    this.#stalledSince = undefined;
    if (this.#state === "closing") this.#closeNow();
    else this.#listener?.bufferEmptied();
  }

  #startClosing(): void {
    this.flush();
    if (this.#state !== "open") return;
    this.#moveTo("closing");
    // The rest of what the client sends is of no interest, but its close is.
    this.resume();
    if (this.bufferedAmount === 0) this.#closeNow();
  }

  /** The data before the close has left: the host sends the close frame, and ends the connection. */
  #closeNow(): void {
    const { code, reason } = this.#close!;
    this.#startCloseTimer();
    this.#socket?.close(code, reason);
  }

  #startCloseTimer(): void {
    if (this.#state === "closed" && this.#socket === undefined) return;
    this.#closeTimer ??= this.#context.clock.setTimer(() => this.terminate(), this.#options.closeTimeoutMs);
  }

  #deliver(data: string | Uint8Array): void {
    this.#isDelivering = true;
    try {
      this.#listener!.messageArrived(data);
    } finally {
      this.#isDelivering = false;
    }
    if (this.#end !== undefined) this.#deliverHeld();
    // It was sent inside the call of the host, whose end writes it.
    else if (this.#state === "open") this.flush();
  }

  #hold(data: string | Uint8Array): void {
    this.#held ??= new Queue();
    this.#held.push(data);
    this.#changeHeld(heldBytes(data));
    const { received, maxUnreadBytes } = this.#context;
    const canPause = this.#socket?.pause !== undefined;
    if (received.isExceeded && received.isShareSpent(this.#heldBytes)) this.#refuse("RECEIVE_OVERFLOW");
    else if (this.#heldBytes <= MAX_AHEAD_BYTES || this.#isPausedByUs) return;
    else if (canPause) {
      this.#isPausedByUs = true;
      this.#socket!.pause!();
    } else if (this.#heldBytes > maxUnreadBytes) {
      this.#refuse("RECEIVE_OVERFLOW", "more than maxUnreadBytes waits for its receiver");
    }
  }

  #deliverHeld(): void {
    // A listener that resumes or closes from inside a delivery must not start a second loop.
    if (this.#isDelivering) return;
    while (this.#isReading && this.#held !== undefined) {
      const data = this.#held.shift()!;
      this.#changeHeld(-heldBytes(data));
      if (this.#held.length === 0) this.#held = undefined;
      this.#deliver(data);
    }
    if (this.#held !== undefined) return;
    if (this.#end !== undefined) this.#tellEnd();
    else if (this.#isPausedByUs && this.#isReading) {
      this.#isPausedByUs = false;
      this.#socket?.resume?.();
    }
  }

  /** `maxMessageBytes` counts bytes; only a text that is short in characters has to be measured. */
  #isTooLong(data: string | Uint8Array): boolean {
    const { maxMessageBytes } = this.#options;
    if (typeof data !== "string") return data.length > maxMessageBytes;
    return data.length * 3 > maxMessageBytes && utf8Length(data) > maxMessageBytes;
  }

  #changeHeld(by: number): void {
    const before = this.#heldBytes;
    this.#heldBytes += by;
    this.#context.received.change(before, this.#heldBytes);
  }

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

  /** RFC 6455 §7.1.7: fails the connection for what the client has done. */
  #refuse(code: ErrorCode, detail?: string): void {
    const error = new ChannelError(code, detail);
    if (this.#close !== undefined || this.#state === "closed") return;
    this.#close = { by: "server", code: error.closeCode ?? 1002, reason: error.message };
    this.#unsent = [];
    this.#unsentBytes = 0;
    const socket = this.#socket;
    this.#startCloseTimer();
    this.#ended(this.#close);
    socket?.close(this.#close.code, "");
  }

  #isStalled(now: number): boolean {
    if (this.#state !== "open" && this.#state !== "closing") return false;
    const buffered = this.#isBlocked ? this.#socket!.bufferedAmount : 0;
    this.#look(buffered);
    if (buffered > 0) this.#stalledSince ??= now;
    return this.#stalledSince !== undefined && now - this.#stalledSince >= this.#context.limits.writeTimeoutMs;
  }

  /** Sees whether the host has sent any. The lengths of texts are those in characters, and no heads of frames count: never too many. */
  #look(buffered: number): void {
    if (buffered === 0 || buffered < this.#expected + this.#given) this.#stalledSince = undefined;
    this.#expected = buffered;
    this.#given = 0;
  }

  #drop(end: HostSocketEnd): void {
    const socket = this.#socket;
    this.#ended(this.#close ?? end);
    socket?.terminate();
  }

  /** Nothing is sent any more. What has arrived is still delivered, then the end. */
  #ended(end: HostSocketEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (this.#state !== "closed") this.#moveTo("closed");
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#dropParts();
    if (this.#counted > 0) this.#count();
    this.#context.clock.clearTimer(this.#pollTimer);
    if (this.#listener === undefined) return;
    if (this.#isOpened) this.#isReading = true;
    if (this.#isOpened || this.#held === undefined) this.#deliverHeld();
  }

  #tellEnd(): void {
    if (this.#isEndTold || this.#listener === undefined) return;
    this.#isEndTold = true;
    const { by, code, reason } = this.#end!;
    this.#listener.transportClosed(by === "network" ? connectionFailed(reason) : closeStatus(by, code, reason));
  }

  #dropParts(): void {
    this.#parts = undefined;
    this.#partBytes = 0;
    this.#count();
  }

  /** Updates the sum of all clients. */
  #count(): void {
    const bytes = this.#state === "closed" ? 0 : this.bufferedAmount + this.#partBytes;
    if (bytes === this.#counted) return;
    this.#context.budget.change(this.#counted, bytes);
    this.#counted = bytes;
  }

  #moveTo(state: SocketState): void {
    if (!MOVES[this.#state].includes(state)) throw new Error(`a WebSocket cannot go from ${this.#state} to ${state}`);
    this.#state = state;
  }
}
