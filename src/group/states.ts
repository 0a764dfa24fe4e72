// Asks the application for the state of members (`snapshot`) until it fits to what the group still has of its stream, and begins
// each member with it. Live messages wait in the history meanwhile, not in a queue for each member.

import type { Clock, Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { inspectable } from "../base/guard.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { Group } from "./group.ts";
import { JoinState, type Member, PollState } from "./member.ts";
import { encodeWith, GroupEntry, type StoreCodec, toGroupMessage } from "./message.ts";
import { replayAfter } from "./replay-after.ts";
import { type AnyMakeSnapshot, type Snapshot, type SnapshotContext, StateSource } from "./state-source.ts";
import type { GroupStream, Replay } from "./stream/source.ts";

/** The pause after the first attempt that has failed. It doubles each time. */
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 8000;
/** Attempts after which it is reported that the history is too short: one may meet a burst of messages. */
const SILENT_MISSES = 2;
const TOO_SHORT = "the group's history does not reach back to its `since`: keep more (history.size, history.ttlMs)";

export interface StatesOptions {
  readonly clock: Clock;
  readonly codec: StoreCodec;
  report(error: unknown, group: string, channel: AnyChannel): void;
}

/** A member that waits for its state. */
interface Asking {
  readonly group: Group;
  readonly member: Member;
  readonly state: JoinState;
  readonly source: StateSource;
  readonly isReset: boolean;
  readonly signal: AbortSignal;
}

/** The entry that was made of a result of the application, which may change the object or give it for another group. */
interface MadeEntry {
  readonly group: string;
  readonly message: unknown;
  readonly entry: GroupEntry;
}

export class States {
  readonly #options: StatesOptions;
  /** The entry of each result, so that members which share a result also share its encoded bytes. */
  readonly #made = new WeakMap<object, MadeEntry>();

  constructor(options: StatesOptions) {
    this.#options = options;
  }

  /** Asks for the state of a member, which receives nothing else until it has it. `isReset`: it is told that messages are lost. */
  ask(group: Group, member: Member, { isReset }: { readonly isReset: boolean }): void {
    const { state } = member;
    if (!(state instanceof JoinState) || state.source === undefined) return;
    const { source } = state;
    source.end();
    source.isOwed = false;
    const asking = new AbortController();
    source.asking = asking;
    state.isCatchingUp = true;
    state.caughtUpTo = undefined;
    state.receivedUpTo = undefined;
    void this.#run({ group, member, state, source, isReset, signal: asking.signal });
  }

  /** Gives a member its function: it has come from another process, or the application gives another one. */
  supply(group: Group, member: Member, make: AnyMakeSnapshot, timeoutMs: number | undefined): void {
    if (member.state instanceof PollState) return;
    member.state ??= new JoinState();
    const { state } = member;
    state.source ??= new StateSource();
    state.source.set(make, timeoutMs);
    if (!state.source.isOwed) return;
    // It is still receiving what was kept: that asks, when it finds that messages are lost, instead of going on beside this.
    if (state.isCatchingUp) state.isReset = true;
    else this.ask(group, member, { isReset: true });
  }

  async #run(asking: Asking): Promise<void> {
    const { group, member, state, source, isReset, signal } = asking;
    const { stream } = group;
    let lowest = "";
    let before: GroupEntry | undefined;
    let misses = 0;
    for (let attempt = 0; !signal.aborted; attempt++) {
      // Losses from here on concern this attempt.
      state.isReset = false;
      const start = (await stream.start()) ?? "";
      const lastId = isBefore(stream, start, lowest) ? lowest : start;
      const entry = await this.#ask(asking, { lastId, attempt });
      if (signal.aborted) return;
      if (entry !== undefined) {
        const first = await replayAfter(stream, entry.id);
        if (signal.aborted) return;
        const following = followingOf(stream, first, {
          since: entry.id,
          isRepeated: before?.id === entry.id,
          hasMoved: (stream.position ?? "") !== start,
        });
        if (following !== undefined && !state.isReset) {
          source.asking = undefined;
          group.begin(member, state, { entry, following, isReset });
          return;
        }
        before = entry;
        lowest = first.position ?? lowest;
        misses += 1;
        if (misses > SILENT_MISSES) this.#report(asking, new ChannelError("SNAPSHOT_FAILED", TOO_SHORT));
      }
      await this.#pause(signal, Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt));
    }
  }

  /** Calls the application once. Resolves to undefined if it fails, which is reported, or if the member leaves. Never rejects. */
  async #ask(
    asking: Asking,
    { lastId, attempt }: Pick<SnapshotContext, "lastId" | "attempt">,
  ): Promise<GroupEntry | undefined> {
    const { group, member, source, isReset, signal } = asking;
    const { make, timeoutMs } = source;
    if (make === undefined || signal.aborted) return undefined;
    const { clock } = this.#options;
    const call = new AbortController();
    const end = (): void => call.abort();
    signal.addEventListener("abort", end);
    const timer = clock.setTimer(() => {
      end();
      this.#report(asking, new ChannelError("SNAPSHOT_FAILED", `it has not ended within ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      const { name } = group;
      const context = { group: name, channel: member.channel, lastId, isReset, attempt, signal: call.signal };
      const result: unknown = await Promise.race([aborted(call.signal), make(context as never)]);
      return call.signal.aborted ? undefined : this.#toEntry(name, result);
    } catch (error) {
      if (!call.signal.aborted) this.#report(asking, inspectable(error));
      return undefined;
    } finally {
      clock.clearTimer(timer);
      signal.removeEventListener("abort", end);
    }
  }

  #toEntry(group: string, result: unknown): GroupEntry {
    if (typeof result !== "object" || result === null || typeof (result as Snapshot).since !== "string") {
      throw new ChannelError(
        "SNAPSHOT_FAILED",
        "it did not return an object with message and since, an id of the group",
      );
    }
    const { message, since } = result as Snapshot;
    const made = this.#made.get(result);
    if (made?.group === group && made.message === message && made.entry.id === since) return made.entry;
    const entry = new GroupEntry(since, toGroupMessage(encodeWith(this.#options.codec, message)), 0);
    this.#made.set(result, { group, message, entry });
    return entry;
  }

  #report({ group, member }: Asking, error: unknown): void {
    this.#options.report(error, group.name, member.channel);
  }

  async #pause(signal: AbortSignal, ms: number): Promise<void> {
    const { clock } = this.#options;
    let timer: Timer;
    const over = new Promise<void>((resolve) => {
      timer = clock.setTimer(resolve, ms);
    });
    await Promise.race([over, aborted(signal)]);
    clock.clearTimer(timer);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** True if the id `a` of a stream precedes `b`. An empty text is the beginning of the stream. */
function isBefore(stream: GroupStream, a: string, b: string): boolean {
  if (a === "" || b === "") return a === "" && b !== "";
  return stream.compareIds(a, b) < 0;
}

interface FollowingOptions {
  readonly since: string;
  /** True if the call before this one has returned the same id. */
  readonly isRepeated: boolean;
  /** True if something was published since the call. */
  readonly hasMoved: boolean;
}

/**
 * Returns the entries that follow a state with the id `since`; undefined if some of them may be lost. If the history does not know
 * the id, has nothing at all, and nothing was published meanwhile, then nothing follows. If the application gives the same id a
 * second time, its state contains everything that is lost: the last change of a quiet group is older than any history.
 */
function followingOf(
  stream: GroupStream,
  first: Replay,
  { since, isRepeated, hasMoved }: FollowingOptions,
): Replay | undefined {
  const { entries, position, reset } = first;
  if (!reset) return first;
  if ((entries.length > 0 || hasMoved) && !isRepeated) return undefined;
  const isKnown = since !== "" && stream.isId(since);
  const later = isKnown ? entries.filter(({ id }) => stream.compareIds(id, since) > 0) : entries;
  return { entries: later, position, reset: false };
}
