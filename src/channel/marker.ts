// The Response that stands for "the channel answers", for frameworks whose handlers must return one.
// Such frameworks copy responses (to add a header, say), so the mark is a field, with a value that nobody can guess.

import { randomUUID } from "node:crypto";

const MARK = "unichannel-answers";
const VALUE: string = randomUUID();

/** An empty response that `isChannelResponse` knows, also when it was copied. */
export function channelResponse(): Response {
  return new Response(null, { headers: { [MARK]: VALUE } });
}

export function isChannelResponse(response: Response): boolean {
  return response.headers.get(MARK) === VALUE;
}
