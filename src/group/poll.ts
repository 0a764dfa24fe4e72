// Long polling of a group: a request waits until there is a message that its client has not received. The client is away
// between two polls. Each answer has the id at which it ends, and the history keeps later messages, so nothing is lost.

import { badOption, checkOptions } from "../base/option-values.ts";
import type { Channel } from "../channel/channel.ts";
import { checkFields, toFields } from "../channel/headers.ts";
import { withChannel } from "../request/accept.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { AnyChannelStore } from "./channel-store.ts";
import { GroupStore } from "./group-store.ts";
import { checkGroupName, POLL_OPTIONS, type PollOptions } from "./store-options.ts";

const NO_OPTIONS: PollOptions = {};
const CHANNEL_OPTIONS = { sse: false };

/**
 * Answers a request with the messages that were published to the group after `since`: at once if there are any, otherwise
 * with the first one, or with 204 after `parkMs`. The answer is
 *
 *     { "messages": [{ "id": "…", "data": … }], "next": "…", "reset": false }
 *
 * `next` is the `since` of the next poll. Without `since` the answer comes at once, with the group's present position alone; with
 * an empty `since` it has all messages that are kept. `reset`: messages are lost, or `since` is unknown; the answer then has all
 * messages that are kept.
 */
export function pollGroup(
  request: ChannelRequest | Request,
  store: AnyChannelStore,
  group: string,
  options: PollOptions = NO_OPTIONS,
): Channel {
  if (!(store instanceof GroupStore)) throw badOption("pollGroup needs a store of createChannelStore");
  if (options !== NO_OPTIONS) checkOptions("pollGroup", options, POLL_OPTIONS);
  const { since = sinceOf(request.url), parkMs = 25_000, headers } = options;
  if (headers !== undefined) checkFields(toFields(headers));
  checkGroupName(group);
  const park = (channel: Channel): void => store.park(group, channel, since ?? undefined, parkMs);
  return withChannel(request, park, headers === undefined ? CHANNEL_OPTIONS : { ...CHANNEL_OPTIONS, headers });
}

/** The query of a request target, or of the whole URL of a Fetch request. */
function sinceOf(url: string): string | null {
  const start = url.indexOf("?");
  if (start === -1) return null;
  const query = url.slice(start + 1);
  // Nearly every poll has this query; Node needs a microsecond to parse it.
  if (/^since=[\w.-]*$/.test(query)) return query.slice("since=".length);
  return new URLSearchParams(query).get("since");
}
