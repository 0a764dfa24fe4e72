// What carries a session at the moment: a WebSocket, an event stream, or a parked poll; each one of the transports that
// plain channels have. PROTOCOL.md, "Carriers". A carrier writes records and hands up what arrives; what is due, and to
// whom, its session knows (`session.ts`).

import { utf8 } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { decodeRecordMessage, MESSAGE_LETTER, type SessionRecord } from "../codec/session-record.ts";
import { bodyMessage } from "../protocol/outbound-message.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import { EVENT_STREAM } from "../transport/http/sse.ts";
import type { HttpFormat } from "../transport/http/transport.ts";
import type { Heartbeat, TextTransport, Transport, TransportKind, TransportListener } from "../transport/transport.ts";
import { type AnyRecord, asEventText, asWebSocketMessage } from "./form.ts";

export interface Carrier {
  readonly kind: TransportKind;
  /** True for a poll: it takes all its records at once, and `finish` sends them. */
  readonly isParked: boolean;
  /** Bytes that the connection has not taken. */
  readonly unsentBytes: number;
  /** Tells the owner from now on; what is over already is told at once. `next`: the number of the client's next record. */
  begin(owner: CarrierOwner, next: number): void;
  /** Begins to deliver. */
  open(): void;
  write(record: AnyRecord): void;
  finish(): void;
  /** Ends after what was written. The codes are a WebSocket's. */
  end(code: number, reason: string): void;
  /** Drops the connection now. */
  drop(): void;
  beat(now: number, heartbeatMs: number, heartbeat: Heartbeat): void;
  /** False where there is no ping to send. */
  ping(data: Uint8Array): boolean;
  pause(): void;
  resume(): void;
}

export interface CarrierOwner {
  /** `number` is that of a numbered record; on others it says nothing. */
  recordArrived(carrier: Carrier, record: AnyRecord, number: number): void;
  /** The client does not keep to the protocol, and has been told so. */
  carrierFailed(carrier: Carrier, status: CloseStatus): void;
  /** Nothing comes any more, and nothing goes. */
  carrierEnded(carrier: Carrier, status: CloseStatus): void;
  pingArrived(carrier: Carrier, data: Uint8Array): void;
  pongArrived(carrier: Carrier, data: Uint8Array): void;
}

/** A transport under a session: what the carriers share. */
abstract class TransportCarrier implements Carrier, TransportListener {
  abstract readonly kind: TransportKind;
  readonly isParked: boolean = false;
  protected readonly transport: Transport;
  protected owner: CarrierOwner | undefined;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  get unsentBytes(): number {
    return this.transport.bufferedAmount;
  }

  begin(owner: CarrierOwner, _next: number): void {
    this.owner = owner;
    this.transport.listen(this);
  }

  open(): void {
    this.transport.open();
    // A FIN is the client's leaving from now on (docs/decisions/0005).
    this.transport.setupDone();
  }

  abstract write(record: AnyRecord): void;

  finish(): void {}

  end(code: number, reason: string): void {
    this.transport.close(code, reason);
  }

  drop(): void {
    this.transport.terminate();
  }

  beat(now: number, _heartbeatMs: number, heartbeat: Heartbeat): void {
    this.transport.tick(now, heartbeat);
  }

  ping(data: Uint8Array): boolean {
    return this.transport.ping(data);
  }

  pause(): void {
    this.transport.pause();
  }

  resume(): void {
    this.transport.resume();
  }

  messageArrived(_data: string | Uint8Array): void {}

  pingArrived(data: Uint8Array): void {
    this.owner?.pingArrived(this, data);
  }

  pongArrived(data: Uint8Array): void {
    this.owner?.pongArrived(this, data);
  }

  /** The session's buffer empties when the client has acknowledged, not when the system has taken. */
  bufferEmptied(): void {}

  transportClosed(status: CloseStatus): void {
    this.owner?.carrierEnded(this, status);
  }
}

