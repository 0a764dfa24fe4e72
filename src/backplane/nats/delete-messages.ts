// Removes messages of a stream by their sequences. A purge with a filter would move consumers of the same stream that are at work,
// so that they leave messages out that are still there (server 2.9.10: 7 of 60 lists of 1,250 messages were not whole).

import { DELETE_FAILED, isApiError, NO_MESSAGE_FOUND } from "./api.ts";
import { mapAtOnce } from "./at-once.ts";
import type { NatsLink } from "./connection.ts";
import { findMessage } from "./find-message.ts";

/** Removes the message with a sequence. Resolves to false if it was not there. */
export async function deleteMessage(link: NatsLink, stream: string, sequence: number): Promise<boolean> {
  try {
    await link.api(`STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true });
    return true;
  } catch (error) {
    if (isApiError(error, DELETE_FAILED, NO_MESSAGE_FOUND)) return false;
    throw error;
  }
}

/** Removes messages; those that are not there any more are no error. */
export async function deleteMessages(
  link: NatsLink,
  stream: string,
  messages: readonly { readonly sequence: number }[],
): Promise<void> {
  await mapAtOnce(messages, ({ sequence }) => deleteMessage(link, stream, sequence));
}

/** Removes the last message of a subject, also where it is replaced meanwhile. */
export async function deleteLast(link: NatsLink, stream: string, subject: string): Promise<void> {
  for (;;) {
    const found = await findMessage(link, stream, { last_by_subj: subject });
    if (found === undefined || (await deleteMessage(link, stream, found.sequence))) return;
  }
}
