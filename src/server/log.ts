// What the server says of itself, in the shape of pino's loggers; and whom it tells of errors. Nothing is logged for each
// request, connection or channel: `diagnostics.ts` is for that.

import { ChannelError } from "../base/errors.ts";
import { guard } from "../base/guard.ts";
import type { ErrorContext, ErrorReporter } from "../channel/context.ts";

/** The part of a logger that is used: pino, and what is like it, fits as it is; so does `console`. */
export interface Logger {
  /** The server listens, is stopping, has stopped. */
  info(details: object, message: string): void;
  /** A client was too slow, and its channel was closed; the certificate of `tls` is not valid now. */
  warn(details: object, message: string): void;
  /** What a callback or handler threw, and what else went wrong. */
  error(details: object, message: string): void;
}

export interface LogOptions {
  readonly logger?: Logger | undefined;
  readonly onError?: ErrorReporter | undefined;
}

/** Whom to tell of errors. Never throws: a reporter that throws or rejects must not become a second error. */
export function toReporter({ onError, logger }: LogOptions): ErrorReporter {
  const tell = onError ?? ((error: unknown, context: ErrorContext) => log(error, context, logger));
  return (error, context) => void guard(() => tell(error, context), ignore);
}

/** Without a logger nobody is told: a library does not print what nobody asked for. Never throws. */
export function logInfo(logger: Logger | undefined, details: object, message: string): void {
  guard(() => logger?.info(details, `unichannel: ${message}`), ignore);
}

/** The same for what needs somebody's attention, but is no error. */
export function logWarn(logger: Logger | undefined, details: object, message: string): void {
  guard(() => logger?.warn(details, `unichannel: ${message}`), ignore);
}

/** Nobody is left who could be told. */
function ignore(): void {}

function log(error: unknown, { source, request, channel }: ErrorContext, logger: Logger | undefined): unknown {
  const message = `unichannel: error in ${source}`;
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
