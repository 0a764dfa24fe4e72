// Writes the log, in the shape of pino's loggers, and reports errors. Requests, connections and channels are not logged:
// `diagnostics.ts` publishes them. Lines that clients can cause at will are limited (`base/log-limit.ts`).

import { ChannelError } from "../base/errors.ts";
import { guard } from "../base/guard.ts";
import { kindOf, type LeftOut, type LogLimit } from "../base/log-limit.ts";
import type { ErrorContext, ErrorReporter } from "../request/context.ts";

/** The part of a logger that is used. pino, loggers like it, and `console` fit as they are. */
export interface Logger {
  /** The server listens, is stopping, has stopped. */
  info(details: object, message: string): void;
  /**
   * A client was too slow, and its channel was closed; a page of an origin, or a request for a host, was refused for the first
   * time; lines like the ones before were left out; the certificate of `tls` is not valid now.
   */
  warn(details: object, message: string): void;
  /** A callback or handler threw, or something else went wrong. */
  error(details: object, message: string): void;
}

export interface LogOptions {
  readonly logger?: Logger | undefined;
  readonly onError?: ErrorReporter | undefined;
}

/**
 * Makes the reporter of errors: `onError` gets all of them; without it the log gets as many as `limit` admits. Never throws:
 * a reporter that throws or rejects must not become a second error.
 */
export function toReporter({ onError, logger }: LogOptions, limit: LogLimit): ErrorReporter {
  const tell = onError ?? ((error: unknown, context: ErrorContext) => log(error, context, logger, limit));
  return (error, context) => void guard(() => tell(error, context), ignore);
}

/** Makes the function that logs how many lines were left out. */
export function toLeftOut(logger: Logger | undefined): LeftOut {
  return (kind, leftOut, windowMs) => {
    const text = `${leftOut} more lines of ${kind} were left out in ${windowMs / 1000} s`;
    logWarn(logger, { kind, leftOut, windowMs }, text);
  };
}

/** Warns through the logger, or else on the console: a warning helps most before a logger is set up. Never throws. */
export function logWarn(logger: Logger | undefined, details: object, message: string): void {
  const text = `unichannel: ${message}`;
  guard(() => (logger === undefined ? console.warn(text) : logger.warn(details, text)), ignore);
}

/** Logs at `info`, only to a logger: without one the library prints nothing. Never throws. */
export function logInfo(logger: Logger | undefined, details: object, message: string): void {
  guard(() => logger?.info(details, `unichannel: ${message}`), ignore);
}

/** Ignores errors of the reporter itself. */
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
    // `path` has no query: queries carry secrets.
    ...(request === undefined ? {} : { requestId: request.id, method: request.method, path: request.path }),
    ...(channel === undefined ? {} : { channelId: channel.id, transport: channel.transport }),
  };
  if (error instanceof ChannelError && error.code === "BUFFER_OVERFLOW") return logger.warn(details, message);
  return logger.error(details, message);
}
