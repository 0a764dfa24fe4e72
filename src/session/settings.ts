// The settings of a session, from its options.

import type { SessionSettings } from "./context.ts";
import type { AnySessionOptions } from "./options.ts";

const HEARTBEAT_MS = 25_000;
/** The server ticks once a second: with less, a client would take the silence between two ticks for the end. */
const MIN_HEARTBEAT_MS = 1000;

/** Shared by all sessions without options of their own. */
const DEFAULTS: SessionSettings = settingsOf(60_000, HEARTBEAT_MS, 25_000);

export function toSessionSettings(options: AnySessionOptions): SessionSettings {
  const { resumeMs, heartbeatMs, parkMs } = options;
  if ((resumeMs ?? parkMs ?? heartbeatMs) === undefined) return DEFAULTS;
  return settingsOf(resumeMs ?? DEFAULTS.resumeMs, heartbeatMs ?? DEFAULTS.heartbeatMs, parkMs ?? DEFAULTS.parkMs);
}

export function settingsOf(resumeMs: number, wantedHeartbeatMs: number, parkMs: number): SessionSettings {
  const heartbeatMs = Math.max(wantedHeartbeatMs, MIN_HEARTBEAT_MS);
  const heartbeat = { pingIntervalMs: heartbeatMs, pongTimeoutMs: heartbeatMs };
  return { resumeMs, heartbeatMs, parkMs: Math.min(parkMs, heartbeatMs), heartbeat };
}
