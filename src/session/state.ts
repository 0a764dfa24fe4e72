// The state of a session and how it ends: PROTOCOL.md, "The end".

import { linkStates } from "../base/linked-states.ts";
import type { CloseRecord } from "../codec/session-record.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import { EXPIRED, SERVICE_RESTART } from "./close-codes.ts";

/**
 * open       both ends send messages, over the carrier or, while there is none, kept for the next one
 * closing    the application has closed; the session waits until the client has acknowledged the close
 * lingering  closing, on a server that stops: one more poll may fetch the kept records
 * over       nothing is sent or taken any more
 *
 * In every state but the last there may be a carrier or not.
 */
type StateName = "open" | "closing" | "lingering" | "over";

const STEPS = ["close", "linger", "end"] as const;

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  open: { close: "closing", end: "over" },
  closing: { linger: "lingering", end: "over" },
  lingering: { end: "over" },
  over: {},
};

const STATES = linkStates(MOVES, STEPS);

type State = (typeof STATES)[StateName];

/** The clients of a server that stops come back within this time, each at a random moment. */
const SPREAD_MS = 5000;

/** Steps return false where the state does not have them. */
export class SessionState {
  #state: State = STATES.open;
  #close: CloseRecord | undefined;
  /** The status with which the session ended; undefined before. */
  end: CloseStatus | undefined;
  #isServerStopping = false;

  get isOpen(): boolean {
    return this.#state === STATES.open;
  }

  get isLingering(): boolean {
    return this.#state === STATES.lingering;
  }

  get isOver(): boolean {
    return this.#state === STATES.over;
  }

  /** True if the session was closed because the server stops. */
  get isRestart(): boolean {
    return this.#close?.code === SERVICE_RESTART;
  }

  /** True if the session was closed because the identity of the client has ended. */
  get isExpired(): boolean {
    return this.#close?.code === EXPIRED;
  }

  /** True if the session ends when its client is away: it cannot come back to a server that has stopped. */
  get endsWhenAway(): boolean {
    return this.#isServerStopping || this.isRestart;
  }

  /** The status of the application's close; undefined if it has not closed. */
  get closeStatus(): CloseStatus | undefined {
    return this.#close === undefined ? undefined : closeStatus("server", this.#close.code, this.#close.reason);
  }

  /** The application closes. Returns the record that is sent, or undefined if it has closed before. */
  close(code: number, reason: string): CloseRecord | undefined {
    if (!this.#moveTo(this.#state.close)) return undefined;
    const retryMs = code === SERVICE_RESTART ? Math.floor(Math.random() * SPREAD_MS) : undefined;
    this.#close = { type: "close", code, reason, ...(retryMs === undefined ? {} : { retryMs }) };
    return this.#close;
  }

  /** The application closed in another process, and the client has not acknowledged it. */
  restoreClose(record: CloseRecord): void {
    this.#moveTo(this.#state.close);
    this.#close = record;
  }

  /** The session continues in another process. */
  leave(): boolean {
    return this.#moveTo(this.#state.end);
  }

  serverStops(): void {
    this.#isServerStopping = true;
  }

  linger(): boolean {
    return this.#moveTo(this.#state.linger);
  }

  endWith(status: CloseStatus): boolean {
    if (!this.#moveTo(this.#state.end)) return false;
    this.end = status;
    return true;
  }

  /** `state`: the state after a step. False if the step has no effect: there is none. */
  #moveTo(state: State | undefined): boolean {
    if (state === undefined) return false;
    this.#state = state;
    return true;
  }
}
