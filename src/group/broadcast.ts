// A broadcast: one message, or one for each member, sent to the members of a group in this process. It has no id, and no
// history keeps it.

import { callSync } from "../base/guard.ts";
import { prepare, type SendData } from "../channel/send-data.ts";
import { discardBody } from "../channel/source.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type { Broadcast } from "./channel-store.ts";
import { broadcastAnswer } from "./due-polls.ts";
import type { GroupMember } from "./group-member.ts";
import { type Member, PollState } from "./member.ts";
import { encodeWith, type StoreCodec, toGroupMessage, toSendData } from "./message.ts";

/** Makes the message of each member. */
type MakeMessage<Attachment, Out> = (channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown;

export interface BroadcastContext {
  readonly codec: StoreCodec;
  /** Receives an error of one member. The others still get the message. */
  report(error: unknown, member: Member): void;
}

/** Sends to each of the members, a copy of those of a group. Returns the number of members that were sent something. */
export function broadcastTo<Attachment, Out>(
  members: readonly Member[],
  data: Broadcast<Attachment, Out>,
  context: BroadcastContext,
): number {
  if (typeof data === "function") return sendToEach(members, data as MakeMessage<Attachment, Out>, context);
  const value = encodeWith(context.codec, data);
  if (members.length === 0) discardBody(value);
  if (value === undefined) return 0;
  const message = members.length < 2 ? undefined : toShared(value);
  return countSent(members, context, (member) => sendTo(member, value, message));
}

function sendToEach<Attachment, Out>(
  members: readonly Member[],
  make: MakeMessage<Attachment, Out>,
  context: BroadcastContext,
): number {
  // Copies: attachments change while callbacks of members run.
  const attachments = members.map(({ attachment }) => attachment as Attachment | undefined);
  return countSent(members, context, (member, index) => {
    const made = callSync("the function of broadcast", () =>
      make(member.channel as GroupMember<Out>, attachments[index]),
    );
    const value = encodeWith(context.codec, made);
    return value !== undefined && sendTo(member, value, undefined);
  });
}

/** Returns the number of members for which `send` returns true. */
function countSent(
  members: readonly Member[],
  { report }: BroadcastContext,
  send: (member: Member, index: number) => boolean,
): number {
  let sent = 0;
  for (const [index, member] of members.entries()) {
    try {
      if (send(member, index)) sent += 1;
    } catch (error) {
      report(error, member);
    }
  }
  return sent;
}

/** `message`: the value as it is sent to channels, if other members share it. */
function sendTo({ channel, hasLeft, state }: Member, value: unknown, message: SendData | undefined): boolean {
  // A callback may have removed the member. It receives the message nevertheless, as in the seed's store.
  if (!hasLeft && state instanceof PollState) return sendRaw(channel, broadcastAnswer(toGroupMessage(value), state));
  return sendRaw(channel, message ?? toSendData(value));
}

/** Encodes a message once for all members. One that cannot be sent fails for each member, as its own send would. */
function toShared(value: unknown): SendData {
  const message = toSendData(value);
  try {
    return prepare(message);
  } catch {
    return message;
  }
}
