// Finds a stream, or creates it, while other processes may do the same.

import { isApiError, STREAM_NAME_IN_USE, STREAM_NOT_FOUND } from "./api.ts";
import type { NatsLink } from "./connection.ts";

/**
 * Time for which a deleted stream is left alone before it is created again. A server reports the deletion, and creates another
 * stream of that name, while it still removes the files, and then removes those of the new stream, too (nats-server 2.9.10).
 */
const REMAKE_MS = 500;

export interface EnsureOptions {
  /** True if the stream was there before: somebody has deleted it, and others notice that as well. */
  readonly wasThere: boolean;
  /** Returns the configuration with which it is created. */
  readonly config: () => object;
}

/** Resolves to what the server tells of the stream. */
export async function ensureStream<Info>(
  link: NatsLink,
  name: string,
  { wasThere, config }: EnsureOptions,
): Promise<Info> {
  let found = await infoOf<Info>(link, name);
  if (found === undefined && wasThere) {
    await link.pause(REMAKE_MS);
    // Another process may have made it.
    found = await infoOf<Info>(link, name);
  }
  if (found !== undefined) return found;
  try {
    return await link.api<Info>(`STREAM.CREATE.${name}`, { name, ...config() });
  } catch (error) {
    // Another process was faster, perhaps with other limits.
    if (!isApiError(error, STREAM_NAME_IN_USE)) throw error;
    return link.api<Info>(`STREAM.INFO.${name}`);
  }
}

async function infoOf<Info>(link: NatsLink, name: string): Promise<Info | undefined> {
  try {
    return await link.api<Info>(`STREAM.INFO.${name}`);
  } catch (error) {
    if (isApiError(error, STREAM_NOT_FOUND)) return undefined;
    throw error;
  }
}
