// The placeholder Response of a channel's answer, for frameworks whose handlers must return a Response. Frameworks copy
// responses (to add a header, for example), so the mark is a header field with an unguessable value.

import { randomUUID } from "node:crypto";

const MARK = "unichannel-answers";
const VALUE: string = randomUUID();

/** An empty response that `isChannelResponse` recognizes, also after it was copied. */
export function channelResponse(): Response {
  return new Response(null, { headers: { [MARK]: VALUE } });
}

export function isChannelResponse(response: Response): boolean {
  return response.headers.get(MARK) === VALUE;
}
