// The tab that leads: it has the session's carriers, gives the records of all tabs their numbers, and tells all tabs every change
// before the server learns of it. So any of them can continue the session.

import type { ClientNumberedRecord, CloseRecord } from "../../codec/session-record.ts";
import { keptSize } from "../../protocol/session.ts";
import type { CarrierKind } from "../carrier.ts";
import type { Endpoint } from "../endpoint.ts";
import type { PageEvent, Time } from "../environment.ts";
import { startEngine } from "./engine.ts";
import { CONFIRM_DELAY_MS, CONFIRM_MS, CONFIRM_RECORDS, TRIES } from "./limits.ts";
import type { Mirror } from "./mirror.ts";
import type { Entry, Note, NoteContent } from "./notes.ts";
import { toWire } from "./tab-carrier.ts";
import type { HeldLocks } from "./tab-locks.ts";

/** Another tab. */
interface Peer {
  /** It has all changes up to this position. */
  has: number;
  /** True if it did not confirm in time: nothing waits for it until it does. */
  isSlow: boolean;
  /** Ends the watch for its end. */
  readonly unwatch: () => void;
}

export interface LeaderOptions extends Time {
  readonly id: string;
  readonly kinds: readonly CarrierKind[];
  readonly endpoint: Endpoint;
  readonly log: (line: string) => void;
  readonly maxBufferedBytes: number;
  /** The tabs that existed when this one was elected. Each of them joins soon, or ends. */
  readonly others: readonly string[];
  readonly mirror: Mirror;
  readonly locks: HeldLocks;
  /** Sends a note to the other tabs. */
  post(note: NoteContent): void;
  /** Called with each change, for the connection of this tab. */
  onEntry(entry: Entry): void;
  /** There is no room for records of this tab. */
  onBusy(): void;
  onFailure(failures: readonly string[], delayMs: number): void;
  onError(error: unknown): void;
}

export interface Leader {
  /** Reads a note of another tab. */
  read(note: Note): void;
  /** Takes records of a tab; the first one has the number `seq`. */
  take(tab: string, epoch: string | undefined, seq: number, records: readonly ClientNumberedRecord[]): void;
  hold(tab: string, isHolding: boolean): void;
  check(event: PageEvent): void;
  /** Calls `fn` when all tabs have all changes. */
  whenConfirmed(fn: () => void): void;
  /** Closes the session. */
  close(record: CloseRecord | undefined): void;
  /** Leaves the session to another tab. */
  detach(): void;
}

