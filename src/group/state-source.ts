// The contract of `snapshot`, an option of `addToGroup`: a member receives the state of the application first, and then each
// message of the group that is not in that state.

import type { PreparedMessage } from "../channel/prepared-message.ts";
import type { GroupMember, Publishable } from "./group-member.ts";

/** Time for one call of `snapshot`, where the application gives none. */
const DEFAULT_TIMEOUT_MS = 10_000;

/** The argument of `snapshot`. */
export interface SnapshotContext<Out = Publishable> {
  /** The name of the group. */
  readonly group: string;
  /** The member. */
  readonly channel: GroupMember<Out>;
  /**
   * The id of the last message of the group before this call. A state that is read now contains every message up to it, if the
   * application changes its state before it publishes: return it as `since`.
   */
  readonly lastId: string;
  /** True if the channel has had a state, or messages, and messages that followed are lost. It is told of that before the new state. */
  readonly isReset: boolean;
  /** Number of calls before this one that gave no state which could be used, in succession: 0 at first. */
  readonly attempt: number;
  /** Aborted when the state is not needed any more: the channel has left the group, or `snapshotTimeoutMs` have passed. */
  readonly signal: AbortSignal;
}

/** The result of `snapshot`. */
export interface Snapshot<Out = Publishable> {
  /** The state, as `publish` takes a message. It is sent to this channel alone, with `since` as its id. */
  readonly message: Out | PreparedMessage;
  /**
   * The id of the last message of the group that the state contains; later ones are sent after the state. An empty string: it
   * contains none.
   */
  readonly since: string;
}

/** The option `snapshot` of `addToGroup`. */
export type MakeSnapshot<Out = Publishable> = (
  context: SnapshotContext<Out>,
) => Snapshot<Out> | PromiseLike<Snapshot<Out>>;

/** The same as a store keeps it, whatever its type of values is. */
export type AnyMakeSnapshot = (context: never) => unknown;

/** Where the state of one member comes from. */
export class StateSource {
  /** Undefined if the member has come from another process: a function cannot be moved. */
  make: AnyMakeSnapshot | undefined = undefined;
  timeoutMs: number = DEFAULT_TIMEOUT_MS;
  /** Ends the asking for a state; undefined while it is not asked for. */
  asking: AbortController | undefined = undefined;
  /** True if the member should have had a state, and there was no function to ask. */
  isOwed = false;

  set(make: AnyMakeSnapshot | undefined, timeoutMs: number = DEFAULT_TIMEOUT_MS): void {
    this.make = make;
    this.timeoutMs = timeoutMs;
  }

  /** Ends the asking: the member has left, or is asked for another state. */
  end(): void {
    this.asking?.abort();
    this.asking = undefined;
  }
}
