// The application's check of a WebSocket before the handler runs: the `upgrade` option.

import type { HeadersInput } from "../channel/headers.ts";
import type { SendInit } from "../channel/send-data.ts";
import type { ChannelRequest } from "./request.ts";

/** The WebSocket may open, as far as the check is concerned: the handler has the request next. */
export interface UpgradeAccepted {
  /** Headers of the 101, beside those of the channel's own options. */
  readonly headers?: HeadersInput | undefined;
  /** The channel's `attachment` from the start: who it is that was let in, say. */
  readonly attachment?: unknown;
  readonly status?: undefined;
  readonly body?: undefined;
}

/** Nothing, or `UpgradeAccepted`: go on. A literal with a status or a body, and a Fetch `Response`: the answer. */
// biome-ignore lint/suspicious/noConfusingVoidType: a check that returns nothing has the return type void
export type UpgradeResult = UpgradeAccepted | SendInit | Response | undefined | void;

/** Asked for each WebSocket before the handler is. */
export type UpgradeCheck = (request: ChannelRequest) => UpgradeResult | PromiseLike<UpgradeResult>;
