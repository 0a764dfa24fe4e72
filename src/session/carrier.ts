// The carriers of a session: a WebSocket, an event stream, or a parked poll, each over the transport that a plain channel
// has. PROTOCOL.md, "Carriers". A carrier encodes and decodes records; `transport.ts` decides which are sent.

import { utf8, utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import {
  decodeRecordMessage,
  MESSAGE_LETTER,
  REQUEST_LETTER,
  type SessionRecord,
  SINCE_LETTER,
} from "../codec/session-record.ts";
import { OutboundGroupRecord, OutboundRecord } from "../protocol/encoded-message.ts";
import { bodyMessage } from "../protocol/outbound-message.ts";
import { OutboundRequest } from "../protocol/outbound-request.ts";
import type { CompactRecord } from "../protocol/session.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import type { HttpFormat } from "../transport/http/format.ts";
import { EVENT_STREAM } from "../transport/http/sse.ts";
import type { Heartbeat, Transport, TransportKind, TransportListener } from "../transport/transport.ts";
import { NORMAL, PROTOCOL_ERROR, REPLACED } from "./close-codes.ts";
import { asEventText, asWebSocketMessage, bytesAfterHead } from "./form.ts";
import { requestBytes } from "./requests.ts";

/** UTF-8 bytes of a UTF-16 unit. */
const MAX_CHARACTER_BYTES = 3;

export interface CarrierOwner {
  readonly listener: TransportListener | undefined;
  recordArrived(record: CompactRecord): void;
  /** The client has broken the protocol: `status` says how. */
  carrierFailed(status: CloseStatus): void;
  /** Nothing is received or sent on the carrier any more. */
  carrierEnded(status: CloseStatus): void;
}

/** The part that all three carriers share. */
export abstract class Carrier implements TransportListener {
  readonly transport: Transport;
  /** Undefined once another carrier has replaced this one: the records that still come are sent again on the next. */
  owner: CarrierOwner | undefined;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  abstract get kind(): TransportKind;

  /** True for a poll: it collects records, and `finish` sends all of them. */
  get isParked(): boolean {
    return false;
  }

  /** Sets the owner, which is told at once if the carrier has ended already. */
  begin(owner: CarrierOwner | undefined): void {
    this.owner = owner;
    this.transport.listen(this);
  }

  open(): void {
    this.transport.open();
    // From now on a FIN means that the client has left (docs/decisions/0005).
    this.transport.setupDone?.();
  }

  abstract write(record: CompactRecord): void;

  finish(): void {}

  /**
   * Ends the carrier after the records that were written. The codes are a WebSocket's. Only an orderly end waits for unsent
   * bytes: a client that is too slow to take them would not see the end either.
   */
  end(code: number, reason: string): void {
    if (code === NORMAL || code === REPLACED) this.transport.close(code, reason);
    else this.transport.fail(code, reason);
  }

  tick(now: number, heartbeat: Heartbeat): void {
    this.transport.tick(now, heartbeat);
  }

  messageArrived(_data: string | Uint8Array): void {}

  pingArrived(data: Uint8Array): void {
    this.owner?.listener?.pingArrived(data);
  }

  pongArrived(data: Uint8Array): void {
    this.owner?.listener?.pongArrived(data);
  }

  /** A session's buffer empties when the client has acknowledged, not when the system has taken the bytes. */
  bufferEmptied(): void {}

  transportClosed(status: CloseStatus): void {
    this.owner?.carrierEnded(status);
  }
}

export class WebSocketCarrier extends Carrier {
  readonly #maxMessageBytes: number;
  #hasWrittenSinceTick = false;
  /** The tick that found the last write. */
  #wroteAt = 0;

  /** `maxMessageBytes` applies to a binary message. The transport allows one byte more, for the letter of a text. */
  constructor(transport: Transport, maxMessageBytes: number) {
    super(transport);
    this.#maxMessageBytes = maxMessageBytes;
  }

  get kind(): "websocket" {
    return "websocket";
  }

  write(record: CompactRecord): void {
    this.#hasWrittenSinceTick = true;
    if (typeof record === "string" && this.transport.sendPrefixed !== undefined) {
      this.transport.sendPrefixed(MESSAGE_LETTER, record);
      return;
    }
    if (record instanceof OutboundRequest && this.transport.sendPrefixed !== undefined) {
      this.transport.sendPrefixed(REQUEST_LETTER, record.data);
      return;
    }
    this.transport.send(asWebSocketMessage(record));
    // `type` is not read of the records of messages: objects of many shapes have it.
    if (typeof record === "string" || record instanceof OutboundRecord) return;
    const isGroup = record instanceof OutboundGroupRecord || record.type === "group";
    const bytes = isGroup ? bytesAfterHead(record) : undefined;
    if (bytes !== undefined) this.transport.send(bytes);
  }

  /** Sends a heartbeat record after a silence of this end, because a page sees no pings, and a ping after one of the client. */
  override tick(now: number, heartbeat: Heartbeat): void {
    if (this.#hasWrittenSinceTick) {
      this.#hasWrittenSinceTick = false;
      this.#wroteAt = now;
    } else if (now - this.#wroteAt >= heartbeat.pingIntervalMs) this.write({ type: "heartbeat" });
    super.tick(now, heartbeat);
  }

  override messageArrived(data: string | Uint8Array): void {
    // Nearly every record is a text message, and no object is made for it.
    if (typeof data === "string" && data[0] === MESSAGE_LETTER) {
      this.owner?.recordArrived(data.slice(1));
      return;
    }
    let record: SessionRecord;
    try {
      if (typeof data !== "string" && data.length > this.#maxMessageBytes) throw new ChannelError("MESSAGE_TOO_BIG");
      record = decodeRecordMessage(data);
      if (record.type === "open" || record.type === "group")
        throw new ChannelError("BAD_RECORD", `${record.type} from a client`);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.owner?.carrierFailed(closeStatus("server", error.closeCode ?? PROTOCOL_ERROR, error.message));
      return;
    }
    this.owner?.recordArrived(record);
  }
}

/**
 * A WebSocket whose client may send records that are longer than a message may be: requests, and the cursors that are awaited. The
 * transport takes longer ones, and the length of messages and of requests is checked here.
 */
export class LongRecordCarrier extends WebSocketCarrier {
  readonly #maxTextBytes: number;

  constructor(transport: Transport, maxMessageBytes: number) {
    super(transport, maxMessageBytes);
    this.#maxTextBytes = maxMessageBytes;
  }

  override messageArrived(data: string | Uint8Array): void {
    // A character takes three bytes at most, so nearly every text is measured by its length alone.
    const isTooBig =
      typeof data === "string" &&
      data.length > this.#maxTextBytes / MAX_CHARACTER_BYTES &&
      isLonger(data, this.#maxTextBytes);
    if (!isTooBig) {
      super.messageArrived(data);
      return;
    }
    const { closeCode = PROTOCOL_ERROR, message } = new ChannelError("MESSAGE_TOO_BIG");
    this.owner?.carrierFailed(closeStatus("server", closeCode, message));
  }
}

/** True if the message, or the data of the request, has more bytes than a message may have. */
function isLonger(text: string, maxBytes: number): boolean {
  if (text[0] === SINCE_LETTER) return false;
  if (text[0] !== REQUEST_LETTER) return utf8Length(text) > maxBytes + 1;
  try {
    return requestBytes(text.slice(1)) > maxBytes;
  } catch {
    // Malformed: refused where it is read.
    return false;
  }
}

export class StreamCarrier extends Carrier {
  get kind(): "sse" {
    return "sse";
  }

  write(record: CompactRecord): void {
    this.transport.send(asEventText(record));
    if (typeof record !== "string" && record.type === "close") this.transport.close(NORMAL, "");
  }
}

export class PollCarrier extends Carrier {
  #text = "";

  get kind(): "poll" {
    return "poll";
  }

  override get isParked(): true {
    return true;
  }

  write(record: CompactRecord): void {
    this.#text += asEventText(record).body;
  }

  override finish(): void {
    this.transport.sendLast(bodyMessage(this.#text));
  }

  /** Drops the collected records: an answer without an `open` has none, and its status tells why. */
  override end(code: number): void {
    this.#text = "";
    const [status, body] = code === REPLACED ? ANSWER_REPLACED : ANSWER_OVER;
    this.transport.sendLast({ ...bodyMessage(body), status });
  }
}

/** PROTOCOL.md, "Polls". */
const ANSWER_REPLACED = [409, "another carrier has the session\n"] as const;
const ANSWER_OVER = [410, "the session is over\n"] as const;

/** The format of streams and polls: the head of an event stream, and events that are encoded already. */
export const RECORD_STREAM: HttpFormat = {
  ...EVENT_STREAM,
  // A parked poll has no head until it is answered.
  startsSilent: false,
  messageForm: "body",
  encode: (message) => message.body,
  shared: (message) => message.asPlain(),
  encodePart: (data) => (typeof data === "string" ? data : utf8(data)),
};
