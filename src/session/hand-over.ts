// Moves the sessions of a server that stops to the session store, from which another process takes them. Each session is
// taken out of use first; when the callbacks that run have ended, it is written down as a whole, and stored. Its client loses
// its connection and comes back. A session that cannot be stored ends as it would without a store, and its client is told.

import type { Clock, Timer } from "../base/clock.ts";
import { shortToken } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import { inspectable } from "../base/guard.ts";
import { pause } from "../base/pause.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { toJsonValue } from "../channel/send-data.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { IncomingRequest } from "../transport/requests.ts";
import type { MembershipMover } from "./memberships.ts";
import type { OpenSession, Sessions } from "./registry.ts";
import { encodeSnapshot, type SessionSnapshot, type WaitingItem } from "./snapshot.ts";

export interface HandOverOptions {
  readonly sessions: Sessions;
  readonly memberships: MembershipMover | undefined;
  readonly clock: Clock;
  /** Stores a snapshot. False if another process has the session. Rejects if it is not known whether it is stored. */
  readonly put: (token: string, snapshot: Uint8Array, ttlMs: number) => Promise<boolean>;
  /** A session was stored, or could not be. */
  readonly moved: (channel: AnyChannel, isStored: boolean) => void;
  readonly report: (error: unknown, channel: AnyChannel, source: "save" | "sessions") => void;
}

/** Sessions that are on their way to the session store. */
export interface Leaving {
  readonly channels: ReadonlySet<TransportChannel>;
  readonly done: Promise<void>;
}

/** Interval for asking whether a callback has ended, in milliseconds. */
const PAUSE_MS = 5;
/** `save` has this long even if nothing is left of the time for the stop, in milliseconds. */
const MIN_SAVE_MS = 100;
/** Snapshots that are on their way to the store at the same time: they are in memory meanwhile. */
const MAX_UNDER_WAY = 256;
/** A client that has just lost its connection needs a moment, however short its `resumeMs`. */
const MIN_TTL_MS = 10_000;
/** A session store that cannot be reached is asked again after this time, in milliseconds. */
const RETRY_MS = 200;
/** A session store has this long to come back even if nothing is left of the time for the stop, in milliseconds. */
const MIN_STORE_MS = 3000;
/** Clients that could not be handed over come back within this time. */
const COME_BACK_MS = 1000;

