// One message of a stream, which needs no consumer.

import { isApiError, NO_MESSAGE_FOUND } from "./api.ts";
import type { NatsLink } from "./connection.ts";

/** A message of a stream. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  /** Time at which the server stored it, in milliseconds. */
  readonly atMs: number;
  readonly data: Uint8Array;
}

/** The last message of a subject, the first one from a sequence on, or the message with a sequence. */
export type MessageRequest =
  | { readonly last_by_subj: string }
  | { readonly seq: number; readonly next_by_subj?: string };

interface Found {
  readonly message: { readonly seq: number; readonly subject: string; readonly time: string; readonly data?: string };
}

/** Resolves to undefined if there is no such message. */
export async function findMessage(
  link: NatsLink,
  stream: string,
  request: MessageRequest,
): Promise<StoredMessage | undefined> {
  let found: Found;
  try {
    found = await link.api<Found>(`STREAM.MSG.GET.${stream}`, request);
  } catch (error) {
    if (isApiError(error, NO_MESSAGE_FOUND)) return undefined;
    throw error;
  }
  const { seq: sequence, subject, time, data = "" } = found.message;
  return { sequence, subject, atMs: Date.parse(time), data: Buffer.from(data, "base64") };
}
