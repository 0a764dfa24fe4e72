// The result of the checks that a WebSocket passes before the handler runs.

import type { Handshake } from "../codec/ws-handshake.ts";

export interface CheckedUpgrade {
  readonly handshake: Handshake;
  /** Header fields of the 101, from the application's `upgrade` check. */
  readonly fields: readonly string[];
  readonly attachment: unknown;
}
