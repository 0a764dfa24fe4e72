// The messages of a stream that a store publishes to a group, part by part. Its viewers receive them as JSON, in this form.

/** The first message of a stream. */
export interface StreamBegin {
  /** Names the stream. A group may have several, one after another. */
  readonly stream: string;
  /** Number of the message in its stream: 0 here, one more for each message that follows. */
  readonly n: number;
  /** Tells a beginning from other messages. */
  readonly begin: true;
  /** The `info` of `publishStream`, if it was given. */
  readonly info?: unknown;
}

/** Parts that are text, joined in their order. */
export interface StreamText {
  /** Name of the stream. */
  readonly stream: string;
  /** Number of the message in its stream. */
  readonly n: number;
  /** Text that follows that of the messages before it. */
  readonly text: string;
}

/** Parts that are not text, in their order. */
export interface StreamParts<Part = unknown> {
  /** Name of the stream. */
  readonly stream: string;
  /** Number of the message in its stream. */
  readonly n: number;
  /** Values that follow those of the messages before it. */
  readonly parts: readonly Part[];
}

/**
 * How a stream has ended. `done`: its source has ended. `stopped`: somebody has stopped it. `failed`: its source or its publishing
 * has failed. `lost`: the process that published it has stopped or died.
 */
export type StreamOutcome = "done" | "stopped" | "failed" | "lost";

/** The last message of a stream. */
export interface StreamEnd {
  /** Name of the stream. */
  readonly stream: string;
  /** Missing if another process tells that the stream is lost. */
  readonly n?: number;
  /** How it has ended. */
  readonly end: StreamOutcome;
  /** The code of the error, if the stream has failed; never its text. */
  readonly code?: string;
}

/** A message of a stream. A viewer ignores one whose number it has had, and all of a stream that has ended. */
export type StreamMessage<Part = unknown> = StreamBegin | StreamText | StreamParts<Part> | StreamEnd;
