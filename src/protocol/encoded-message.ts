// A message that is sent to many. Each of its wire forms (WebSocket frame, event, HTTP chunk, whole response, session
// record) is made by the first connection that needs it and serves all others.

import { copied, utf8, utf8Length } from "../base/bytes.ts";
import { memorySize } from "../base/memory-size.ts";
import { type SharedPiece, sharedPiece } from "../base/output.ts";
import { encodeChunk, type ResponseHead } from "../codec/http1-response.ts";
import {
  encodeRecordEvent,
  encodeRecordMessage,
  type GroupRecord,
  type MessageRecord,
} from "../codec/session-record.ts";
import { encodeEvent } from "../codec/sse.ts";
import { encodeFrameHead, FIN, OPCODE, RSV1 } from "../codec/ws-frame.ts";
import type { Compression } from "./compression.ts";
import { bodyMessage, type EventMeta, type OutboundMessage } from "./outbound-message.ts";

/** A whole message; without a `status` if it never sets that of a response. */
export type Encodable = Pick<OutboundMessage, "fields" | "body" | "event"> & Partial<Pick<OutboundMessage, "status">>;

export class EncodedMessage implements OutboundMessage {
  readonly status: number | undefined;
  readonly fields: readonly string[];
  readonly body: string | Uint8Array | null;
  readonly event: EventMeta | undefined;
  readonly length: undefined;
  /** The name of the group in whose stream the message has the id of its event; undefined if it is in none. */
  readonly group: string | undefined;
  #plainFrame: SharedPiece | undefined = undefined;
  /** By the number that `Compression.key` returns. */
  #compressedFrames: Map<number, SharedPiece> | undefined = undefined;
  #plain: EncodedBody | undefined = undefined;
  #event: EncodedBody | undefined = undefined;
  #record: OutboundRecord | undefined = undefined;
  #groupRecord: OutboundGroupRecord | undefined = undefined;

  /** `event` replaces the event of the message, whose id may be known only now. */
  constructor({ status, fields, body, event: own }: Encodable, event: EventMeta | undefined = own, group?: string) {
    this.status = status;
    this.fields = fields;
    this.body = body;
    this.event = event;
    this.group = group;
  }

  /**
   * The frame of the message on a WebSocket with this compression. Undefined if there is no such frame: the message has no
   * body, or its compressed form depends on earlier messages of the connection.
   */
  frame(compression: Compression | undefined): SharedPiece | undefined {
    const { body } = this;
    if (body === null) return undefined;
    const key = compression === undefined ? "uncompressed" : compression.key(body);
    if (key === "dependent") return undefined;
    if (key === "uncompressed") return this.#uncompressedFrame(body);
    this.#compressedFrames ??= new Map();
    let frame = this.#compressedFrames.get(key);
    if (frame === undefined) {
      const payload = compression!.deflate(body);
      frame =
        payload === undefined
          ? this.#uncompressedFrame(body)
          : sharedPiece(encodeFrameHead(opcodeOf(body), payload.length, FIN | RSV1), payload);
      this.#compressedFrames.set(key, frame);
    }
    return frame;
  }

  /** The body as it is in a plain response; undefined if there is none. */
  asPlain(): EncodedBody | undefined {
    if (this.#plain === undefined && this.body !== null) this.#plain = new EncodedBody(this.body);
    return this.#plain;
  }

  /** The event of the message in an event stream; undefined if it has neither data nor other fields. */
  asEvent(): EncodedBody | undefined {
    if (this.#event === undefined) {
      const text = messageToEvent(this);
      if (text !== null) this.#event = new EncodedBody(text);
    }
    return this.#event;
  }

  /** The record that all sessions keep of the message, which must have a body. Bytes are copied: see `dataRecord`. */
  asRecord(): OutboundRecord {
    const body = this.body!;
    this.#record ??= new OutboundRecord(typeof body === "string" ? body : copied(body), "many");
    return this.#record;
  }

  /** The record for clients that keep the cursors of their groups. The message must have a body and a group. */
  asGroupRecord(): OutboundGroupRecord {
    this.#groupRecord ??= new OutboundGroupRecord(this.group!, this.event?.id, this.asRecord().data);
    return this.#groupRecord;
  }

  #uncompressedFrame(body: string | Uint8Array): SharedPiece {
    this.#plainFrame ??= sharedPiece(encodeFrameHead(opcodeOf(body), lengthOf(body)), body);
    return this.#plainFrame;
  }
}

