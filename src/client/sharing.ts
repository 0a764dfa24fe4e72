// The seam between a connection and `unichannel/tabs`: the option `share` replaces the selector of carriers.

import type { CarrierKind } from "./carrier.ts";
import type { CarrierSelector, SelectorOwner } from "./carrier-selector.ts";
import type { ClientSession } from "./client-session.ts";
import type { Endpoint } from "./endpoint.ts";

/** The connection, as a selector of its carriers needs it. */
export interface SharingOwner extends SelectorOwner {
  readonly session: ClientSession;
  /** Returns a number from 0 to 1, without 1. */
  readonly random: () => number;
  /** Reports an error to the application. */
  readonly onError: (error: unknown) => void;
  /** Prints a line of the option `debug`. */
  readonly log: (line: string) => void;
  /** Unacknowledged bytes at which nothing more is taken. */
  readonly maxBufferedBytes: number;
}

/** Shares a session between connections: `tabs()` of `unichannel/tabs` makes one. */
export interface Sharing {
  /** Called by `connect`; not for applications. */
  select(kinds: readonly CarrierKind[], endpoint: Endpoint, owner: SharingOwner): CarrierSelector;
}
