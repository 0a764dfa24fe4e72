// What is used of a connection to NATS, and what the JetStream API says when it refuses.

/** A message as both lines of the client library give it. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: { readonly code: number; get(name: string): string };
  respond(data?: Uint8Array): boolean;
}

/** A connection of `@nats-io/transport-node` (3) or `nats` (2); what is used of it. */
export interface NatsConnection {
  publish(subject: string, payload?: Uint8Array): void;
  request(subject: string, payload?: Uint8Array, options?: { timeout: number }): Promise<NatsMessage>;
  subscribe(
    subject: string,
    options?: { callback?: (error: Error | null, message: NatsMessage) => void },
  ): { unsubscribe(): void };
  flush(): Promise<void>;
  status(): AsyncIterable<{ readonly type: string }>;
}

/** An answer of the API that is a refusal. */
export class NatsApiError extends Error {
  readonly errorCode: number;

  constructor({ err_code, description }: { readonly err_code: number; readonly description: string }) {
    super(`${description} (${err_code})`);
    this.errorCode = err_code;
  }
}

/** `err_code` of the API's errors. */
export const NO_MESSAGE_FOUND: number = 10_037;
export const STREAM_NOT_FOUND: number = 10_059;
export const STREAM_NAME_IN_USE: number = 10_058;

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof NatsApiError && error.errorCode === code;
}

/** By name and code: the class is the client's, and it differs between its versions. */
export function isNoResponders(error: unknown): boolean {
  const { name, code, cause } = (error ?? {}) as { name?: string; code?: unknown; cause?: { name?: string } };
  return name === "NoRespondersError" || cause?.name === "NoRespondersError" || code === "503";
}

export function isTimeout(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: string; code?: unknown };
  return name === "TimeoutError" || code === "TIMEOUT";
}
