// One WebSocket connection after its handshake, seen from the server: RFC 6455 §5–§7 as a state machine.
// Bytes in, events out; messages in, bytes out. It knows no socket and no clock: the closing timeout of §7.1.1 belongs
// to whoever owns both. What compresses messages is given to it; of RFC 7692 it knows RSV1 (§6).
// Long because sending, receiving and the closing handshake share one state.

import { isAscii, latin1, utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { type Output, OutputSource } from "../base/output.ts";
import { encodeFrameHead, type FrameOptions, OPCODE } from "../codec/ws-frame.ts";
import {
  encodeClosePayload,
  inflatedData,
  MessageDecoder,
  type MessageLimits,
  type UnfinishedMessage,
  type WebSocketEvent,
} from "../codec/ws-message.ts";
import type { Compression } from "./compression.ts";
import type { EncodedMessage } from "./encoded-message.ts";

/** How the connection came to its end. `error` is there when the peer broke the protocol and we failed the connection. */
export interface WebSocketClosed {
  readonly type: "closed";
  readonly by: "server" | "client" | "network";
  readonly code: number;
  readonly reason: string;
  readonly error?: ChannelError;
}

export type WebSocketConnectionEvent = Exclude<WebSocketEvent, { type: "close" | "compressed" }> | WebSocketClosed;

/** RFC 6455 §7.1: OPEN, a close frame sent and none received, and the end. */
type WebSocketState = "open" | "closing" | "closed";

/** Every legal move; there is no way back. */
const MOVES: Record<WebSocketState, readonly WebSocketState[]> = {
  open: ["closing", "closed"],
  closing: ["closed"],
  closed: [],
};

/**
 * Longer text goes out as bytes of its own: a string that joins it with its head is copied once more for the write. Echoes
 * of 1 KiB are 1.2 times as fast joined, of 16 KiB 1.2 times as fast apart (npm run bench -- ws-echo-size-1024 ws-echo-size-16384).
 */
const JOINED_TEXT = 4096;

const NO_BYTES = new Uint8Array(0);
const CLOSE_NORMAL = 1000;
const CLOSE_ABNORMAL = 1006;

export class WebSocketConnection extends OutputSource {
  readonly #limits: MessageLimits;
  /** While a message, or a part of one, is here. */
  #messages: MessageDecoder | undefined;
  readonly #compression: Compression | undefined;
  #state: WebSocketState = "open";
  /** What our own close frame said. */
  #closeCode = CLOSE_NORMAL;
  #closeReason = "";
  #eof = false;
  /**
   * True while the peer does not take what is sent. §5.5.3 then lets the latest ping alone be answered, when there is room:
   * who sends pings and never reads must not fill the memory with pongs.
   */
  holdsPongs = false;
  #owedPong: Uint8Array | undefined;

  /** `output`: what of the protocol before is still to be written. */
  constructor(limits: MessageLimits, compression?: Compression, output?: Output) {
    super(output);
    this.#limits = limits;
    this.#compression = compression;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** True when both directions are done: §7.1.1, the server closes TCP first. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Memory for what has come and was not given out. */
  get heldBytes(): number {
    return this.#messages === undefined ? 0 : this.#messages.heldBytes;
  }

  /** The message of which not all has come, if there is one. */
  get unfinished(): UnfinishedMessage | undefined {
    return this.#messages?.unfinished;
  }

  /** True if a close frame stands somewhere in what has come and was not given out. */
  hasClose(): boolean {
    return this.#state !== "closed" && this.#messages?.hasClose() === true;
  }

  /** Takes bytes from the peer; they are unmasked in place, so they belong to the connection from here on. */
  receive(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#messages ??= takeDecoder(this.#limits, this.#compression === undefined ? PLAIN_FRAMES : COMPRESSIBLE_FRAMES);
    this.#messages.push(bytes);
  }

  receiveEof(): void {
    this.#eof = true;
  }

  /** The next event, in order. A `closed` event is the last. */
  next(): WebSocketConnectionEvent | undefined {
    while (this.#state !== "closed") {
      let event: WebSocketEvent | undefined;
      try {
        event = this.#messages?.next();
        if (event?.type === "compressed") {
          if (this.#state === "closing") continue;
          return this.#inflated(event.data, event.isText);
        }
      } catch (error) {
        if (error instanceof ChannelError) return this.#fail(error);
        throw error;
      }
      if (event === undefined) {
        this.#leaveDecoder();
        return this.#eof ? this.abort() : undefined;
      }
      if (event.type === "close") return this.#closeReceived(event.code, event.reason);
      // §1.4: after our close frame nothing the peer sends matters but its close frame.
      if (this.#state === "closing") continue;
      // §5.5.2: a ping is answered at once, whatever the application is doing.
      if (event.type === "ping") this.#answer(event.data);
      return event;
    }
    return undefined;
  }

  /**
   * A text message in one frame. Lone surrogates become U+FFFD. §5.5.1: no data frame follows a close frame. `prefix`: ASCII
   * that comes before the text; who joins the two has them copied once more.
   */
  sendText(text: string, prefix = ""): void {
    if (this.#state !== "open") return;
    if (this.#compression !== undefined && this.#sendCompressed(OPCODE.TEXT, prefix + text)) return;
    if (text.length <= JOINED_TEXT && isAscii(text)) {
      this.output.text(encodeFrameHead(OPCODE.TEXT, prefix.length + text.length) + prefix + text);
      return;
    }
    const bytes = utf8Bytes(text);
    this.output.text(encodeFrameHead(OPCODE.TEXT, prefix.length + bytes.length) + prefix);
    this.output.bytes(bytes);
  }

  /** A binary message in one frame. */
  sendBinary(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#sendCompressed(OPCODE.BINARY, bytes)) return;
    this.output.text(encodeFrameHead(OPCODE.BINARY, bytes.length));
    this.output.bytes(bytes);
  }

  /** A message that is sent to many, in one frame. */
  sendEncoded(message: EncodedMessage): void {
    if (this.#state !== "open") return;
    const frame = message.frame(this.#compression);
    if (frame !== undefined) this.output.shared(frame);
    else if (typeof message.body === "string") this.sendText(message.body);
    else if (message.body !== null) this.sendBinary(message.body);
  }

  /**
   * One fragment of a message (§5.4). `opcode` is TEXT or BINARY for the first, CONTINUATION for the others. Such a message
   * is never compressed: that would need the whole of it, or one more state.
   */
  sendFragment(opcode: number, bytes: Uint8Array, last: boolean): void {
    if (this.#state !== "open") return;
    this.output.text(encodeFrameHead(opcode, bytes.length, last));
    this.output.bytes(bytes);
  }

  ping(data: Uint8Array): void {
    if (data.length > 125) throw new ChannelError("BAD_DATA", "a ping carries 125 bytes at most (RFC 6455 §5.5)");
    if (this.#state === "open") this.#control(OPCODE.PING, data);
  }

  /** §5.5.3: a pong that no ping has asked for, which needs no answer. */
  sendPong(): void {
    if (this.#state === "open") this.#control(OPCODE.PONG, NO_BYTES);
  }

  /** The answer to the latest ping, where it was held. False if none is owed. */
  sendOwedPong(): boolean {
    const data = this.#owedPong;
    this.#owedPong = undefined;
    if (data === undefined || this.#state !== "open") return false;
    this.#control(OPCODE.PONG, data);
    return true;
  }

  /** §7.1.7, for a reason that its owner has found. Undefined if the end was there before. */
  refuse(error: ChannelError): WebSocketClosed | undefined {
    return this.#state === "closed" ? undefined : this.#fail(error);
  }

  /** Sends a close frame. Throws BAD_CLOSE for a code or reason that may not be sent. */
  close(code: number, reason: string): void {
    const payload = encodeClosePayload(code, reason);
    if (this.#state !== "open") return;
    this.#closeCode = code;
    this.#closeReason = reason;
    this.#control(OPCODE.CLOSE, payload);
    this.#moveTo("closing");
  }

  /** The connection ended without the closing handshake: 1006, or what our own close frame said. */
  abort(): WebSocketClosed | undefined {
    const wasOpen = this.#state === "open";
    if (!this.#moveTo("closed")) return undefined;
    return wasOpen
      ? { type: "closed", by: "network", code: CLOSE_ABNORMAL, reason: "" }
      : { type: "closed", by: "server", code: this.#closeCode, reason: this.#closeReason };
  }

  #sendCompressed(opcode: number, data: string | Uint8Array): boolean {
    const payload = this.#compression?.deflate(data);
    if (payload === undefined) return false;
    this.output.text(encodeFrameHead(opcode, payload.length, true, true));
    this.output.bytes(payload);
    return true;
  }

  #inflated(payload: Uint8Array, isText: boolean): WebSocketConnectionEvent {
    const bytes = this.#compression!.inflate(payload, this.#limits.maxMessageBytes);
    return { type: "message", data: inflatedData(bytes, isText) };
  }

  #closeReceived(code: number, reason: string): WebSocketClosed {
    const wasOpen = this.#state === "open";
    // §5.5.1: the answer typically echoes the code, or that there was none.
    if (wasOpen) this.#control(OPCODE.CLOSE, encodeClosePayload(code, ""));
    this.#moveTo("closed");
    return wasOpen
      ? { type: "closed", by: "client", code, reason }
      : { type: "closed", by: "server", code: this.#closeCode, reason: this.#closeReason };
  }

  /** §7.1.7 _Fail the WebSocket Connection_. */
  #fail(error: ChannelError): WebSocketClosed {
    const code = error.closeCode ?? 1002;
    const wasOpen = this.#state === "open";
    if (wasOpen) this.#control(OPCODE.CLOSE, encodeClosePayload(code, ""));
    this.#moveTo("closed");
    return { type: "closed", by: "server", code, reason: error.message, error };
  }

  #answer(data: Uint8Array): void {
    if (this.holdsPongs) this.#owedPong = data;
    else this.#control(OPCODE.PONG, data);
  }

  #control(opcode: number, payload: Uint8Array): void {
    this.output.text(encodeFrameHead(opcode, payload.length) + latin1(payload));
  }

  #leaveDecoder(): void {
    if (this.#messages?.isIdle !== true) return;
    spareDecoder = this.#messages;
    this.#messages = undefined;
  }

  #moveTo(state: WebSocketState): boolean {
    if (!MOVES[this.#state].includes(state)) return false;
    this.#state = state;
    if (state === "closed") this.#messages = undefined;
    return true;
  }
}

/**
 * A decoder that nobody needs now. Most connections are silent most of the time, and then have none: it was a quarter of
 * what a silent WebSocket held in the heap. One is enough: what is read is decoded at once.
 */
let spareDecoder: MessageDecoder | undefined;

function takeDecoder(limits: MessageLimits, options: FrameOptions): MessageDecoder {
  const decoder = spareDecoder;
  spareDecoder = undefined;
  const fits =
    decoder?.options === options &&
    decoder.maxMessageBytes === limits.maxMessageBytes &&
    decoder.maxFragments === limits.maxFragments;
  return fits ? decoder : new MessageDecoder(limits, options);
}

const PLAIN_FRAMES = { masked: true, allowRsv1: false };
const COMPRESSIBLE_FRAMES = { masked: true, allowRsv1: true };
