// Opens a session of another process that this one has taken from the session store, for the first request of its client here.

import { ChannelError } from "../base/errors.ts";
import type { SessionHandlers } from "../channel/channel.ts";
import { contextOf } from "../request/context.ts";
import { newChannel } from "../request/new-channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import { toChannelSettings } from "./channel-settings.ts";
import { Claim } from "./claim.ts";
import { CursorTransport } from "./cursor-transport.ts";
import type { AnySessionOptions } from "./options.ts";
import { type OpenSession, sessionsOf } from "./registry.ts";
import { settingsOf } from "./settings.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import { SessionTransport } from "./transport.ts";

/** Throws TOO_MANY_SESSIONS and SESSION_UNREACHABLE: the session goes back to the store, and its client comes back. */
export function restoreSession(
  request: ChannelRequest,
  snapshot: SessionSnapshot,
  handlers: SessionHandlers,
  options: AnySessionOptions,
): OpenSession {
  const context = contextOf(request);
  const sessions = sessionsOf(request);
  const elsewhere = sessions.elsewhere!;
  const { token, identity, path, resumeMs, heartbeatMs, parkMs, kind, memberships, state, expiresAt } = snapshot;
  const { codec, maxMessageBytes = context.webSocket.maxMessageBytes } = options;
  // The sessions that leave are known already: this one would stay behind.
  if (elsewhere.isStopping) throw new ChannelError("SESSION_UNREACHABLE", "this process is stopping");
  const network = admit(request, token);
  const Transport = snapshot.cursors === undefined ? SessionTransport : CursorTransport;
  const transport = new Transport(token, kind, settingsOf(resumeMs, heartbeatMs, parkMs), sessions);
  const claim = new Claim({
    token,
    source: elsewhere,
    clock: elsewhere.clock,
    onGranted: () => transport.claimed(),
    onLost: () => transport.elsewhere(),
  });
  transport.restore(snapshot, claim);
  const settings = toChannelSettings(options, request);
  const attachment = snapshot.attachment ?? options.attachment;
  const channel = newChannel(request, { transport, handlers, settings, codec, attachment, expiresAt });
  const session = { transport, channel, identity, path, maxMessageBytes, network };
  sessions.add(session);
  const { closeStatus } = transport.session.state;
  if (closeStatus === undefined) {
    elsewhere.memberships?.join(channel.publicChannel, memberships);
    channel.begin(channel.callbacks.restored(state));
  } else {
    // The application closed there, and is told of the end here.
    channel.begin(undefined);
    channel.close(closeStatus.code, closeStatus.reason);
  }
  return session;
}

/** The next process that is asked may have room for it. */
function admit(request: ChannelRequest, token: string): string | undefined {
  const sessions = sessionsOf(request);
  try {
    return sessions.admit(request);
  } catch (error) {
    sessions.elsewhere!.refused(token);
    throw error;
  }
}