export class HandOver {
  readonly #options: HandOverOptions;
  #underWay = 0;
  /** The end of the time in which the session store may come back: one for all sessions. Undefined until it has failed. */
  #storeUntil: number | undefined;
  #hasReportedAttachment = false;
  readonly #waiting: (() => void)[] = [];

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /**
   * Moves all sessions. Callbacks that run get `graceMs` to end. `done` resolves when every session is stored, or has to end here.
   */
  begin(graceMs: number): Leaving {
    const sessions = this.#options.sessions.all();
    // All at once: what one of them sends to another must not come to a session that is on its way.
    for (const { transport, channel } of sessions) {
      transport.suspend();
      channel.hold();
    }
    const deadline = this.#options.clock.now() + graceMs;
    const done = Promise.all(sessions.map((session) => this.#move(session, deadline))).then(() => {});
    return { channels: new Set(sessions.map(({ channel }) => channel)), done };
  }

  async #move(session: OpenSession, deadline: number): Promise<void> {
    const { transport, channel } = session;
    const { publicChannel } = channel;
    const { report } = this.#options;
    try {
      await this.#until(deadline, () => channel.isIdle || transport.isOver);
      const state = toJsonValue(await this.#saved(session, deadline));
      if (transport.isOver) return;
      const inbox = channel.leave();
      if (inbox === undefined) this.#stay(session);
      else await this.#store(session, { inbox, state }, deadline);
    } catch (error) {
      report(inspectable(error), publicChannel, "save");
      if (!transport.isOver) this.#stay(session);
    }
  }

  async #store(session: OpenSession, parts: Pick<SessionSnapshot, "inbox" | "state">, deadline: number): Promise<void> {
    const { transport, channel } = session;
    const { memberships, report } = this.#options;
    const { publicChannel } = channel;
    const left = memberships?.leave(publicChannel) ?? [];
    try {
      await this.#enter();
      const bytes = encodeSnapshot(this.#snapshot(session, parts, left));
      const isStored = await this.#put(session, bytes, deadline);
      if (isStored) this.#options.moved(publicChannel, true);
      // Also if another process has the session: this one must not say anything in its name.
      transport.left();
      channel.left();
    } catch (error) {
      report(inspectable(error), publicChannel, "sessions");
      memberships?.join(publicChannel, left);
      this.#stay(session);
    } finally {
      this.#underWay -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Tries again while a store that cannot be reached may come back. A snapshot may be stored twice. */
  async #put({ transport }: OpenSession, bytes: Uint8Array, deadline: number): Promise<boolean> {
    const { put, clock } = this.#options;
    const { token, settings } = transport.session;
    for (;;) {
      try {
        return await put(token, bytes, Math.max(settings.resumeMs, MIN_TTL_MS));
      } catch (error) {
        this.#storeUntil ??= Math.max(deadline, clock.now() + MIN_STORE_MS);
        if (!isUnavailable(error) || clock.now() >= this.#storeUntil) throw error;
        await pause(clock, RETRY_MS);
      }
    }
  }

  #snapshot(
    { transport, channel, identity, path, maxMessageBytes }: OpenSession,
    { inbox, state }: Pick<SessionSnapshot, "inbox" | "state">,
    memberships: readonly unknown[],
  ): SessionSnapshot {
    const { session, kind } = transport;
    const { token, settings, acknowledged, received, attempt, takenAtClose } = session;
    const { resumeMs, parkMs, heartbeatMs } = settings;
    return {
      token,
      identity,
      path,
      maxMessageBytes,
      resumeMs,
      parkMs,
      heartbeatMs,
      expiresAt: session.expiresAt,
      kind,
      attempt,
      acknowledged,
      received,
      kept: session.after(),
      cursors: session.cursors?.snapshot(),
      requests: session.requests?.snapshot(),
      takenAtClose,
      inbox: [...inbox, ...transport.waiting()].filter(isWanted),
      attachment: this.#attachment(channel.publicChannel),
      memberships,
      state,
    };
  }

  /** An attachment that JSON cannot express stays here: the application makes it again in `restored`. */
  #attachment(channel: AnyChannel): unknown {
    try {
      return toJsonValue(channel.attachment);
    } catch (error) {
      // Once: it concerns all sessions of the same application.
      if (!this.#hasReportedAttachment) this.#options.report(inspectable(error), channel, "sessions");
      this.#hasReportedAttachment = true;
      return undefined;
    }
  }

  /** The result of the application's `save`, which has the rest of the time. */
  async #saved({ channel }: OpenSession, deadline: number): Promise<unknown> {
    if (!channel.callbacks.hasSave) return undefined;
    const { clock } = this.#options;
    let timer: Timer;
    const late = new Promise<never>((_, reject) => {
      const tooLate = (): void => reject(new ChannelError("BAD_DATA", "save has not ended in time"));
      timer = clock.setTimer(tooLate, Math.max(deadline - clock.now(), MIN_SAVE_MS));
    });
    try {
      return await Promise.race([channel.callbacks.save(), late]);
    } finally {
      clock.clearTimer(timer!);
    }
  }

  /** The session ends here: its client is told, and gets another one. */
  #stay({ transport, channel }: OpenSession): void {
    this.#options.moved(channel.publicChannel, false);
    const { debug } = this.#options.sessions;
    debug?.(`session ${shortToken(transport.session.token)} cannot be handed over, and ends`);
    if (transport.session.claim !== undefined) {
      // It was taken and not claimed: the store has it, for the next process that asks, and this one may not speak for it.
      channel.leave();
      transport.left();
      channel.left();
      return;
    }
    transport.stay();
    channel.stay(COME_BACK_MS);
  }

  async #until(deadline: number, isMet: () => boolean): Promise<void> {
    const { clock } = this.#options;
    while (!isMet() && clock.now() < deadline) await pause(clock, PAUSE_MS);
  }

  async #enter(): Promise<void> {
    if (this.#underWay >= MAX_UNDER_WAY) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#underWay += 1;
  }
}

/** False for a request that its client has cancelled: it would be handled in the next process, maybe for the second time. */
function isWanted(item: WaitingItem): boolean {
  return !(item instanceof IncomingRequest && item.isCancelled);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "BACKPLANE_UNAVAILABLE";
}
