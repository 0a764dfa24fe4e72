// The part of a NATS connection that is used, and the errors of the JetStream API.

/** A message, as both versions of the client library deliver it. */
export interface NatsMessage {
  /** The subject to which the message was sent. */
  readonly subject: string;
  /** The content. */
  readonly data: Uint8Array;
  /** The subject to which an answer goes, if one is expected. */
  readonly reply?: string;
  /** The headers; `code` is a status of the server, 0 without one. */
  readonly headers?: { readonly code: number; get(name: string): string };
  /** Answers the message. False if no answer is expected. */
  respond(data?: Uint8Array): boolean;
}

/** The part that is used of a connection of `@nats-io/transport-node` (3) or `nats` (2). */
export interface NatsConnection {
  /** Sends a message without waiting. */
  publish(subject: string, payload?: Uint8Array): void;
  /**
   * Sends a message and resolves with the answer; `timeout` in milliseconds, `headers` an object of which the client calls only
   * `encode()`.
   */
  request(
    subject: string,
    payload?: Uint8Array,
    options?: { timeout: number; headers?: unknown },
  ): Promise<NatsMessage>;
  /** Calls `callback` for each message on the subject, until `unsubscribe`. */
  subscribe(
    subject: string,
    options?: { callback?: (error: Error | null, message: NatsMessage) => void },
  ): { unsubscribe(): void };
  /** Resolves when the server has received everything sent before. */
  flush(): Promise<void>;
  /** Iterates over changes of the connection: lost, up again. */
  status(): AsyncIterable<{ readonly type: string }>;
  /** Facts of the server, of which its largest message is used. */
  readonly info?: { readonly max_payload?: number } | undefined;
}

/** A refusal of the JetStream API. */
export class NatsApiError extends Error {
  readonly errorCode: number;

  constructor({ err_code, description }: { readonly err_code: number; readonly description: string }) {
    super(`${description} (${err_code})`);
    this.errorCode = err_code;
  }
}

/** `err_code` values of the API. */
export const NO_MESSAGE_FOUND: number = 10_037;
export const STREAM_NOT_FOUND: number = 10_059;
export const STREAM_NAME_IN_USE: number = 10_058;
export const STORE_FAILED: number = 10_077;
export const DELETE_FAILED: number = 10_057;
/** The last message of the subject is not the expected one: server 2.9 and later, and the form without a number of later ones. */
export const WRONG_LAST_SEQUENCE: readonly number[] = [10_071, 10_164];

export function isApiError(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof NatsApiError && codes.includes(error.errorCode);
}

/**
 * Recognizes the error by code, status and name: the classes belong to the client, and the names differ between its versions
 * (`nats` 2: code "503"; `@nats-io` 3.0 to 3.3: "NoRespondersError"; 3.4: "NoResponders"; either may be the cause of another
 * error).
 */
export function isNoResponders(error: unknown): boolean {
  const { name, code, status, cause } = (error ?? {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly status?: unknown;
    readonly cause?: unknown;
  };
  if (name === "NoRespondersError" || name === "NoResponders") return true;
  if (String(code) === "503" || String(status) === "503") return true;
  return cause !== undefined && cause !== error && isNoResponders(cause);
}

export function isTimeout(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: string; code?: unknown };
  return name === "TimeoutError" || name === "Timeout" || code === "TIMEOUT";
}