export function startLeader(options: LeaderOptions): Leader {
  const { id, mirror, locks } = options;
  const { term } = mirror;
  const peers = new Map<string, Peer>();
  /** Tabs that may still join, and that must not be forgotten before. */
  const expected = new Set(options.others);
  /** Tabs with a loop that is behind. */
  const holders = new Set<string>();
  /** Changes that the mirror has and the other tabs have not been told. */
  let unposted: Entry[] = [];
  let isAsking = false;
  let isScheduled = false;
  /** Calls that wait until all tabs have the changes up to a position. */
  const waiting: { readonly position: number; readonly run: () => void }[] = [];
  let unaskedRecords = 0;
  /** Bytes of the records that have a number and wait until all tabs know it. */
  let assignedBytes = 0;
  let epochs = 0;
  let cancelAsk: (() => void) | undefined;
  let cancelConfirm: (() => void) | undefined;
  let isOver = false;

  const session = mirror.toSession();
  const engine = startEngine(
    { ...options, session, tries: term * TRIES, log: (line) => options.log(`tabs: ${line}`) },
    {
      onRecord(number, record) {
        append({ type: "down", number, record });
        wait(() => engine.confirm(number));
        // Nobody waits for this confirmation but the server, which keeps the record.
        if (++unaskedRecords >= CONFIRM_RECORDS || record.type === "close") ask();
        else if (peers.size > 0) cancelAsk ??= options.after(CONFIRM_DELAY_MS, ask);
      },
      onAcknowledged: (number) => append({ type: "acked", number }),
      onRenewed: ({ token, acknowledged, received }) =>
        append({
          type: "renew",
          epoch: `${id}.${term}.${++epochs}`,
          token,
          acknowledged,
          received,
          kept: session.after().map((record) => ({ tab: "", seq: 0, record: toWire(record) })),
        }),
      onOpen: (transport) => append({ type: "open", transport }),
      onLost: () => append({ type: "lost" }),
      onEnd: (code, reason) => append({ type: "end", code, reason }),
      onFailure(failures, delayMs) {
        options.post({ type: "failure", failures, delayMs });
        options.onFailure(failures, delayMs);
      },
      onError: options.onError,
      isDeposed: async () => !(await locks.isElected()),
    },
  );

  function append(entry: Entry): void {
    if (isOver) return;
    mirror.apply(entry);
    if (peers.size > 0) {
      unposted.push(entry);
      schedule();
    }
    options.onEntry(entry);
  }

  /** All changes of one turn are one note. */
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(post);
  }

  function post(): void {
    isScheduled = false;
    if (isOver || (unposted.length === 0 && !isAsking)) return;
    const entries = unposted;
    const asks = isAsking;
    unposted = [];
    isAsking = false;
    options.post({ type: "post", term, position: mirror.position - entries.length + 1, entries, asks });
  }

  /** Calls `run` when all tabs have the changes up to now. */
  function wait(run: () => void): void {
    waiting.push({ position: mirror.position, run });
    settle();
  }

  /** Asks all tabs to confirm. */
  function ask(): void {
    cancelAsk?.();
    cancelAsk = undefined;
    unaskedRecords = 0;
    if (waiting.length === 0) return;
    isAsking = true;
    schedule();
    cancelConfirm ??= options.after(CONFIRM_MS, giveUp);
  }

  /** Runs the calls whose changes all tabs have. */
  function settle(): void {
    let confirmed = mirror.position;
    for (const { has, isSlow } of peers.values()) if (!isSlow) confirmed = Math.min(confirmed, has);
    while (!isOver && waiting.length > 0 && waiting[0]!.position <= confirmed) waiting.shift()!.run();
    if (waiting.length > 0) return;
    cancelConfirm?.();
    cancelConfirm = undefined;
  }

  /** Goes on without the tabs that do not answer: they may be frozen. */
  async function giveUp(): Promise<void> {
    cancelConfirm = undefined;
    const position = waiting[0]?.position;
    // A tab that does not answer may lead by now, and then this one must not speak.
    const isElected = await locks.isElected();
    if (isOver || position === undefined || !isElected) return;
    for (const peer of peers.values()) peer.isSlow ||= peer.has < position;
    settle();
    if (waiting.length > 0) ask();
  }

  function welcome(tab: string, epoch: string | undefined, received: number): void {
    // The state has these changes already.
    post();
    expected.delete(tab);
    peers.get(tab)?.unwatch();
    peers.set(tab, { has: 0, isSlow: false, unwatch: locks.watch(tab, () => remove(tab)) });
    options.log(`tabs: ${peers.size + 1} share the session`);
    options.post({ type: "welcome", to: tab, state: mirror.state(epoch, received) });
  }

  function remove(tab: string): void {
    peers.get(tab)?.unwatch();
    if (!peers.delete(tab) || isOver) return;
    hold(tab, false);
    settle();
  }

  function hold(tab: string, isHolding: boolean): void {
    const before = holders.size > 0;
    if (isHolding) holders.add(tab);
    else holders.delete(tab);
    const isBehind = holders.size > 0;
    if (isBehind !== before) engine.hold(isBehind);
  }

  function take(tab: string, epoch: string | undefined, seq: number, records: readonly ClientNumberedRecord[]): void {
    // Without a carrier no record gets a number: the tab sends it again when there is one.
    if (isOver || epoch !== mirror.epoch || !engine.isOpen) return;
    const taken: ClientNumberedRecord[] = [];
    let bytes = 0;
    for (const [at, record] of records.entries()) {
      if (seq + at !== mirror.seqs(tab).assigned + 1) continue;
      if (engine.bufferedAmount + assignedBytes + bytes >= options.maxBufferedBytes) {
        if (tab === id) options.onBusy();
        else options.post({ type: "busy", to: tab });
        break;
      }
      bytes += keptSize(record);
      taken.push(record);
      if (!mirror.knows(tab)) makeRoom();
      append({ type: "up", tab, seq: seq + at, record });
    }
    if (taken.length === 0) return;
    assignedBytes += bytes;
    wait(() => {
      assignedBytes -= bytes;
      // Another session has begun meanwhile: the tab has been told.
      if (epoch !== mirror.epoch) return;
      for (const record of taken) engine.send(record);
      engine.flush();
    });
    ask();
  }

  /** A tab sends for the first time. */
  function makeRoom(): void {
    const tab = mirror.tabToForget((one) => one === id || peers.has(one) || expected.has(one));
    if (tab !== undefined) append({ type: "forget", tab });
  }

  return {
    read(note) {
      const { from } = note;
      if (note.type === "join") welcome(from, note.epoch, note.received);
      else if (note.type === "leave") remove(from);
      else if (note.type === "check") engine.check(note.event);
      const peer = peers.get(from);
      if (!peer) return;
      if (note.type === "send") take(from, note.epoch, note.seq, note.records);
      else if (note.type === "hold") hold(from, note.isHolding);
      else if (note.type === "has" && note.term === term) {
        peer.has = Math.max(peer.has, note.position);
        peer.isSlow = false;
        settle();
      }
    },
    take,
    hold,
    check: (event) => engine.check(event),
    whenConfirmed(fn) {
      wait(fn);
      ask();
    },
    close(record) {
      end();
      engine.close(record);
    },
    detach() {
      end();
      engine.detach();
    },
  };

  function end(): void {
    post();
    isOver = true;
    cancelAsk?.();
    cancelConfirm?.();
    for (const { unwatch } of peers.values()) unwatch();
  }
}
