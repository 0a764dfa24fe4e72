// What the server says of itself, in the shape of pino's loggers; and whom it tells of errors. Nothing is logged for each
// request, connection or channel: `diagnostics.ts` is for that. What clients can cause at will is limited (`base/log-limit.ts`).

import { ChannelError } from "../base/errors.ts";
import { guard } from "../base/guard.ts";
import { kindOf, type LeftOut, type LogLimit } from "../base/log-limit.ts";
import type { ErrorContext, ErrorReporter } from "../request/context.ts";

/** The part of a logger that is used: pino, and what is like it, fits as it is; so does `console`. */
export interface Logger {
  /** The server listens, is stopping, has stopped. */
  info(details: object, message: string): void;
  /**
   * A client was too slow, and its channel was closed; a page of an origin, or a request for a host, was refused for the first
   * time; lines like the ones before were left out; the certificate of `tls` is not valid now.
   */
  warn(details: object, message: string): void;
  /** What a callback or handler threw, and what else went wrong. */
  error(details: object, message: string): void;
}

export interface LogOptions {
  readonly logger?: Logger | undefined;
  readonly onError?: ErrorReporter | undefined;
}

/**
 * Whom to tell of errors: `onError` of all, the log of as many as `limit` admits. Never throws: a reporter that throws or
 * rejects must not become a second error.
 */
export function toReporter({ onError, logger }: LogOptions, limit: LogLimit): ErrorReporter {
  const tell = onError ?? ((error: unknown, context: ErrorContext) => log(error, context, logger, limit));
  return (error, context) => void guard(() => tell(error, context), ignore);
}

/** Says how many lines of the log were left out. */
export function toLeftOut(logger: Logger | undefined): LeftOut {
  return (kind, leftOut, windowMs) => {
    logWarn(
      logger,
      { kind, leftOut, windowMs },
      `${leftOut} more lines of ${kind} were left out in ${windowMs / 1000} s`,
    );
  };
}

/** Without a logger it is printed: what it says is of use only to somebody who has not set one up yet. Never throws. */
export function logWarn(logger: Logger | undefined, details: object, message: string): void {
  const text = `unichannel: ${message}`;
  guard(() => (logger === undefined ? console.warn(text) : logger.warn(details, text)), ignore);
}

/** Without a logger nobody is told: a library does not print what nobody asked for. Never throws. */
export function logInfo(logger: Logger | undefined, details: object, message: string): void {
  guard(() => logger?.info(details, `unichannel: ${message}`), ignore);
}

/** Nobody is left who could be told. */
function ignore(): void {}

function log(
  error: unknown,
  { source, request, channel }: ErrorContext,
  logger: Logger | undefined,
  limit: LogLimit,
): unknown {
  const message = `unichannel: error in ${source}`;
  if (!limit.admits(`error in ${source} (${kindOf(error)})`)) return undefined;
  if (logger === undefined) return console.error(message, error);
  const details = {
    err: error,
    source,
    // Without its query: that is where secrets are.
    ...(request === undefined ? {} : { requestId: request.id, method: request.method, path: request.path }),
    ...(channel === undefined ? {} : { channelId: channel.id, transport: channel.transport }),
  };
  if (error instanceof ChannelError && error.code === "BUFFER_OVERFLOW") return logger.warn(details, message);
  return logger.error(details, message);
}
