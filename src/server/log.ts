// What the server says of itself, in the shape of pino's loggers; and whom it tells of errors. Nothing is logged for each
// request, connection or channel: `diagnostics.ts` is for that.

import { ChannelError } from "../base/errors.ts";
import type { ErrorContext, ErrorReporter } from "../channel/context.ts";

/** The part of a logger that is used: pino, and what is like it, fits as it is; so does `console`. */
export interface Logger {
  /** The server listens, is stopping, has stopped. */
  info(details: object, message: string): void;
  /** A client was too slow, and its channel was closed. */
  warn(details: object, message: string): void;
  /** What a callback or handler threw, and what else went wrong. */
  error(details: object, message: string): void;
}

export interface LogOptions {
  readonly logger?: Logger | undefined;
  readonly onError?: ErrorReporter | undefined;
}

/** Whom to tell of errors. It never throws: a broken reporter must not become a second error. */
export function toReporter({ onError, logger }: LogOptions): ErrorReporter {
  const tell = onError ?? ((error: unknown, context: ErrorContext) => log(error, context, logger));
  return (error, context) => {
    try {
      tell(error, context);
    } catch {}
  };
}

/** Without a logger nobody is told: a library does not print what nobody asked for. Never throws. */
export function logInfo(logger: Logger | undefined, details: object, message: string): void {
  try {
    logger?.info(details, `unichannel: ${message}`);
  } catch {}
}

function log(error: unknown, { source, request, channel }: ErrorContext, logger: Logger | undefined): void {
  const message = `unichannel: error in ${source}`;
  if (logger === undefined) {
    console.error(message, error);
    return;
  }
  const details = {
    err: error,
    source,
    // Without its query: that is where secrets are.
    ...(request === undefined ? {} : { requestId: request.id, method: request.method, path: request.path }),
    ...(channel === undefined ? {} : { channelId: channel.id, transport: channel.transport }),
  };
  if (error instanceof ChannelError && error.code === "BUFFER_OVERFLOW") logger.warn(details, message);
  else logger.error(details, message);
}
