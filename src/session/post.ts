// POSTs of a session: records in a body, answered with an acknowledgement. PROTOCOL.md, "POST". Their number in one session,
// their records, the time for which they wait and the bytes that they hold meanwhile are bounded.

import { utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { failureOf, isClientsFault } from "../channel/failure.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { joinFields } from "../codec/field-list.ts";
import {
  decodeRecordEvent,
  encodeRecordEvent,
  type NumberedRecord,
  type SessionRecord,
} from "../codec/session-record.ts";
import { EventDecoder } from "../codec/sse.ts";
import { ACK_MS, keptSize } from "../protocol/session.ts";
import { contextOf } from "../request/context.ts";
import type { ChannelRequest } from "../request/request.ts";
import { TEXT_PLAIN } from "../transport/http/transport.ts";
import { refusalFields, refuse } from "./answer.ts";
import { MAX_POSTS, type Post, Posts } from "./posts.ts";
import type { OpenSession } from "./registry.ts";
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

export interface PostSettings {
  /** The number of the first record. */
  readonly from: number;
  readonly maxMessageBytes: number;
  readonly fields: readonly string[];
}

/** Takes the records of a POST; the answer acknowledges those that have arrived. */
export function acceptPost(
  request: ChannelRequest,
  session: OpenSession | undefined,
  settings: PostSettings,
): TransportChannel {
  const { from } = settings;
  if (session === undefined) return refuse(request, { status: 410, message: "no such session" });
  if (from === 0) return refuse(request, { status: 400, message: "from is 0: records count from 1" });
  const { transport, channel } = session;
  transport.posts ??= new Posts();
  if (transport.posts.isFull) {
    return refuse(request, {
      status: 429,
      message: `a session has ${MAX_POSTS} POSTs under way at most`,
      fields: RETRY,
    });
  }
  request.opened(channel);
  void answerPost(request, transport, transport.posts.enter(from), settings);
  return channel;
}

/** Never rejects: nothing awaits it. */
async function answerPost(
  request: ChannelRequest,
  transport: SessionTransport,
  post: Post,
  { maxMessageBytes, fields }: PostSettings,
): Promise<void> {
  const context = contextOf(request);
  try {
    const { status, records = [], fields: more = [] } = await takePost(request, transport, post, maxMessageBytes);
    if (status !== 200) context.refused(request, status, "the posted records were not taken");
    const body = records.map(encodeRecordEvent).join("");
    const head = { status, fields: joinFields([...fields, ...more], ["Content-Type", "text/event-stream"]) };
    request.exchange.respond(head, body);
  } catch (error) {
    failPost(request, error);
  } finally {
    context.received.change(post.bytes, 0);
    transport.posts!.leave(post);
  }
}

async function takePost(
  request: ChannelRequest,
  transport: SessionTransport,
  post: Post,
  maxMessageBytes: number,
): Promise<PostAnswer> {
  const { exchange } = request;
  const { received } = contextOf(request);
  const { from } = post;
  const { session } = transport;
  const posts = transport.posts!;
  const body = await request.bytes();
  hold(body.length);
  if (isTooMuch()) return { status: 503, fields: RETRY };
  const records = await decodeRecords(body, maxMessageBytes);
  hold(recordsSize(records));
  if (transport.isOver) return { status: 410 };
  // Acknowledgements never wait: the application may wait for them before it takes more messages.
  transport.takeAcks(records);
  const numbered = records.filter(isNumbered);
  if (numbered.length === 0) return taken();
  if (!mayBeTaken()) {
    if (isTooMuch()) return { status: 503, fields: RETRY };
    await posts.wait(() => mayBeTaken() || isVain(), transport.settings.heartbeatMs / 2);
  }
  if (transport.isOver) return { status: 410 };
  if (!mayBeTaken()) return taken();
  if (!leavesNoGap()) return { ...taken(), status: 409 };
  for (let i = 0; i < numbered.length; i += TURN_RECORDS) {
    if (i > 0) await new Promise(setImmediate);
    if (transport.isOver) return { status: 410 };
    transport.take(from + i, numbered.slice(i, i + TURN_RECORDS));
  }
  hold(0);
  // A server that dies loses the messages that its application has not taken: the client should keep them a moment longer.
  await posts.wait(() => session.taken >= from + numbered.length - 1 || isVain(), ACK_MS);
  return taken();

  function hold(size: number): void {
    received.change(post.bytes, size);
    post.bytes = size;
  }

  function isTooMuch(): boolean {
    return received.isExceeded && received.isShareSpent(post.bytes);
  }

  function mayBeTaken(): boolean {
    return (leavesNoGap() || posts.isFirst(post)) && transport.hasRoom;
  }

  function leavesNoGap(): boolean {
    return from <= session.received + 1;
  }

  function isVain(): boolean {
    return transport.isOver || exchange.isClientGone;
  }

  function taken(): PostAnswer {
    return { status: 200, records: [{ type: "ack", received: session.takeAck() }] };
  }
}

/** Throws if one of the records is malformed or too big: none is taken then. */
async function decodeRecords(bytes: Uint8Array, maxMessageBytes: number): Promise<SessionRecord[]> {
  // Base64 takes four bytes for three, JSON up to six for one.
  const decoder = new EventDecoder({ maxEventBytes: 6 * maxMessageBytes + 1024 });
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
      const record = decodeRecordEvent(event);
      if (record.type === "message" && lengthOf(record.data) > maxMessageBytes) {
        throw new ChannelError("MESSAGE_TOO_BIG");
      }
      records.push(record);
    }
  }
  return records;
}

function isNumbered(record: SessionRecord): record is NumberedRecord {
  return record.type === "message" || record.type === "close";
}

function lengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
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
