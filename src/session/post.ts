// POSTs of a session: records in a body, answered with an acknowledgement. PROTOCOL.md, "POST". Their number in one session,
// their records, the time for which they wait and the bytes that they hold meanwhile are bounded.

import { utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { failureOf, isClientsFault } from "../channel/failure.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { joinFields } from "../codec/field-list.ts";
import {
  decodePostedEvent,
  encodeRecordEvent,
  MAX_SINCE_LENGTH,
  type NumberedRecord,
  type SessionRecord,
} from "../codec/session-record.ts";
import { EventDecoder } from "../codec/sse.ts";
import { ACK_MS, keptSize } from "../protocol/session.ts";
import { contextOf } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import { TEXT_PLAIN } from "../transport/http/format.ts";
import type { HttpTransport } from "../transport/http/transport.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import { refusalFields, refuseSession } from "./answer.ts";
import { MAX_POSTS, type Post, Posts } from "./posts.ts";
import type { OpenSession } from "./registry.ts";
import { requestBytes } from "./requests.ts";
import type { SessionTransport } from "./transport.ts";
import { Turns } from "./turns.ts";

/** Most records of one POST. A body of 64 KiB, which a client should not exceed, has room for two thirds of them. */
const MAX_POST_RECORDS = 16_384;
/**
 * Bytes of all POSTs that are decoded in one turn of the event loop, and records of one that are delivered in it. They take
 * some milliseconds: Node accepts one connection in each turn, so long turns make new clients wait behind one another.
 */
const TURN_BYTES = 32_768;
const TURN_RECORDS = 512;
/** Bytes of a long body that are decoded in one turn. */
const SLICE_BYTES = 262_144;
/** The counted size of a record without data. */
const RECORD_BYTES = 64;
const turns = new Turns(TURN_BYTES);

const RETRY = ["Retry-After", "1"];

interface PostAnswer {
  readonly status: number;
  readonly records?: readonly SessionRecord[];
  readonly fields?: readonly string[];
}

const NO_ROOM: PostAnswer = { status: 503, fields: RETRY };
const SESSION_OVER: PostAnswer = { status: 410 };

export interface PostSettings {
  /** The number of the first record. */
  readonly from: number;
  readonly maxMessageBytes: number;
  readonly fields: readonly string[];
}

/**
 * Takes the records of a POST; the answer acknowledges those that have arrived. Returns the session's channel, or the refusal
 * of the request.
 */
export function acceptPost(
  request: ChannelRequest,
  session: OpenSession | undefined,
  settings: PostSettings,
): TransportChannel | HttpTransport {
  const { from } = settings;
  if (session === undefined) return refuseSession(request, { status: 410, message: "no such session" });
  if (from === 0) return refuseSession(request, { status: 400, message: "from is 0: records count from 1" });
  const { transport, channel } = session;
  transport.posts ??= new Posts();
  if (transport.posts.isFull) {
    return refuseSession(request, {
      status: 429,
      message: `a session has ${MAX_POSTS} POSTs under way at most`,
      fields: RETRY,
    });
  }
  request.opened(channel);
  void new PostIntake(request, transport, transport.posts, settings).answer();
  return channel;
}

/** One POST, from its body to its answer. */
class PostIntake {
  readonly #request: ChannelRequest;
  readonly #transport: SessionTransport;
  readonly #posts: Posts;
  readonly #settings: PostSettings;
  readonly #received: BufferBudget;
  readonly #post: Post;

  constructor(request: ChannelRequest, transport: SessionTransport, posts: Posts, settings: PostSettings) {
    this.#request = request;
    this.#transport = transport;
    this.#posts = posts;
    this.#settings = settings;
    this.#received = contextOf(request).received;
    this.#post = posts.enter(settings.from, () => request.exchange.abort());
  }

  /** Never rejects: nothing awaits it. */
  async answer(): Promise<void> {
    const request = this.#request;
    try {
      const { status, records = [], fields = [] } = await this.#take();
      if (status !== 200) contextOf(request).refused(request, status, "the posted records were not taken");
      const own = joinFields([...this.#settings.fields, ...fields], ["Content-Type", "text/event-stream"]);
      request.exchange.respond({ status, fields: own }, records.map(encodeRecordEvent).join(""));
    } catch (error) {
      failPost(request, error);
    } finally {
      this.#hold(0);
      this.#posts.leave(this.#post);
    }
  }

  async #take(): Promise<PostAnswer> {
    const transport = this.#transport;
    const body = await this.#request.bytes();
    this.#hold(body.length);
    if (this.#isTooMuch) return NO_ROOM;
    const records = await decodeRecords(body, this.#settings.maxMessageBytes);
    this.#hold(recordsSize(records));
    if (transport.isOver) return SESSION_OVER;
    // Acknowledgements never wait: the application may wait for them before it takes more messages.
    transport.takeAcks(records);
    const numbered = records.filter(isNumbered);
    if (numbered.length === 0) return this.#acknowledgement(200);
    transport.session.claim?.request();
    if (!this.#mayBeTaken) {
      if (this.#isTooMuch) return NO_ROOM;
      await this.#posts.wait(() => this.#mayBeTaken || this.#isInVain, transport.session.settings.heartbeatMs / 2);
    }
    if (transport.isOver) return SESSION_OVER;
    if (!this.#mayBeTaken) return this.#acknowledgement(200);
    return this.#leavesNoGap ? this.#deliver(numbered) : this.#acknowledgement(409);
  }

  async #deliver(records: readonly NumberedRecord[]): Promise<PostAnswer> {
    const transport = this.#transport;
    const { from } = this.#settings;
    transport.checkRequests(from, records);
    for (let i = 0; i < records.length; i += TURN_RECORDS) {
      if (i > 0) await new Promise(setImmediate);
      if (transport.isOver) return SESSION_OVER;
      if (transport.isLeaving) break;
      transport.take(from + i, records.slice(i, i + TURN_RECORDS));
    }
    this.#hold(0);
    // A server that dies loses the messages that its application has not taken: the client should keep them a moment longer.
    const last = from + records.length - 1;
    // Not if the client's next POST may have the reply for which the application waits.
    const isDone = (): boolean => transport.session.taken >= last || transport.session.awaitsReply || this.#isInVain;
    await this.#posts.wait(isDone, ACK_MS);
    return this.#acknowledgement(200);
  }

  /** Counts the memory of the body, and then of its records. */
  #hold(bytes: number): void {
    this.#received.change(this.#post.bytes, bytes);
    this.#post.bytes = bytes;
  }

  get #isTooMuch(): boolean {
    return this.#received.isExceeded && this.#received.isShareSpent(this.#post.bytes);
  }

  get #mayBeTaken(): boolean {
    const { session, isLeaving } = this.#transport;
    if (isLeaving || session.claim !== undefined) return false;
    // A reply passes the messages before it, as on a WebSocket: they are held, up to the same bound.
    const hasRoom = session.incoming.isFree || (session.awaitsReply && !session.incoming.isFull);
    return (this.#leavesNoGap || this.#posts.isFirst(this.#post)) && hasRoom;
  }

  get #leavesNoGap(): boolean {
    return this.#settings.from <= this.#transport.session.received + 1;
  }

  /** True if the client does not wait for the answer any more. */
  get #isInVain(): boolean {
    return this.#transport.isOver || this.#request.exchange.isClientGone;
  }

  #acknowledgement(status: number): PostAnswer {
    return { status, records: [{ type: "ack", received: this.#transport.session.takeAck() }] };
  }
}

/** Throws if one of the records is malformed or too big: none is taken then. */
async function decodeRecords(bytes: Uint8Array, maxMessageBytes: number): Promise<SessionRecord[]> {
  // Base64 takes four bytes for three, JSON up to six for one.
  const decoder = new EventDecoder({ maxEventBytes: Math.max(6 * maxMessageBytes, MAX_SINCE_LENGTH) + 1024 });
  const records: SessionRecord[] = [];
  // Bodies are decoded one after the other: decoded records take ten times the bytes of their body.
  const turn = turns.take(bytes.length);
  if (turn !== undefined) await turn;
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await new Promise(setImmediate);
    decoder.push(bytes.subarray(at, at + SLICE_BYTES));
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (records.length === MAX_POST_RECORDS) {
        throw new ChannelError("BODY_TOO_LARGE", `a POST has ${MAX_POST_RECORDS} records at most`);
      }
      const record = decodePostedEvent(event);
      if (lengthOf(record) > maxMessageBytes) throw new ChannelError("MESSAGE_TOO_BIG");
      records.push(record);
    }
  }
  return records;
}

function isNumbered(record: SessionRecord): record is NumberedRecord {
  return record.type === "message" || record.type === "close" || record.type === "since" || record.type === "request";
}

/** The bytes that `maxMessageBytes` limits. Throws BAD_RECORD for a request that is malformed. */
function lengthOf(record: SessionRecord): number {
  if (record.type === "request") return requestBytes(record.data);
  if (record.type !== "message") return 0;
  return typeof record.data === "string" ? utf8Length(record.data) : record.data.length;
}

function recordsSize(records: readonly SessionRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += isNumbered(record) ? keptSize(record) : RECORD_BYTES;
  return bytes;
}

/** Answers a body that is malformed, too big or incomplete; in the last two cases the engine may have answered already. */
function failPost(request: ChannelRequest, error: unknown): void {
  const { exchange } = request;
  const context = contextOf(request);
  const isTooBig = error instanceof ChannelError && error.code === "MESSAGE_TOO_BIG";
  if (!isTooBig && !isClientsFault(error)) context.report(error, { source: "handler", request });
  if (exchange.isAnswered) return;
  const { status = 500, body } = isTooBig ? { status: 413, body: `${error.message}\n` } : failureOf(error);
  if (status < 500) context.refused(request, status, String(body).trimEnd());
  const fields = joinFields(TEXT_PLAIN, refusalFields(request));
  exchange.respond({ status, fields: status === 503 ? [...fields, ...RETRY] : fields }, String(body));
}
