// The state of a session and how it ends: PROTOCOL.md, "The end".

import type { CloseRecord } from "../codec/session-record.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import { SERVICE_RESTART } from "./close-codes.ts";

/**
 * open       both ends send messages, over the carrier or, while there is none, kept for the next one
 * closing    the application has closed; the session waits until the client has acknowledged the close
 * lingering  closing, on a server that stops: one more poll may fetch the kept records
 * over       nothing is sent or taken any more
 *
 * In every state but the last there may be a carrier or not.
 */
type State = "open" | "closing" | "lingering" | "over";

/** Every legal move. */
const MOVES: Record<State, readonly State[]> = {
  open: ["closing", "over"],
  closing: ["lingering", "over"],
  lingering: ["over"],
  over: [],
};

/** The clients of a server that stops come back within this time, each at a random moment. */
const SPREAD_MS = 5000;

/** Moves return false where the state does not allow them. */
export class SessionState {
  #state: State = "open";
  #close: CloseRecord | undefined;
  /** The status with which the session ended; undefined before. */
  end: CloseStatus | undefined;
  #isServerStopping = false;

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isLingering(): boolean {
    return this.#state === "lingering";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** True if the session was closed because the server stops. */
  get isRestart(): boolean {
    return this.#close?.code === SERVICE_RESTART;
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
    if (!this.#moveTo("closing")) return undefined;
    const retryMs = code === SERVICE_RESTART ? Math.floor(Math.random() * SPREAD_MS) : undefined;
    this.#close = { type: "close", code, reason, ...(retryMs === undefined ? {} : { retryMs }) };
    return this.#close;
  }

  /** The application closed in another process, and the client has not acknowledged it. */
  restoreClose(record: CloseRecord): void {
    this.#moveTo("closing");
    this.#close = record;
  }

  /** The session continues in another process. */
  leave(): boolean {
    return this.#moveTo("over");
  }

  serverStops(): void {
    this.#isServerStopping = true;
  }

  linger(): boolean {
    return this.#moveTo("lingering");
  }

  endWith(status: CloseStatus): boolean {
    if (!this.#moveTo("over")) return false;
    this.end = status;
    return true;
  }

  #moveTo(state: State): boolean {
    if (!MOVES[this.#state].includes(state)) return false;
    this.#state = state;
    return true;
  }
}
