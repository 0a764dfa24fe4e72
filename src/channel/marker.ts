// The placeholder Response of a channel's answer, for frameworks whose handlers must return a Response. Frameworks copy
// responses (to add a header, for example), so the mark is a header field with an unguessable value.

import { nodeCrypto } from "../transport/node-modules.ts";

const MARK = "unichannel-answers";

let value: string | undefined;

/** An empty response that `isChannelResponse` recognizes, also after it was copied. */
export function channelResponse(): Response {
  value ??= nodeCrypto().randomUUID();
  return new Response(null, { headers: { [MARK]: value } });
}

export function isChannelResponse(response: Response): boolean {
  return value !== undefined && response.headers.get(MARK) === value;
}
