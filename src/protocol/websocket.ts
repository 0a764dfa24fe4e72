// Either end of a WebSocket connection after its handshake: RFC 6455 §5–§7 as a state machine.
// Bytes in, events out; messages in, bytes out. It has no socket, no clock and no random source: the owner of the socket
// also keeps the closing timeout of §7.1.1. Of RFC 7692 it handles only RSV1 (§6); a `Compression` does the rest.
// Long because sending, receiving and the closing handshake share one state.

import { isAscii, NO_BYTES, utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { linkStates } from "../base/linked-states.ts";
import { type Output, OutputSource } from "../base/output.ts";
import { encodeFrameHead, encodeMaskedFrame, FIN, type FrameOptions, OPCODE, RSV1 } from "../codec/ws-frame.ts";
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

/** RFC 6455 §5.1: a client masks its frames and refuses masked ones; a server does not mask, and refuses unmasked ones. */
export interface WebSocketSide {
  readonly name: "server" | "client";
  readonly peer: "server" | "client";
  /** Returns the four bytes that mask the next frame, §5.3. Undefined for a server. */
  readonly maskingKey: (() => Uint8Array) | undefined;
}

export const SERVER_SIDE: WebSocketSide = { name: "server", peer: "client", maskingKey: undefined };

/** `maskingKey` returns four random bytes, unpredictable and different for each frame (§10.3). */
export function clientSide(maskingKey: () => Uint8Array): WebSocketSide {
  return { name: "client", peer: "server", maskingKey };
}

export interface WebSocketConnectionOptions extends MessageLimits {
  /** The compression that the handshake agreed on; without it no message is compressed. */
  readonly compression?: Compression | undefined;
}

/** The end of the connection. */
export interface WebSocketClosed {
  readonly type: "closed";
  /** The side that sent the first close frame or failed the connection; `network` if the connection was lost before. */
  readonly by: "server" | "client" | "network";
  readonly code: number;
  readonly reason: string;
  /** The peer's close frame, §7.1.5; undefined if none came. */
  readonly received: { readonly code: number; readonly reason: string } | undefined;
  /** True if this side ends the TCP connection now; false for a client whose server does so first (§7.1.1). */
  readonly endsTcp: boolean;
  /** The peer's violation for which this side failed the connection (§7.1.7). */
  readonly error?: ChannelError;
}

export type WebSocketConnectionEvent = Exclude<WebSocketEvent, { type: "close" | "compressed" }> | WebSocketClosed;

/** RFC 6455 §7.1. "closing": a close frame was sent and none received. */
type StateName = "open" | "closing" | "closed";

/** close: a close frame is sent. end: the closing handshake is complete, or the connection has failed. */
const STEPS = ["close", "end"] as const;

/** Every move; there is no way back. A step that is missing in a state has no effect there. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  open: { close: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

const STATES = linkStates(MOVES, STEPS);

type WebSocketState = (typeof STATES)[StateName];

/**
 * The length up to which text is joined with its frame header. A longer text would be copied once more for the write: echoes of
 * 1 KiB are 1.2 times as fast joined, of 16 KiB 1.2 times as fast apart (npm run bench -- ws-echo-size-1024 ws-echo-size-16384).
 */
const JOINED_TEXT = 4096;

const CLOSE_NORMAL = 1000;
const CLOSE_ABNORMAL = 1006;

export class WebSocketConnection extends OutputSource {
  readonly #side: WebSocketSide;
  readonly #options: WebSocketConnectionOptions;
  /** Undefined between messages. */
  #messages: MessageDecoder | undefined;
  #state: WebSocketState = STATES.open;
  /** The close frame that this side sent. */
  #closeCode = CLOSE_NORMAL;
  #closeReason = "";
  #eof = false;
  /**
   * True while the peer does not read. §5.5.3 then allows answering only the latest ping, once there is room: a peer that
   * sends pings and never reads must not fill the memory with pongs.
   */
  holdsPongs = false;
  #pendingPong: Uint8Array | undefined;

  /** `output`: unwritten bytes of the protocol that was spoken before, which go out first. */
  constructor(side: WebSocketSide, options: WebSocketConnectionOptions, output?: Output) {
    super(output);
    this.#side = side;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state === STATES.open;
  }

  /** True when both directions are done. */
  get isClosed(): boolean {
    return this.#state === STATES.closed;
  }

  /** Memory of received bytes that were not returned. */
  get heldBytes(): number {
    return this.#messages === undefined ? 0 : this.#messages.heldBytes;
  }

  /** The message that has arrived in part. */
  get unfinished(): UnfinishedMessage | undefined {
    return this.#messages?.unfinished;
  }

  /** True if the received bytes that were not decoded yet contain a close frame. */
  hasClose(): boolean {
    return this.#state !== STATES.closed && this.#messages?.hasClose() === true;
  }

  /** Takes bytes from the peer; they are unmasked in place, so they belong to the connection from here on. */
  receive(bytes: Uint8Array): void {
    if (this.#state === STATES.closed) return;
    this.#messages ??= takeDecoder(this.#options, frameOptions(this.#side, this.#options));
    this.#messages.push(bytes);
  }

  receiveEof(): void {
    this.#eof = true;
  }

  /** The next event, in order. A `closed` event is the last. */
  next(): WebSocketConnectionEvent | undefined {
    while (this.#state !== STATES.closed) {
      let event: WebSocketEvent | undefined;
      try {
        event = this.#messages?.next();
        if (event?.type === "compressed") {
          if (this.#state === STATES.closing) continue;
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
      // §1.4: after our close frame everything from the peer is ignored except its close frame.
      if (this.#state === STATES.closing) continue;
      // §5.5.2: a ping is answered at once, even if the application is busy.
      if (event.type === "ping") this.#answerPing(event.data);
      return event;
    }
    return undefined;
  }

  /**
   * A text message in one frame: `prefix`, which is ASCII, and `text`. Lone surrogates become U+FFFD. §5.5.1: no data frame
   * follows a close frame.
   */
  sendText(text: string, prefix = ""): void {
    if (this.#state !== STATES.open) return;
    if (this.#options.compression !== undefined && this.#sendCompressed(OPCODE.TEXT, prefix + text)) return;
    if (this.#side.maskingKey !== undefined || !isAscii(text)) {
      this.#writeFrame(OPCODE.TEXT, utf8Bytes(prefix + text));
      return;
    }
    const head = encodeFrameHead(OPCODE.TEXT, prefix.length + text.length) + prefix;
    if (text.length <= JOINED_TEXT) this.output.text(head + text);
    else {
      this.output.text(head);
      this.output.longText(text);
    }
  }

  /** A binary message in one frame. */
  sendBinary(bytes: Uint8Array): void {
    if (this.#state !== STATES.open || this.#sendCompressed(OPCODE.BINARY, bytes)) return;
    this.#writeFrame(OPCODE.BINARY, bytes);
  }

  /** A message that is sent to many, in one frame. */
  sendEncoded(message: EncodedMessage): void {
    if (this.#state !== STATES.open) return;
    // Each frame of a client has a masking key of its own.
    const frame = this.#side.maskingKey === undefined ? message.frame(this.#options.compression) : undefined;
    if (frame !== undefined) this.output.shared(frame);
    else if (typeof message.body === "string") this.sendText(message.body);
    else if (message.body !== null) this.sendBinary(message.body);
  }

  /**
   * A fragment of a message (§5.4), the last one with `flags` FIN. `opcode` is TEXT or BINARY for the first, CONTINUATION for
   * the others. A message in fragments is never compressed: that would need the whole of it, or one more state.
   */
  sendFragment(opcode: number, bytes: Uint8Array, flags: number): void {
    if (this.#state === STATES.open) this.#writeFrame(opcode, bytes, flags);
  }

  ping(data: Uint8Array): void {
    if (data.length > 125) throw new ChannelError("BAD_DATA", "a ping carries 125 bytes at most (RFC 6455 §5.5)");
    if (this.#state === STATES.open) this.#writeFrame(OPCODE.PING, data);
  }

  /** §5.5.3: a pong without a ping, which needs no answer. */
  sendPong(): void {
    if (this.#state === STATES.open) this.#writeFrame(OPCODE.PONG, NO_BYTES);
  }

  /** Sends the pong that was held. Returns false if there is none. */
  sendPendingPong(): boolean {
    const data = this.#pendingPong;
    this.#pendingPong = undefined;
    if (data === undefined || this.#state !== STATES.open) return false;
    this.#writeFrame(OPCODE.PONG, data);
    return true;
  }

  /** Fails the connection (§7.1.7) for an error that the owner has found. Returns undefined if it is closed already. */
  refuse(error: ChannelError): WebSocketClosed | undefined {
    return this.#state === STATES.closed ? undefined : this.#fail(error);
  }

  /** Sends a close frame. Throws BAD_CLOSE for a code or reason that may not be sent. */
  close(code: number, reason: string): void {
    const payload = encodeClosePayload(code, reason);
    const closing = this.#state.close;
    if (closing === undefined) return;
    this.#state = closing;
    this.#closeCode = code;
    this.#closeReason = reason;
    this.#writeFrame(OPCODE.CLOSE, payload);
  }

  /** The TCP connection has ended. Without a close frame of this side the code is 1006. Returns undefined if closed already. */
  abort(): WebSocketClosed | undefined {
    const wasOpen = this.#state === STATES.open;
    if (!this.#end()) return undefined;
    const how = wasOpen ? ({ by: "network", code: CLOSE_ABNORMAL, reason: "" } as const) : this.#sentClose();
    return { type: "closed", ...how, received: undefined, endsTcp: true };
  }

  #sendCompressed(opcode: number, data: string | Uint8Array): boolean {
    const payload = this.#options.compression?.deflate(data);
    if (payload === undefined) return false;
    this.#writeFrame(opcode, payload, FIN | RSV1);
    return true;
  }

  #inflated(payload: Uint8Array, isText: boolean): WebSocketConnectionEvent {
    const bytes = this.#options.compression!.inflate(payload, this.#options.maxMessageBytes);
    return { type: "message", data: inflatedData(bytes, isText) };
  }

  #closeReceived(code: number, reason: string): WebSocketClosed {
    const wasOpen = this.#state === STATES.open;
    // §5.5.1: the answer typically echoes the code, or that there was none.
    if (wasOpen) this.#writeFrame(OPCODE.CLOSE, encodeClosePayload(code, ""));
    this.#end();
    const how = wasOpen ? { by: this.#side.peer, code, reason } : this.#sentClose();
    return { type: "closed", ...how, received: { code, reason }, endsTcp: this.#side.name === "server" };
  }

  /** §7.1.7 _Fail the WebSocket Connection_. */
  #fail(error: ChannelError): WebSocketClosed {
    const code = error.closeCode ?? 1002;
    if (this.#state === STATES.open) this.#writeFrame(OPCODE.CLOSE, encodeClosePayload(code, ""));
    this.#end();
    const { name: by } = this.#side;
    return { type: "closed", by, code, reason: error.message, received: undefined, endsTcp: true, error };
  }

  /** The end of a connection on which this side's close frame was the first: its code stands, not that of the answer. */
  #sentClose(): Pick<WebSocketClosed, "by" | "code" | "reason"> {
    return { by: this.#side.name, code: this.#closeCode, reason: this.#closeReason };
  }

  #answerPing(data: Uint8Array): void {
    if (this.holdsPongs) this.#pendingPong = data;
    else this.#writeFrame(OPCODE.PONG, data);
  }

  #writeFrame(opcode: number, payload: Uint8Array, flags: number = FIN): void {
    const { maskingKey } = this.#side;
    if (maskingKey === undefined) {
      this.output.text(encodeFrameHead(opcode, payload.length, flags));
      this.output.bytes(payload);
    } else this.output.bytes(encodeMaskedFrame(opcode, payload, maskingKey(), flags));
  }

  #leaveDecoder(): void {
    if (this.#messages?.isIdle !== true) return;
    spareDecoder = this.#messages;
    this.#messages = undefined;
  }

  /** Returns false if the connection has ended before. */
  #end(): boolean {
    const closed = this.#state.end;
    if (closed === undefined) return false;
    this.#state = closed;
    this.#messages = undefined;
    return true;
  }
}

/**
 * The decoder that was freed last. Most connections are silent most of the time and have none then: it was a quarter of the
 * heap of a silent WebSocket. One spare is enough, because bytes are decoded as soon as they are read.
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

function frameOptions(side: WebSocketSide, { compression }: WebSocketConnectionOptions): FrameOptions {
  if (side.name === "server") return compression === undefined ? MASKED : MASKED_COMPRESSIBLE;
  return compression === undefined ? UNMASKED : UNMASKED_COMPRESSIBLE;
}

const MASKED = { masked: true, allowRsv1: false };
const MASKED_COMPRESSIBLE = { masked: true, allowRsv1: true };
const UNMASKED = { masked: false, allowRsv1: false };
const UNMASKED_COMPRESSIBLE = { masked: false, allowRsv1: true };