export class WebSocketCarrier extends TransportCarrier {
  readonly kind = "websocket";
  declare protected readonly transport: TextTransport;
  readonly #maxMessageBytes: number;
  #next = 1;
  /** Something was written since the last beat. */
  #hasWritten = false;
  #wroteAt = 0;

  /** `maxMessageBytes`: of a binary message. The transport allows one more, for the letter of a text. */
  constructor(transport: TextTransport, maxMessageBytes: number) {
    super(transport);
    this.#maxMessageBytes = maxMessageBytes;
  }

  override begin(owner: CarrierOwner, next: number): void {
    this.#next = next;
    super.begin(owner, next);
  }

  write(record: AnyRecord): void {
    this.#hasWritten = true;
    if (typeof record === "string") this.transport.sendText(record, MESSAGE_LETTER);
    else this.transport.send(asWebSocketMessage(record), false);
  }

  override end(code: number, reason: string): void {
    if (isWorthWaiting(code)) this.transport.close(code, reason);
    else this.transport.fail(code, reason);
  }

  /** Silence of ours is broken with a record: a page sees no pings. Silence of the client's with a ping. */
  override beat(now: number, heartbeatMs: number, heartbeat: Heartbeat): void {
    if (this.#hasWritten) {
      this.#hasWritten = false;
      this.#wroteAt = now;
    } else if (now - this.#wroteAt >= heartbeatMs) this.write({ type: "heartbeat" });
    super.beat(now, heartbeatMs, heartbeat);
  }

  override messageArrived(data: string | Uint8Array): void {
    // Nearly every one, and no object is made for it.
    if (typeof data === "string" && data[0] === MESSAGE_LETTER) {
      this.owner?.recordArrived(this, data.slice(1), this.#next++);
      return;
    }
    let record: SessionRecord;
    try {
      if (typeof data !== "string" && data.length > this.#maxMessageBytes) throw new ChannelError("MESSAGE_TOO_BIG");
      record = decodeRecordMessage(data);
      if (record.type === "open") throw new ChannelError("BAD_RECORD", "open from a client");
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.owner?.carrierFailed(this, closeStatus("server", error.closeCode ?? 1002, error.message));
      return;
    }
    if (record.type === "from") {
      this.#next = record.number;
      return;
    }
    const number = this.#next;
    if (record.type === "message" || record.type === "close") this.#next += 1;
    this.owner?.recordArrived(this, record, number);
  }
}

export class StreamCarrier extends TransportCarrier {
  readonly kind = "sse";

  write(record: AnyRecord): void {
    this.transport.send(asEventText(record), false);
    if (typeof record !== "string" && record.type === "close") this.transport.close(1000, "");
  }

  override end(code: number, reason: string): void {
    if (isWorthWaiting(code)) this.transport.close(code, reason);
    else this.transport.fail(code, reason);
  }
}

/** A client that is too slow for what it has been sent would not see the end of it either. */
function isWorthWaiting(code: number): boolean {
  return code === 1000 || code === 4409;
}

export class PollCarrier extends TransportCarrier {
  readonly kind = "poll";
  override readonly isParked = true;
  #text = "";

  write(record: AnyRecord): void {
    this.#text += asEventText(record).body;
  }

  override finish(): void {
    this.transport.send(bodyMessage(this.#text), true);
  }

  /** Without an `open` it is no answer that says something of a session: its status tells why. */
  override end(code: number): void {
    this.#text = "";
    const [status, body] = code === 4409 ? REPLACED : OVER;
    this.transport.send({ ...bodyMessage(body), status }, true);
  }
}

/** PROTOCOL.md, "Polls". */
const REPLACED = [409, "another carrier has the session\n"] as const;
const OVER = [410, "the session is over\n"] as const;

/** Records as they are, with the head of an event stream. */
export const RECORD_STREAM: HttpFormat = {
  ...EVENT_STREAM,
  // A parked poll has no head until it is answered.
  startsSilent: false,
  messageForm: "body",
  encodePart: (data) => (typeof data === "string" ? data : utf8(data)),
};
