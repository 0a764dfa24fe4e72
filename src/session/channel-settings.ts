// The settings of a session's channel.

import type { ChannelSettings } from "../channel/context.ts";
import { toSettings } from "../request/accept.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { AnySessionOptions } from "./options.ts";

/** A session loses no message: where the server's policy for messages over a rate is "drop", those of a session wait. */
export function toChannelSettings(options: AnySessionOptions, request: ChannelRequest): ChannelSettings {
  const settings = toSettings(options, request);
  const { rates } = settings;
  return rates?.policy === "drop" ? { ...settings, rates: { ...rates, policy: "wait" } } : settings;
}
