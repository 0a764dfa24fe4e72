// The messages of a stream that a store publishes to a group, part by part. Its viewers receive them as JSON, in this form.

/** The first message of a stream. */
export interface StreamBegin {
  /** Names the stream. A group may have several, one after another. */
  readonly stream: string;
  /** Number of the message in its stream: 0 here, one more for each message that follows. */
  readonly n: number;
  readonly begin: true;
  /** The `info` of `publishStream`, if it was given. */
  readonly info?: unknown;
}

/** Parts that are text, joined in their order. */
export interface StreamText {
  readonly stream: string;
  readonly n: number;
  readonly text: string;
}

/** Parts that are not text, in their order. */
export interface StreamParts<Part = unknown> {
  readonly stream: string;
  readonly n: number;
  readonly parts: readonly Part[];
}

/**
 * How a stream has ended. `done`: its source has ended. `stopped`: somebody has stopped it. `failed`: its source or its publishing
 * has failed. `lost`: the process that published it has stopped or died.
 */
export type StreamOutcome = "done" | "stopped" | "failed" | "lost";

/** The last message of a stream. */
export interface StreamEnd {
  readonly stream: string;
  /** Missing if another process tells that the stream is lost. */
  readonly n?: number;
  readonly end: StreamOutcome;
  /** Of a stream that has failed: the code of its error, never the text. */
  readonly code?: string;
}

/** A message of a stream. A viewer ignores one whose number it has had, and all of a stream that has ended. */
export type StreamMessage<Part = unknown> = StreamBegin | StreamText | StreamParts<Part> | StreamEnd;
