// All channels of a server as the inspector knows them: those that are open, and those that have ended lately. Its memory is
// bounded: a record for each open channel, a number of ended ones, and a number of timelines.

import { detached } from "../base/bytes.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { implementationOf } from "../channel/public-channel.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { DiagnosticsMessages } from "../server/diagnostics.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import { ChannelRecord } from "./channel-record.ts";
import type { ClosedRow, EventKind, TimelineEvent } from "./page/wire.ts";

/** Open channels that have a timeline beyond their opening. */
export const MAX_TIMELINES = 2000;
/** Channels that have ended. */
export const MAX_ENDED = 500;
/** Unsent bytes of a channel that is said to be behind if it has them in two samples. */
const BEHIND_BYTES = 16_384;
const MAX_TEXT = 200;
const RATE_PAUSE_MS = 1000;
const RATE_EFFECTS = { close: "the channel is closed", drop: "messages are dropped", wait: "messages wait" } as const;

/** Receives what happens, but for openings and ordinary ends. */
export type Happened = (event: TimelineEvent) => void;

/** The sums of a sample. */
export interface ChannelSums {
  /** Sessions without a carrier. */
  readonly away: number;
}

export class ChannelTable {
  readonly #now: () => number;
  readonly #happened: Happened;
  readonly #open = new Map<string, ChannelRecord>();
  readonly #ended = new Map<string, ChannelRecord>();
  /** Records with events, those whose last event is oldest first. */
  readonly #timelines = new Set<ChannelRecord>();
  opened = 0;
  closed = 0;

  constructor(now: () => number, happened: Happened) {
    this.#now = now;
    this.#happened = happened;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Open channels, oldest first. */
  open(): IterableIterator<ChannelRecord> {
    return this.#open.values();
  }

  /** Ended channels, the first to end first. */
  ended(): IterableIterator<ChannelRecord> {
    return this.#ended.values();
  }

  find(id: string): ChannelRecord | undefined {
    return this.#open.get(id) ?? this.#ended.get(id);
  }

  /** A channel that was open before the inspector. */
  addKnown(channel: TransportChannel): void {
    const record = new ChannelRecord(channel, this.#now());
    this.#open.set(record.id, record);
  }

  channelOpened({ channel, request }: DiagnosticsMessages["unichannel:channel.open"]): void {
    const own = implementationOf(channel);
    if (own === undefined) return;
    const record = new ChannelRecord(own, this.#now(), request);
    this.#open.set(record.id, record);
    this.opened += 1;
  }

  channelClosed({ channel, status }: DiagnosticsMessages["unichannel:channel.close"]): void {
    const record = this.#open.get(channel.id);
    if (record === undefined) return;
    this.closed += 1;
    const { by, code, name, reason } = status;
    record.end({ at: this.#now(), by, code, name, reason });
    this.#open.delete(record.id);
    this.#timelines.delete(record);
    this.#ended.set(record.id, record);
    if (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value!);
    if (!isOrdinary(status)) this.#happened(this.#event("close", `closed ${describe(status)}`, record.id));
  }

  carrierAttached(message: DiagnosticsMessages["unichannel:session.attach"]): void {
    const { channel, transport, isResumed, replayed } = message;
    const record = this.#open.get(channel.id);
    if (record === undefined) return;
    record.isAway = false;
    if (!isResumed) return;
    const what = replayed === 0 ? "nothing was missed" : `${replayed} sent again`;
    this.#add(record, "resume", `resumed on ${transport}, ${what}`);
  }

  carrierLost({ channel, transport, status }: DiagnosticsMessages["unichannel:session.detach"]): void {
    const record = this.#open.get(channel.id);
    if (record === undefined) return;
    record.isAway = true;
    this.#add(record, "detach", `${transport} ended ${describe(status)}; the session waits`);
  }

  sessionLost({ request }: DiagnosticsMessages["unichannel:session.lost"]): void {
    const text = `a client came back to a session that does not exist: ${detached(request.path.slice(0, MAX_TEXT))}`;
    this.#happened(this.#event("lost", text));
  }

  overflowed({ channel, policy }: DiagnosticsMessages["unichannel:channel.overflow"]): void {
    const what = policy === "close" ? "too slow: the channel is closed" : "too slow: a message was dropped";
    this.tell(channel, "overflow", what);
  }

  /** Told once a second at most: a client may send thousands of such messages. */
  rateExceeded({ channel, policy, limit }: DiagnosticsMessages["unichannel:channel.rate"]): void {
    const record = this.#open.get(channel.id);
    const now = this.#now();
    if (record === undefined || now - record.exceededAt < RATE_PAUSE_MS) return;
    record.exceededAt = now;
    this.#add(record, "overflow", `sends faster than ${limit}: ${RATE_EFFECTS[policy]}`);
  }

  failed({ error, source, channel }: DiagnosticsMessages["unichannel:error"]): void {
    const text = `error in ${source}: ${textOf(error)}`;
    if (channel !== undefined) this.tell(channel, "error", text);
    else this.#happened(this.#event("error", text));
  }

  /** Adds an event to the timeline of a channel. */
  tell(channel: AnyChannel, kind: EventKind, text: string): void {
    const record = this.#open.get(channel.id);
    if (record !== undefined) this.#add(record, kind, text);
  }

  /** Looks at each open channel, once a second while somebody looks. */
  sample(): ChannelSums {
    let away = 0;
    for (const record of this.#open.values()) {
      if (record.isAway) away += 1;
      const { unsent } = record;
      if (unsent >= BEHIND_BYTES) {
        if (record.isSlow && !record.isBehind) {
          record.isBehind = true;
          this.#add(record, "behind", `back-pressure: ${unsent} bytes are not taken`);
        }
        record.isSlow = true;
      } else if (record.isSlow) {
        record.isSlow = false;
        if (record.isBehind) this.#add(record, "drained", "the client has caught up");
        record.isBehind = false;
      }
    }
    return { away };
  }

  #add(record: ChannelRecord, kind: EventKind, text: string): void {
    const { at } = this.#event(kind, text);
    record.add({ at, kind, text });
    this.#happened({ at, kind, text, channel: record.id });
    this.#timelines.delete(record);
    this.#timelines.add(record);
    if (this.#timelines.size <= MAX_TIMELINES) return;
    const [oldest] = this.#timelines;
    this.#timelines.delete(oldest!);
    oldest!.events = undefined;
  }

  #event(kind: EventKind, text: string, channel?: string): TimelineEvent {
    const event = { at: this.#now(), kind, text };
    return channel === undefined ? event : { ...event, channel };
  }
}

export function describe({ by, code, name, reason }: Omit<ClosedRow, "at">): string {
  return `by the ${by}: ${code} ${name}${reason === "" ? "" : `, “${reason}”`}`;
}

/** True for the end of every visit: nobody needs to be told. */
function isOrdinary({ code, by }: CloseStatus): boolean {
  return code === 1000 || code === 1001 || (code === 1005 && by === "client");
}

/** The name and message of an error. Never throws: a getter of an exception may. */
function textOf(error: unknown): string {
  try {
    // Detached: messages of errors often quote what a client has sent, which may be long.
    return detached(String(error instanceof Error ? `${error.name}: ${error.message}` : error).slice(0, MAX_TEXT));
  } catch {
    return "an exception that has no text";
  }
}
