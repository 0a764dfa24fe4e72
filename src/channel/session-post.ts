// What the client of a session posts: records in a body, answered with how far they have come. PROTOCOL.md, "POST".

import { utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { joinFields } from "../codec/field-list.ts";
import { decodeRecordEvent, encodeRecordEvent, type SessionRecord } from "../codec/session-record.ts";
import { EventDecoder } from "../codec/sse.ts";
import { failureOf, isClientsFault } from "./failure.ts";
import type { ChannelRequest } from "./request.ts";
import type { AnySessionOptions } from "./session.ts";
import { answerFields, plainHead, refuse } from "./session-answer.ts";
import type { OpenSession } from "./sessions.ts";
import type { TransportChannel } from "./transport-channel.ts";

interface Post {
  readonly from: number;
}

/**
 * POSTs of one session may arrive on several connections at once: their records are taken in the order of `from`,
 * whichever body is whole first.
 */
export class PostOrder {
  readonly #underWay = new Set<Post>();
  #waiting: (() => void)[] = [];

  /** A POST has begun; `leave` follows, whatever becomes of it. */
  enter(from: number): Post {
    const post = { from };
    this.#underWay.add(post);
    return post;
  }

  leave(post: Post): void {
    this.#underWay.delete(post);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no POST that comes before this one is under way, or `isNext` without it. */
  async turn(post: Post, isNext: () => boolean): Promise<void> {
    while (!isNext() && [...this.#underWay].some(({ from }) => from < post.from)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** Records from the client; what is answered says up to where they are here. */
export function acceptPost(request: ChannelRequest, from: number, options: AnySessionOptions): TransportChannel {
  const { context, query, path } = request;
  const session = context.sessions.find(query.get("session") ?? "", options.identity, path);
  if (session === undefined) return refuse(request, 410, "no such session");
  const { maxMessageBytes = context.webSocket.maxMessageBytes } = options;
  request.opened(session.channel);
  takePost(request, session, from, maxMessageBytes).then(
    ({ status, records }) => {
      const body = records.map(encodeRecordEvent).join("");
      request.exchange.respond(
        { status, fields: joinFields(answerFields(options), ["Content-Type", "text/event-stream"]) },
        body,
      );
    },
    (error) => failPost(request, error, options),
  );
  return session.channel;
}

interface PostAnswer {
  readonly status: number;
  readonly records: readonly SessionRecord[];
}

async function takePost(
  request: ChannelRequest,
  session: OpenSession,
  from: number,
  maxMessageBytes: number,
): Promise<PostAnswer> {
  session.posts ??= new PostOrder();
  const { transport, posts } = session;
  const post = posts.enter(from);
  try {
    const records = decodeRecords(await request.bytes(), maxMessageBytes);
    await posts.turn(post, () => transport.isNext(from));
    await transport.room();
    if (transport.isOver) return { status: 410, records: [] };
    const isTaken = transport.take(from, records);
    return { status: isTaken ? 200 : 409, records: [{ type: "ack", received: transport.takeAck() }] };
  } finally {
    posts.leave(post);
  }
}

function decodeRecords(bytes: Uint8Array, maxMessageBytes: number): SessionRecord[] {
  // Base64 takes four bytes for three, JSON up to six for one.
  const decoder = new EventDecoder({ maxEventBytes: 6 * maxMessageBytes + 1024 });
  decoder.push(bytes);
  const records: SessionRecord[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    const record = decodeRecordEvent(event);
    if (record.type === "message" && sizeOf(record.data) > maxMessageBytes) throw new ChannelError("MESSAGE_TOO_BIG");
    records.push(record);
  }
  return records;
}

function sizeOf(data: string | Uint8Array): number {
  return typeof data === "string" ? utf8Length(data) : data.length;
}

/** The body was malformed, too big, or never came whole; in the last two cases the engine may have answered already. */
function failPost(request: ChannelRequest, error: unknown, options: AnySessionOptions): void {
  const { exchange, context } = request;
  const isTooBig = error instanceof ChannelError && error.code === "MESSAGE_TOO_BIG";
  if (!isTooBig && !isClientsFault(error)) context.report(error, { source: "handler", request });
  if (exchange.isAnswered) return;
  const { status = 500, body } = isTooBig ? { status: 413, body: `${error.message}\n` } : failureOf(error);
  exchange.respond(plainHead(status, answerFields(options)), String(body));
}
