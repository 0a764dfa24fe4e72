// The messages between the inspector's page and its server: JSON over a session. The page says what it shows, the server sends
// that once a second. Types only: both ends are of one version.

/** The transports, in the order in which the page shows them. */
export type Kind = "websocket" | "sse" | "stream" | "poll";

export interface ChannelsView {
  /** Part of an id, a path or an address. */
  readonly text: string;
  readonly transport: Kind | "session" | "all";
  readonly state: "open" | "closed";
  readonly sort: "newest" | "oldest" | "unsent";
  readonly page: number;
}

export interface GroupsView {
  /** Part of a name. */
  readonly text: string;
  readonly sort: "members" | "rate" | "name";
  readonly page: number;
}

export interface GroupName {
  readonly store: string;
  readonly group: string;
}

/** A message of the page. */
export interface View {
  readonly tab: "overview" | "channels" | "groups";
  readonly channels: ChannelsView;
  readonly groups: GroupsView;
  /** The id of the channel that is shown in full. */
  readonly channel: string | null;
  /** The group that is shown in full. */
  readonly group: GroupName | null;
  /** True while nobody looks: the page is hidden, or paused. */
  readonly isPaused: boolean;
}

/** The first message of the server, and again when the session moves to another process. */
export interface Hello {
  readonly type: "hello";
  readonly runtime: string;
  readonly pid: number;
  /** Since when the process runs, in milliseconds since 1970. */
  readonly startedAt: number;
  /** The server's clock now. */
  readonly now: number;
  readonly canClose: boolean;
  readonly canPublish: boolean;
  readonly stores: readonly string[];
  /** The latest samples, oldest first. */
  readonly samples: readonly Sample[];
}

/** One second of the server. */
export interface Sample {
  readonly at: number;
  readonly status: string;
  readonly connections: number;
  readonly channels: Readonly<Record<Kind, number>>;
  readonly sessions: number;
  /** Sessions without a carrier: their clients are away. */
  readonly away: number;
  /** Messages per second. */
  readonly received: number;
  readonly sent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Channels per second. */
  readonly opened: number;
  readonly closed: number;
  /** Bytes that clients have not taken. */
  readonly unsent: number;
  /** The delay of the event loop in milliseconds, its 99th percentile; null where the runtime does not measure it. */
  readonly delayMs: number | null;
  /** The part of the time in which the event loop was busy, from 0 to 1; null where the runtime does not measure it. */
  readonly busy: number | null;
  readonly rss: number;
  readonly heap: number;
  /** Errors so far. */
  readonly errors: number;
}

export type EventKind =
  | "open"
  | "attach"
  | "resume"
  | "detach"
  | "behind"
  | "drained"
  | "overflow"
  | "lost"
  | "error"
  | "close"
  | "operator"
  | "more";

/** A point of a timeline, or of the list of what has happened. */
export interface TimelineEvent {
  readonly at: number;
  readonly kind: EventKind;
  readonly text: string;
  /** The channel, in the list of what has happened. */
  readonly channel?: string;
}

export interface ChannelRow {
  readonly id: string;
  readonly transport: Kind;
  readonly isSession: boolean;
  /** The session has no carrier. */
  readonly isAway: boolean;
  /** An empty string for a channel that was open before the inspector. */
  readonly path: string;
  readonly address: string;
  readonly openedAt: number;
  readonly unsent: number;
  /** Present for a channel that has ended. */
  readonly closed?: ClosedRow;
}

export interface ClosedRow {
  readonly at: number;
  readonly by: string;
  readonly code: number;
  readonly name: string;
  readonly reason: string;
}

export interface ChannelDetail extends ChannelRow {
  readonly groups: readonly GroupName[];
  /** Groups beyond those that are listed. */
  readonly moreGroups: number;
  /** Bytes that have arrived and that the application has not taken. */
  readonly unread: number;
  readonly events: readonly TimelineEvent[];
  /** Older events that are not kept. */
  readonly dropped: number;
}

export interface GroupRow extends GroupName {
  readonly size: number;
  /** Messages per second. */
  readonly rate: number;
}

export interface MessagePreview {
  readonly id: string;
  /** Undefined for one that was published before somebody looked at the group. */
  readonly at?: number | undefined;
  readonly event: string;
  readonly text: string;
  readonly bytes: number;
}

export interface GroupDetail extends GroupRow {
  readonly members: readonly ChannelRow[];
  readonly moreMembers: number;
  /** Newest first. */
  readonly messages: readonly MessagePreview[];
}

/** A page of a list. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that fit the filter. */
  readonly total: number;
  readonly page: number;
  readonly pages: number;
}

/** A message of the server, once a second and at once after a message of the page. */
export interface Update {
  readonly type: "update";
  readonly now: number;
  readonly sample: Sample | null;
  /** Since the last update, oldest first. */
  readonly happened: readonly TimelineEvent[];
  readonly channels: Page<ChannelRow> | null;
  readonly groups: Page<GroupRow> | null;
  /** Undefined if the page asks for none, null if there is no such channel. */
  readonly channel?: ChannelDetail | null;
  readonly group?: GroupDetail | null;
}

/** Asks to close a channel. An action goes over the session, so that it reaches the process that the page shows. */
export interface CloseRequest {
  readonly type: "close";
  /** The number of the action, which its answer repeats. */
  readonly n: number;
  readonly channel: string;
  readonly code: number;
  readonly reason: string;
}

/** Asks to publish a message. */
export interface PublishRequest extends GroupName {
  readonly type: "publish";
  readonly n: number;
  readonly data: string;
  /** `json`: `data` is the JSON text of a value. */
  readonly form: "text" | "json";
}

export type ActionRequest = CloseRequest | PublishRequest;

/** The answer to an action. */
export interface Done {
  readonly type: "done";
  readonly n: number;
  /** The mistake; null if it is done. */
  readonly error: string | null;
}
