// A WebSocket of the host as a transport. The host speaks the protocol; this file adds back-pressure for the listener, signs of life,
// and the end. `sender.ts` sends, `held-messages.ts` has the messages that wait for the listener.
// Long because the contract of a transport has many verbs.

import { NO_BYTES } from "../../base/bytes.ts";
import type { Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";
import { closeStatus, connectionFailed } from "../../transport/close-status.ts";
import type { WebSocketOptions } from "../../transport/exchange.ts";
import type { Heartbeat, Transport, TransportKind, TransportListener } from "../../transport/transport.ts";
import type { HostWebSocketContext } from "./context.ts";
import { HeldMessages } from "./held-messages.ts";
import type { HostSocket, HostSocketEnd } from "./host-socket.ts";
import { InputLimits } from "./input-limits.ts";
import { HostSender, type SenderOwner } from "./sender.ts";
import { SignsOfLife } from "./signs-of-life.ts";
import { SOCKET_STATES, type SocketState } from "./socket-state.ts";

export class HostWebSocket implements Transport, SenderOwner {
  readonly kind: TransportKind = "websocket";
  readonly messageForm = "message";
  readonly outlivesExchange = true;
  readonly #context: HostWebSocketContext;
  readonly #options: WebSocketOptions;
  /** Called once, when the host has closed it. */
  readonly #onOver: () => void;
  readonly #sender: HostSender;
  readonly #held: HeldMessages;
  readonly #limits: InputLimits;
  readonly #life = new SignsOfLife();
  #socket: HostSocket | undefined;
  #state: SocketState = SOCKET_STATES.opening;
  #listener: TransportListener | undefined;
  /** Messages are delivered: `open` was called, and no `pause` since. */
  #isReading = false;
  /** `open` was called. */
  #isOpened = false;
  /** The close that this side has asked for. */
  #close: HostSocketEnd | undefined;
  #end: HostSocketEnd | undefined;
  #closeTimer: Timer | undefined;

  constructor(context: HostWebSocketContext, options: WebSocketOptions, onOver: () => void) {
    this.#context = context;
    this.#options = options;
    this.#onOver = onOver;
    this.#sender = new HostSender(context, this);
    this.#held = new HeldMessages(context);
    this.#limits = new InputLimits(options);
  }

  get bufferedAmount(): number {
    return this.#sender.bufferedAmount;
  }

  get pinnedBytes(): number {
    return this.#sender.pinnedBytes;
  }

  /** The host has opened the WebSocket. */
  socketOpened(socket: HostSocket): void {
    // The server dropped it before it was opened.
    if (this.#isClosed()) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    this.#moveTo(this.#state.open);
    this.#sender.open(socket);
    if (this.#close !== undefined) this.#startClosing();
  }

  /** The host has read a message. The bytes must stay as they are. */
  socketMessage(data: string | Uint8Array): void {
    this.#life.heard();
    if (this.#state === SOCKET_STATES.closing || this.#isClosed()) return;
    if (this.#limits.isTooLong(data)) this.#refuse(new ChannelError("MESSAGE_TOO_BIG"));
    else if (this.#isReading && this.#held.isEmpty()) this.#deliver(data);
    else {
      const error = this.#held.hold(data, this.#socket);
      if (error !== undefined) this.#refuse(error);
    }
  }

  socketPing(data: Uint8Array): void {
    this.#life.heard();
    if (!this.#isFlooded()) this.#listener?.pingArrived(data);
  }

  socketPong(data: Uint8Array): void {
    this.#life.heard();
    if (!this.#isFlooded()) this.#listener?.pongArrived(data);
  }

  /** The host has sent some of the unsent bytes. */
  socketDrained(): void {
    this.#sender.drained();
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
    if (body !== null && this.#canSend()) this.#sender.send(message, body);
  }

  sendLast(message: OutboundMessage): void {
    this.send(message);
    this.close(1000, "");
  }

  begin(): void {
    if (this.#canSend()) this.#sender.begin();
  }

  /** Throws MESSAGE_TOO_BIG for a message that has to be joined, and is longer than this server buffers for a client. */
  part(data: string | Uint8Array): void {
    if (this.#canSend()) this.#sender.part(data);
  }

  finish(): void {
    if (!this.#canSend()) return;
    const joined = this.#sender.finish();
    if (joined !== undefined) this.send(joined);
  }

  fail(code: number, reason: string): void {
    this.close(code, reason);
    // The timer does not wait for unsent bytes.
    this.#startCloseTimer();
  }

  ping(data: Uint8Array): boolean {
    if (data.length > 125) throw new ChannelError("BAD_DATA", "a ping carries 125 bytes at most (RFC 6455 §5.5)");
    if (!this.#canSend() || (this.#isOpen() && this.#socket!.ping === undefined)) return false;
    this.#sender.ping(data);
    return true;
  }

  close(code: number, reason: string): void {
    if (this.#close !== undefined || this.#isClosed()) return;
    this.#close = { by: "server", code, reason };
    if (this.#isOpen()) this.#startClosing();
  }

  goodbye(): void {
    this.close(1001, "server is stopping");
  }

  terminate(): void {
    this.#drop({ by: "server", code: 1006, reason: "" });
  }

  flush(): void {
    this.#sender.flush();
  }

  /** Called about once a second. */
  tick(now: number, heartbeat: Heartbeat): void {
    if (this.#sender.isStalled(now)) {
      this.#drop({ by: "network", code: 1006, reason: new ChannelError("WRITE_TIMEOUT").message });
      return;
    }
    if (!this.#isOpen() || heartbeat.pingIntervalMs === 0 || this.#socket!.ping === undefined) return;
    const due = this.#life.tick(now, this.#held.hasPausedHost() ? "paused" : "active", heartbeat);
    if (due === "ping") this.ping(NO_BYTES);
    else if (due === "lost") this.#drop({ by: "network", code: 1006, reason: "" });
  }

  pause(): void {
    if (!this.#isClosed()) this.#isReading = false;
  }

  resume(): void {
    if (this.#isReading || !this.#isOpened) return;
    this.#isReading = true;
    this.#deliverHeld();
  }

  /** All clients together have sent too much. */
  makeRoom(): void {
    if (this.#held.hasToMakeRoom()) this.#refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  bufferEmptied(): void {
    if (this.#state === SOCKET_STATES.closing) this.#closeNow();
    else this.#listener?.bufferEmptied();
  }

  messageLost(): void {
    this.#drop({ by: "network", code: 1006, reason: "the host has dropped a message" });
  }

  #isOpen(): boolean {
    return this.#state === SOCKET_STATES.open;
  }

  #isClosed(): boolean {
    return this.#state === SOCKET_STATES.closed;
  }

  #canSend(): boolean {
    return this.#close === undefined && (this.#isOpen() || this.#state === SOCKET_STATES.opening);
  }

  #startClosing(): void {
    this.flush();
    if (!this.#isOpen()) return;
    this.#moveTo(this.#state.close);
    // Further messages of the client are ignored, but its close is not.
    this.resume();
    if (this.bufferedAmount === 0) this.#closeNow();
  }

  /** The data before the close has left: the host sends the close frame, and ends the connection. */
  #closeNow(): void {
    this.#startCloseTimer();
    this.#socket?.close(this.#close!.code, this.#close!.reason);
  }

  #startCloseTimer(): void {
    if (this.#isClosed() && this.#socket === undefined) return;
    this.#closeTimer ??= this.#context.clock.setTimer(() => this.terminate(), this.#options.closeTimeoutMs);
  }

  #deliver(data: string | Uint8Array): void {
    const sender = this.#sender;
    sender.isCorked = true;
    try {
      this.#listener!.messageArrived(data);
    } finally {
      sender.isCorked = false;
    }
    if (this.#end !== undefined) this.#deliverHeld();
    // It was sent inside a call of the host, which writes it when the call ends.
    else if (this.#isOpen()) sender.flush();
  }

  #deliverHeld(): void {
    // A listener that resumes or closes from inside a delivery must not start a second loop.
    if (this.#sender.isCorked) return;
    const held = this.#held;
    while (this.#isReading && !held.isEmpty()) this.#deliver(held.take());
    if (!held.isEmpty()) return;
    if (this.#end !== undefined) this.#tellEnd();
    else if (this.#isReading) held.resumeHost(this.#socket);
  }

  #isFlooded(): boolean {
    const isFlooded = this.#limits.isFloodedAt(this.#context.clock.now());
    if (isFlooded) this.#refuse(new ChannelError("TOO_MANY_CONTROL_FRAMES"));
    return isFlooded;
  }

  /** RFC 6455 §7.1.7: fails the connection for a violation of the client. */
  #refuse(error: ChannelError): void {
    if (this.#close !== undefined || this.#isClosed()) return;
    this.#close = { by: "server", code: error.closeCode ?? 1002, reason: error.message };
    const socket = this.#socket;
    this.#startCloseTimer();
    this.#ended(this.#close);
    socket?.close(this.#close.code, "");
  }

  #drop(end: HostSocketEnd): void {
    const socket = this.#socket;
    this.#ended(this.#close ?? end);
    socket?.terminate();
  }

  /** Nothing is sent any more. Messages that have arrived are still delivered, then the end. */
  #ended(end: HostSocketEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (!this.#isClosed()) this.#moveTo(this.#state.end);
    this.#sender.stop();
    if (this.#listener === undefined) return;
    if (this.#isOpened) this.#isReading = true;
    if (this.#isOpened || this.#held.isEmpty()) this.#deliverHeld();
  }

  #tellEnd(): void {
    const listener = this.#listener;
    // It is told once.
    this.#listener = undefined;
    const { by, code, reason } = this.#end!;
    listener?.transportClosed(by === "network" ? connectionFailed(reason) : closeStatus(by, code, reason));
  }

  /** `state`: the state after a step; undefined if the present state has no such step. */
  #moveTo(state: SocketState | undefined): void {
    if (state === undefined) throw new Error(`a WebSocket is ${this.#state.name}, which does not allow this step`);
    this.#state = state;
  }
}