/** A message in the body of HTTP responses: as a chunk of one that grows, or as the whole of one. */
export class EncodedBody {
  readonly data: string | Uint8Array;
  /** The head of the response whose whole body this is. Set by the transport that answers first. */
  head: ResponseHead | undefined = undefined;
  #chunk: SharedPiece | undefined = undefined;
  #bare: SharedPiece | undefined = undefined;
  #response: { readonly server: object; readonly dateField: string; readonly piece: SharedPiece } | undefined =
    undefined;

  constructor(data: string | Uint8Array) {
    this.data = data;
  }

  /** RFC 9112 §7.1. */
  get chunk(): SharedPiece {
    this.#chunk ??= sharedPiece(encodeChunk(lengthOf(this.data)), this.data, "\r\n");
    return this.#chunk;
  }

  /** The data alone: the payload of HTTP/2 frames. */
  get bare(): SharedPiece {
    this.#bare ??= sharedPiece("", this.data);
    return this.#bare;
  }

  /** The response that `cacheResponse` stored for this server and date. */
  cachedResponse(server: object, dateField: string): SharedPiece | undefined {
    const cached = this.#response;
    return cached?.server === server && cached.dateField === dateField ? cached.piece : undefined;
  }

  cacheResponse(server: object, dateField: string, piece: SharedPiece): void {
    this.#response = { server, dateField, piece };
  }
}

/** A message of a session, kept until the client acknowledges it. */
export class OutboundRecord implements MessageRecord {
  readonly type = "message";
  readonly data: string | Uint8Array;
  readonly #isShared: boolean;
  /** Kept only if the record is shared. */
  #webSocket: EncodedMessage | undefined = undefined;
  #event: EncodedMessage | undefined = undefined;

  /** `sessions`: how many keep this record. */
  constructor(data: string | Uint8Array, sessions: "one" | "many") {
    this.data = data;
    this.#isShared = sessions === "many";
  }

  /** The record as a message of a WebSocket. */
  asWebSocket(): OutboundMessage {
    if (!this.#isShared) return bodyMessage(encodeRecordMessage(this));
    this.#webSocket ??= new EncodedMessage(bodyMessage(encodeRecordMessage(this)));
    return this.#webSocket;
  }

  /** The record as text of an event stream. */
  asEvent(): OutboundMessage {
    if (!this.#isShared) return bodyMessage(encodeRecordEvent(this));
    this.#event ??= new EncodedMessage(bodyMessage(encodeRecordEvent(this)));
    return this.#event;
  }
}

/** A message of a group, which all sessions of its members keep whose clients keep cursors. */
export class OutboundGroupRecord implements GroupRecord {
  readonly type = "group";
  readonly group: string;
  readonly id: string | undefined;
  readonly data: string | Uint8Array;
  #webSocket: EncodedMessage | undefined = undefined;
  #bytes: EncodedMessage | undefined = undefined;
  #event: EncodedMessage | undefined = undefined;

  constructor(group: string, id: string | undefined, data: string | Uint8Array) {
    this.group = group;
    this.id = id;
    this.data = data;
  }

  /** The record as a message of a WebSocket; the head alone if bytes follow. */
  asWebSocket(): EncodedMessage {
    this.#webSocket ??= new EncodedMessage(bodyMessage(encodeRecordMessage(this)));
    return this.#webSocket;
  }

  /** The bytes that follow the head on a WebSocket; undefined if the message is text. */
  asBytes(): EncodedMessage | undefined {
    if (typeof this.data === "string") return undefined;
    this.#bytes ??= new EncodedMessage(bodyMessage(this.data));
    return this.#bytes;
  }

  /** The record as text of an event stream. */
  asEvent(): EncodedMessage {
    this.#event ??= new EncodedMessage(bodyMessage(encodeRecordEvent(this)));
    return this.#event;
  }
}

/** The memory that a message takes for one client. A message for many is in memory once, and counts for none of them. */
export function ownSize(message: OutboundMessage): number {
  return message.body === null || message instanceof EncodedMessage ? 0 : memorySize(message.body);
}

/** The text of a message in an event stream; null if it has neither data nor other fields. Throws BAD_DATA. */
export function messageToEvent({ body, event }: OutboundMessage): string | null {
  if (body === null && event === undefined) return null;
  // WHATWG HTML §9.2.6: an empty `data` line dispatches an event too.
  return encodeEvent(body === null ? { ...event } : { ...event, data: typeof body === "string" ? body : utf8(body) });
}

function opcodeOf(data: string | Uint8Array): number {
  return typeof data === "string" ? OPCODE.TEXT : OPCODE.BINARY;
}

function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}
