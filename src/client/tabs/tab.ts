// A connection of one tab among several that share a session. To the connection it is a selector of carriers, whose carrier is
// the tab that leads; that one has the real carriers (`leader.ts`). Each tab has the shared state (`mirror.ts`), so any of them
// can lead next.
// Long because all roles change the same fields: the locks, the channel, the leader and two timers.

import { guard } from "../../base/guard.ts";
import type { CloseRecord } from "../../codec/session-record.ts";
import type { CarrierKind } from "../carrier.ts";
import { type CarrierSelector, selectCarriers } from "../carrier-selector.ts";
import type { Endpoint } from "../endpoint.ts";
import { LINGER_MS } from "../limits.ts";
import type { SharingOwner } from "../sharing.ts";
import { type Leader, startLeader } from "./leader.ts";
import { CURRENT_MS, GATHER_MS, MAX_MISSES, MISSED_TERMS, PING_MS } from "./limits.ts";
import { Mirror } from "./mirror.ts";
import type { Note, NoteContent, State } from "./notes.ts";
import type { TabChannel, TabsPlatform } from "./platform.ts";
import { tabCarrier } from "./tab-carrier.ts";
import { type HeldLocks, takeLocks } from "./tab-locks.ts";

/**
 * The part of a tab in sharing:
 *
 * joining    looks for the tab that leads, or waits until it has an answer
 * gathering  has the lock, and asks the others for a newer state than its own
 * leading    has the session's carriers
 * following  another tab leads
 * away       the page is frozen, or kept for the way back: it holds nothing
 * alone      this browser or page cannot share: the connection has a session of its own
 * left       the connection is closed
 */
type Role = "joining" | "gathering" | "leading" | "following" | "away" | "alone" | "left";

/** Every legal move. */
const MOVES: Readonly<Record<Role, readonly Role[]>> = {
  joining: ["following", "gathering", "away", "alone", "left"],
  gathering: ["leading", "joining", "away", "left"],
  leading: ["joining", "away", "left"],
  following: ["joining", "gathering", "away", "left"],
  away: ["joining", "left"],
  alone: ["left"],
  left: [],
};

/** The part of a tab, as applications see it. */
export type TabStatus = "joining" | "leading" | "following" | "away" | "alone" | "left";

export interface TabOptions {
  readonly kinds: readonly CarrierKind[];
  readonly endpoint: Endpoint;
  readonly owner: SharingOwner;
  readonly platform: TabsPlatform;
  /** The same text for all connections that share a session. */
  readonly name: string;
  readonly onStatus: ((status: TabStatus) => void) | undefined;
}

