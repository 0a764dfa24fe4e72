// The part of a `ServerHttp2Stream` of node:http2 that carries an exchange: by its shape, so that this layer imports no server.

/** Error codes of RFC 9113 §7. */
export const RESET = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** The flag of a HEADERS frame that the request has no body: RFC 9113 §6.2. */
export const END_STREAM = 1;

/** Response fields as node:http2 takes them: lower-case names, and a list for a name with several lines. */
export type ResponseFields = Record<string, string | number | string[]>;

type OnTaken = (error?: Error | null) => void;

export interface ServerStream {
  readonly destroyed: boolean;
  /** True once the stream is reset, or both its sides have ended. */
  readonly closed: boolean;
  /** True if the client has reset the stream, or the connection has failed, before the response was complete. */
  readonly aborted: boolean;
  /** True once a response has begun. */
  readonly headersSent: boolean;
  readonly writable: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly readableEnded: boolean;
  /** Bytes that were written and that the connection has not taken. */
  readonly writableLength: number;
  /** Bytes that have arrived and were not read. */
  readonly readableLength: number;
  /** The code of RFC 9113 §7 with which it was closed. */
  readonly rstCode: number;
  respond(fields: ResponseFields, options?: { readonly endStream?: boolean }): void;
  /** Sends an interim response: RFC 9110 §15.2. */
  additionalHeaders(fields: ResponseFields): void;
  read(): Uint8Array | null;
  write(bytes: Uint8Array, onTaken?: OnTaken): boolean;
  write(text: string, encoding: "latin1", onTaken?: OnTaken): boolean;
  cork(): void;
  uncork(): void;
  end(): void;
  end(bytes: Uint8Array): void;
  end(text: string, encoding: "latin1"): void;
  /** Resets the stream with INTERNAL_ERROR. */
  destroy(error: Error): void;
  /** Ends the stream, and resets it with this code. */
  close(code: number): void;
  pause(): void;
  resume(): void;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  on(event: "readable" | "end" | "close" | "finish", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}
