// The state of a connection, and the events of its listeners.

import { ChannelError } from "../base/channel-error.ts";
import type { Connection, ConnectionClose, ConnectionState, Opening } from "./connection.ts";
import { type Listeners, listeners } from "./listeners.ts";

/**
 * A connection's own states are those that the application sees, and one more:
 *
 * closed  the application knows; earlier messages may still be sent
 * over    nothing is sent any more
 */
type State = ConnectionState | "over";

/** Every legal move. Others are not made. */
const MOVES: Readonly<Record<State, readonly State[]>> = {
  connecting: ["open", "closed"],
  open: ["reconnecting", "offline", "closed"],
  reconnecting: ["open", "offline", "closed"],
  offline: ["open", "reconnecting", "closed"],
  closed: ["over"],
  over: [],
};

/** The part of a connection that listens. */
type Listening = Pick<
  Connection<unknown, unknown>,
  "opened" | "closed" | "onMessage" | "onOpen" | "onState" | "onReset" | "onClose" | "onError"
>;

export interface Events {
  readonly state: ConnectionState;
  readonly isOver: boolean;
  /** Undefined until the connection is closed. */
  readonly ending: ConnectionClose | undefined;
  readonly listening: Listening;
  readonly message: Listeners<unknown>;
  readonly open: Listeners<Opening<unknown>>;
  readonly reset: Listeners<string>;
  readonly error: Listeners<unknown>;
  /** Reports CONNECT_FAILED. */
  fail(what: string, cause?: unknown): void;
  /** Returns true if the connection has made this move. */
  move(state: State): boolean;
  /** Moves to `closed`. */
  end(close: ConnectionClose): void;
  /** Calls the listeners of `onClose`. Called last. */
  tellEnd(): void;
}

export function events(): Events {
  let state: State = "connecting";
  let ending: ConnectionClose | undefined;
  /** True when the listeners of `onClose` have been called. */
  let isTold = false;

  const error = listeners<unknown>(throwLater);
  const report = (problem: unknown): void => (error.size > 0 ? error.tell(problem) : throwLater(problem));
  // An earlier listener may have closed the connection, and nothing follows `onClose`.
  const isGoingOn = (): boolean => !ending;
  const message = listeners<unknown>(report, isGoingOn);
  const open = listeners<Opening<unknown>>(report, isGoingOn);
  const reset = listeners<string>(report, isGoingOn);
  const states = listeners<ConnectionState>(report, (event) => event === state);
  const ends = listeners<ConnectionClose>(report);

  function onClose(fn: (close: ConnectionClose) => void): () => void {
    if (!isTold) return ends.add(fn);
    const late = listeners<ConnectionClose>(report);
    queueMicrotask(() => tell(late));
    return late.add(fn);
  }

  /** Listeners that are added during the call are not called: one that adds itself again would never end. */
  function tell(to: Listeners<ConnectionClose>): void {
    isTold = false;
    to.tell(ending!);
    isTold = true;
  }

  function move(next: State): boolean {
    const isLegal = MOVES[state].includes(next);
    if (isLegal) {
      state = next;
      if (next !== "over") states.tell(next);
    }
    return isLegal;
  }

  const opened = new Promise<Opening<unknown>>((resolve, reject) => {
    open.add(resolve);
    ends.add(({ code, reason }) => reject(new ChannelError("CONNECTION_CLOSED", `${code} ${reason}`)));
  });
  // Its rejection need not be handled.
  opened.catch(() => {});

  return {
    get state() {
      return state === "over" ? "closed" : state;
    },
    get isOver() {
      return state === "over";
    },
    get ending() {
      return ending;
    },
    listening: {
      opened,
      closed: new Promise((resolve) => ends.add(resolve)),
      onMessage: message.add,
      onOpen: open.add,
      onState: states.add,
      onReset: reset.add,
      onClose,
      onError: error.add,
    },
    message,
    open,
    reset,
    error,
    fail: (what, cause) => error.tell(new ChannelError("CONNECT_FAILED", what, { cause })),
    move,
    end(close) {
      ending = close;
      move("closed");
    },
    tellEnd: () => tell(ends),
  };
}

/** Throws outside the client's own loop: without a listener an error must not be silent. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
