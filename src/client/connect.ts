// The function that an application calls; `converse.ts` implements the connection that it returns.

import type { WithCodec } from "../codec/message-codec.ts";
import type { Connection, ConnectOptions, Requests } from "./connection.ts";
import { converse } from "./converse.ts";
import type { AnyCodec } from "./messages.ts";
import { checkOptions } from "./options.ts";
import type { RequestConnection } from "./requests.ts";

/** Options with requests, which decide the type of the connection. */
export interface WithRequests {
  /** The result of `requests()`. */
  readonly requests: Requests;
  /** Tabs share messages, and no requests. */
  readonly share?: undefined;
}

/**
 * Connects to a session (`openSession`) of a server, and stays connected until `close`. Returns at once.
 * With `codec`, messages are values: see `jsonMessages`. With `requests`, the connection asks and answers. Throws TypeError for a text that is not a URL, BAD_OPTION for
 * options that are wrong.
 */
export function connect<In, Out>(
  url: string | URL,
  options: ConnectOptions & WithCodec<In, Out> & WithRequests,
): RequestConnection<In, Out>;
export function connect(url: string | URL, options: ConnectOptions & WithRequests): RequestConnection;
export function connect<In, Out>(url: string | URL, options: ConnectOptions & WithCodec<In, Out>): Connection<In, Out>;
export function connect(url: string | URL, options?: ConnectOptions): Connection;
export function connect(
  url: string | URL,
  options: ConnectOptions & { readonly codec?: AnyCodec } = {},
): Connection<unknown, unknown> {
  checkOptions(options);
  return converse(url, options);
}