export function shareSession({ kinds, endpoint, owner, platform, name, onStatus }: TabOptions): CarrierSelector {
  const { session, log } = owner;
  const id = platform.newId();
  const mirror = new Mirror();
  let role: Role = "away";
  let channel: TabChannel | undefined;
  let locks: HeldLocks | undefined;
  let leader: Leader | undefined;
  /** The tab that leads, as far as it is known. */
  let leaderId: string | undefined;
  /** The selector of a tab that is alone. */
  let alone: CarrierSelector | undefined;
  /** Pings without an answer. */
  let misses = 0;
  /** True if the leader has said anything since the last look. */
  let isHeard = false;
  /** When a note of the leader that this tab follows was read last. */
  let heardAt = Number.NEGATIVE_INFINITY;
  /** Present while the tab gathers. */
  let gathered: {
    readonly answers: Map<string, State | undefined>;
    others: readonly string[] | undefined;
    /** The highest one that is known. */
    term: number;
    /** The difference from the term of the next leader. */
    readonly ahead: number;
  };
  let cancelPing = (): void => {};
  let cancelGather = (): void => {};
  let cancelLinger = (): void => {};
  let unwatch = (): void => {};
  let isFinishing = false;
  let isLeaving = false;

  const carrier = tabCarrier({
    id,
    mirror,
    owner,
    send(seq, records) {
      const { epoch } = mirror;
      if (leader) leader.take(id, epoch, seq, records);
      else post({ type: "send", epoch, seq, records });
    },
    onHold(isHolding) {
      if (leader) leader.hold(id, isHolding);
      else post({ type: "hold", isHolding });
    },
    onProgress: checkFinished,
  });

  function move(next: Role): boolean {
    if (!MOVES[role].includes(next)) return false;
    role = next;
    log(`tabs: ${next}`);
    const status = next === "gathering" ? "joining" : next;
    if (onStatus) guard(() => onStatus(status), owner.onError);
    return true;
  }

  function post(note: NoteContent): void {
    channel?.postMessage({ ...note, from: id });
  }

  function start(): void {
    if (!move("joining")) return;
    if (!platform.locks || !platform.openChannel) {
      goAlone("no Web Locks or no BroadcastChannel here");
      return;
    }
    try {
      channel = platform.openChannel(name);
    } catch (error) {
      goAlone(error);
      return;
    }
    channel.onmessage = ({ data }) => read(data as Note);
    const held = takeLocks(platform.locks, name, id, {
      onReady() {
        join();
        ping();
      },
      onElected: gather,
      onDeposed() {
        if (locks !== held) return;
        stepDown();
        move("joining");
      },
      onRefused: (error) => locks === held && goAlone(error),
    });
    locks = held;
  }

  /** A page that cannot share has a connection of its own. */
  function goAlone(why: unknown): void {
    if (!move("alone")) return;
    log(`tabs: a connection of its own: ${why}`);
    release();
    alone = selectCarriers(kinds, endpoint.origin, owner);
    alone.begin();
  }

  function release(): void {
    cancelPing();
    cancelGather();
    leader = undefined;
    leaderId = undefined;
    locks?.release();
    locks = undefined;
    channel?.close();
    channel = undefined;
  }

  function join(): void {
    post({ type: "join", epoch: mirror.epoch, received: mirror.received, term: mirror.term });
  }

  /** Asks whether the leader lives, unless it was heard. One question and its answer are heard by all tabs. */
  function ping(): void {
    cancelPing();
    if (role === "leading") return;
    cancelPing = owner.after(PING_MS, ping);
    if (isHeard || role === "gathering") {
      isHeard = false;
      misses = 0;
      // The leader lives, and has not welcomed this tab: it may not have got the question, or be busy.
      if (role === "joining") join();
    } else if (misses >= MAX_MISSES) {
      // A frozen page keeps its locks.
      log("tabs: the leader does not answer");
      misses = 0;
      locks?.steal();
    } else {
      // The first question may have met a tab that was not the leader yet.
      if (role === "joining" && misses > 0) join();
      misses += 1;
      post({ type: "ping" });
    }
  }

  function read(note: Note): void {
    const { from, type } = note;
    if (from === leaderId) {
      isHeard = true;
      heardAt = owner.now();
    }
    if (type === "ping") {
      if (leader || role === "gathering") post({ type: "pong", term: mirror.term });
    } else if (type === "pong") {
      if (isOfNewer(note)) rejoin();
      isHeard ||= role === "joining";
    } else if (type === "claim") answer(note);
    else if (type === "answer") {
      if (note.to === id && role === "gathering") {
        gathered.answers.set(from, note.state);
        gathered.term = Math.max(gathered.term, note.term);
        checkGathered();
      }
    } else if (type === "lead") follow(note);
    else if (type === "welcome") {
      if (note.to === id && role !== "gathering" && !leader && note.state.term >= mirror.term)
        welcomed(from, note.state);
    } else if (type === "post") applyPost(note);
    else if (type === "busy") {
      if (note.to === id) carrier.stall();
    } else if (type === "failure") {
      if (role === "following") owner.onFailure(note.failures, note.delayMs);
    } else if (leader && type === "join" && note.term > mirror.term) outrank(note.term);
    else leader?.read(note);
  }

  /**
   * A tab has followed a leader of a later term, which this one could not know of: it began without any tab that had the state. The
   * tab believes no earlier term, so this leader begins a later one, if it is the one that has the lock.
   */
  async function outrank(term: number): Promise<void> {
    const mine = leader;
    const others = await locks?.others();
    if (!(await locks?.isElected()) || leader !== mine || !mine) return;
    stepDown();
    if (!move("joining") || !move("gathering")) return;
    gathered = { answers: new Map(), others, term: Math.max(term, mirror.term), ahead: 1 };
    lead();
  }

  /** Another tab has the lock. */
  function answer(note: Note & { readonly type: "claim" }): void {
    const { term, position } = mirror;
    const isNewer = term > note.term || (term === note.term && position > note.position);
    stepDown();
    if (role === "following" || role === "leading") move("joining");
    leaderId = undefined;
    isHeard = true;
    post({ type: "answer", to: note.from, term, state: isNewer ? mirror.state() : undefined });
  }

  function follow({ from, term }: Note & { readonly type: "lead" }): void {
    if (role === "gathering") return;
    if (term < mirror.term) {
      // A leader that was elected without this tab, or one that leads no more. The one with the lock answers.
      if (role === "joining") join();
      return;
    }
    stepDown();
    if (role !== "joining") move("joining");
    leaderId = from;
    isHeard = true;
    join();
  }

  function welcomed(from: string, state: State): void {
    const confirm = (): void => post({ type: "has", term: mirror.term, position: mirror.position });
    // A tab that has asked twice is welcomed twice.
    if (role === "following" && from === leaderId) confirm();
    if (role !== "joining" || !move("following")) return;
    leaderId = from;
    isHeard = true;
    heardAt = owner.now();
    if (state.epoch !== mirror.epoch) carrier.loseEpoch();
    const { forgotten } = mirror;
    mirror.adopt(state);
    carrier.adopted(forgotten);
    confirm();
    if (carrier.isHolding) post({ type: "hold", isHolding: true });
    carrier.open();
  }

  /** True for a note of another leader than the one that this tab follows, which was frozen when it welcomed this tab. */
  function isOfNewer({ from, term }: { readonly from: string; readonly term: number }): boolean {
    return role === "following" && from !== leaderId && term > mirror.term;
  }

  /** The tab does not have what the leader has said. */
  function rejoin(): void {
    carrier.drop();
    move("joining");
    leaderId = undefined;
    join();
  }

  function applyPost(note: Note & { readonly type: "post" }): void {
    const { from, term, position, entries, asks } = note;
    if (isOfNewer(note)) rejoin();
    if (role !== "following" || from !== leaderId || term !== mirror.term) return;
    if (position !== mirror.position + 1) {
      rejoin();
      return;
    }
    for (const entry of entries) {
      mirror.apply(entry);
      carrier.take(entry);
    }
    // The connection may have closed meanwhile, and the channel with it.
    if (asks) post({ type: "has", term, position: mirror.position });
  }

  function gather(): void {
    const isCurrent = role === "following" && owner.now() - heardAt < CURRENT_MS;
    if (!move("gathering")) return;
    carrier.drop();
    leaderId = undefined;
    gathered = { answers: new Map(), others: undefined, term: mirror.term, ahead: isCurrent ? 1 : MISSED_TERMS };
    const mine = gathered;
    post({ type: "claim", term: mirror.term, position: mirror.position });
    cancelGather = owner.after(GATHER_MS, lead);
    const known = (others: readonly string[] = []): void => {
      mine.others = others;
      if (mine === gathered) checkGathered();
    };
    void locks!.others().then(known);
  }

  function checkGathered(): void {
    if (gathered.others?.every((tab) => gathered.answers.has(tab))) lead();
  }

  function lead(): void {
    cancelGather();
    if (role !== "gathering") return;
    const { forgotten } = mirror;
    for (const state of gathered.answers.values()) {
      if (!state || !mirror.isBehind(state)) continue;
      if (state.epoch !== mirror.epoch) carrier.loseEpoch();
      mirror.adopt(state);
    }
    mirror.term = Math.max(gathered.term, mirror.term) + gathered.ahead;
    mirror.position = 0;
    mirror.transport = undefined;
    carrier.adopted(forgotten);
    leaderId = id;
    move("leading");
    leader = startLeader({
      ...owner,
      id,
      kinds,
      endpoint,
      mirror,
      locks: locks!,
      others: gathered.others ?? [],
      post,
      onEntry: carrier.take,
      onBusy: carrier.stall,
    });
    post({ type: "lead", term: mirror.term });
    if (carrier.isHolding) leader.hold(id, true);
  }

  /** Another tab leads. */
  function stepDown(): void {
    cancelGather();
    leader?.detach();
    leader = undefined;
    leaderId = undefined;
    carrier.drop();
    // A tab that leads does not ask.
    cancelPing();
    cancelPing = owner.after(PING_MS, ping);
  }

  /** Ends a closed connection whose records have arrived. Its own `close` stays in this tab. */
  function checkFinished(): void {
    if (isFinishing && !isLeaving && session.acknowledged >= session.sent - 1) finish();
  }

  function finish(): void {
    const record = session.after().at(-1);
    const isDone = session.acknowledged >= session.sent - 1;
    if (isDone) session.acknowledge(session.sent);
    if (isLeaving) return;
    isLeaving = true;
    if (leader && record?.type === "close") {
      // The last tab closes the session. Tabs that are frozen, or have not joined yet, go on with it.
      void locks!.others().then((others) => leave(others?.length === 0 ? record : undefined));
    } else leave();
    owner.onFinish();
  }

  function leave(record?: CloseRecord): void {
    isLeaving = true;
    if (!move("left")) return;
    cancelLinger();
    unwatch();
    if (record) leader?.close(record);
    else leader?.detach();
    post({ type: "leave" });
    release();
  }

  /** The page may be frozen for ever: another tab goes on. */
  function goAway(): void {
    if (role === "alone" || !move("away")) return;
    leader?.detach();
    carrier.drop();
    post({ type: "leave" });
    release();
  }

  return {
    get current() {
      if (alone) return alone.current;
      return isLeaving ? undefined : carrier.current;
    },
    begin() {
      unwatch = platform.watch((event) => {
        if (event === "leave") goAway();
        else if (role === "away") start();
      });
      start();
    },
    takeAbandoned: () => alone?.takeAbandoned() ?? false,
    prove: () => alone?.prove(),
    restart: (retryAfterMs) => alone?.restart(retryAfterMs),
    check(event) {
      if (alone) return alone.check(event);
      if (leader) leader.check(event);
      else if (event === "awake") {
        post({ type: "check", event });
        post({ type: "ping" });
      }
    },
    // The tab that leads renews the identity; its own selector does.
    renew: () => alone?.renew(),
    stop(by = "client") {
      if (alone) return alone.stop(by);
      if (isLeaving) return false;
      if (by === "server") {
        isLeaving = true;
        // No tab may take the lock, and begin another session, before it knows of the end.
        // Later: the session itself waits for the same confirmation.
        queueMicrotask(() => (leader ? leader.whenConfirmed(leave) : leave()));
        return false;
      }
      if (!carrier.current) {
        leave();
        return false;
      }
      // A leader was found again: the records go to it now.
      if (isFinishing) return true;
      isFinishing = true;
      cancelLinger = owner.after(LINGER_MS, finish);
      carrier.flush();
      queueMicrotask(checkFinished);
      return true;
    },
    fail: (end) => alone?.fail(end),
  };
}
