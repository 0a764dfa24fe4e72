// The messages that tabs send each other, "notes" here because a message is the application's. They go through one
// BroadcastChannel, so every tab gets all of them; `to` names the only one that reads it.

import type { ClientNumberedRecord, ServerNumberedRecord } from "../../codec/session-record.ts";
import type { CarrierKind } from "../carrier.ts";
import type { PageEvent } from "../environment.ts";

/** A record of a tab that has its number in the session. Records that the leader adds itself have an empty `tab`. */
export interface Assigned {
  readonly tab: string;
  /** The record's number among those of its tab, from 1 in each epoch. */
  readonly seq: number;
  readonly record: ClientNumberedRecord;
}

/** A change of the shared state. All tabs apply the same changes in the same order. */
export type Entry =
  /** The record of the server with this number has arrived. */
  | { readonly type: "down"; readonly number: number; readonly record: ServerNumberedRecord }
  /** The record gets the session's next number. Tells all tabs before the server gets it. */
  | ({ readonly type: "up" } & Assigned)
  /** The server has records 1 to this number. */
  | { readonly type: "acked"; readonly number: number }
  /** The numbers of a tab that is not there are forgotten: there are too many. */
  | { readonly type: "forget"; readonly tab: string }
  /** Another session has begun, or this one with other numbers. */
  | {
      readonly type: "renew";
      readonly epoch: string;
      readonly token: string | undefined;
      readonly acknowledged: number;
      readonly received: number;
      readonly kept: readonly Assigned[];
    }
  | { readonly type: "open"; readonly transport: CarrierKind }
  /** The carrier is gone. */
  | { readonly type: "lost" }
  /** The server has ended the session without a `close` record. */
  | { readonly type: "end"; readonly code: number; readonly reason: string };

/** The shared state as one value, for a tab that joins. */
export interface State {
  readonly term: number;
  readonly position: number;
  readonly epoch: string | undefined;
  readonly token: string | undefined;
  readonly acknowledged: number;
  readonly received: number;
  readonly kept: readonly Assigned[];
  readonly seqs: readonly (readonly [tab: string, assigned: number, acked: number])[];
  /** How many tabs were forgotten so far. */
  readonly forgotten: number;
  readonly cursors: readonly (readonly [group: string, id: string])[];
  readonly hasForgotten: boolean;
  readonly transport: CarrierKind | undefined;
  /** The number of the first record in `log`. */
  readonly logFirst: number;
  readonly log: readonly ServerNumberedRecord[];
}

interface From {
  /** The tab that sends the note. */
  readonly from: string;
}

export type Note = From & NoteContent;

export type NoteContent =
  /** A tab asks the leader for the state; it has the epoch's records up to `received`, and has known a leader of this term. */
  | { readonly type: "join"; readonly epoch: string | undefined; readonly received: number; readonly term: number }
  | { readonly type: "welcome"; readonly to: string; readonly state: State }
  /** A tab has got the lock, and asks the others for a newer state than its own. */
  | { readonly type: "claim"; readonly term: number; readonly position: number }
  | { readonly type: "answer"; readonly to: string; readonly term: number; readonly state: State | undefined }
  /** The tab is the leader now: all others join it. */
  | { readonly type: "lead"; readonly term: number }
  /** Changes of the leader; the first one has this position. `asks`: the others confirm. */
  | {
      readonly type: "post";
      readonly term: number;
      readonly position: number;
      readonly entries: readonly Entry[];
      readonly asks: boolean;
    }
  /** Confirms all changes up to this position. */
  | { readonly type: "has"; readonly term: number; readonly position: number }
  /** Records of a tab; the first one has this number. */
  | {
      readonly type: "send";
      readonly epoch: string | undefined;
      readonly seq: number;
      readonly records: readonly ClientNumberedRecord[];
    }
  /** The leader has no room for the tab's records: it sends them again after the next acknowledgement. */
  | { readonly type: "busy"; readonly to: string }
  /** A `for await` loop of the tab is behind, or none is any more. */
  | { readonly type: "hold"; readonly isHolding: boolean }
  /** A round of attempts has failed. */
  | { readonly type: "failure"; readonly failures: readonly string[]; readonly delayMs: number }
  /** A page has been shown, or the network has changed: the leader checks its carrier. */
  | { readonly type: "check"; readonly event: PageEvent }
  | { readonly type: "ping" }
  /** The tab leads, or is about to, in this term. */
  | { readonly type: "pong"; readonly term: number }
  | { readonly type: "leave" };
