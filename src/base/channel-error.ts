// The one error class of the library. What each code means stands in `errors.ts`, which tells it here: the client, for
// which that table would be an eighth of its size, imports this file alone, and its errors have their code for a message.

import type { ErrorCode } from "./errors.ts";

export interface ErrorFacts {
  readonly message: string;
  /** HTTP status, where the answer can still be one. RFC 9110 §15. */
  readonly status?: number;
  /** WebSocket close code, where the connection is failed with one. RFC 6455 §7.4.1. */
  readonly closeCode?: number;
}

const known: Partial<Record<ErrorCode, ErrorFacts>> = {};

/** Called once, by `errors.ts`. */
export function know(facts: Readonly<Record<ErrorCode, ErrorFacts>>): void {
  Object.assign(known, facts);
}

export class ChannelError extends Error {
  readonly code: ErrorCode;
  /** The HTTP status that answers this error, if one does. */
  readonly status: number | undefined;
  /** The WebSocket close code that fails the connection for this error, if one does. */
  readonly closeCode: number | undefined;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    const { message = code, status, closeCode }: Partial<ErrorFacts> = known[code] ?? {};
    super(detail === undefined ? message : `${message}: ${detail}`, options);
    this.name = "ChannelError";
    this.code = code;
    this.status = status;
    this.closeCode = closeCode;
  }
}
