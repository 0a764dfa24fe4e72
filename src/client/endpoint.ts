// The URL of a session, with the parameters and headers that the application adds to each request.

import { badOption, badValue } from "../base/bad-option.ts";
import { ChannelError } from "../base/channel-error.ts";
import type { CarrierEnd } from "./carrier-end.ts";

/** The query of a request, without the `params` of the application. */
export type Query = Readonly<Record<string, string>>;

/** The constructor of a WebSocket, as platforms and `ws` have it. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
) => {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
};

/** A value, or a function that is called for it before each request, so that an expired value can be renewed. */
export type Given<T> = T | (() => T | Promise<T>);

/** The options of `connect` that concern each request. */
export interface EndpointOptions {
  /**
   * Headers of each request. A browser's WebSocket takes none: use `params`, a cookie or `protocols` instead.
   * Node's and `ws` (see `WebSocket`) take them.
   */
  readonly headers?: Given<Readonly<Record<string, string>>> | undefined;
  /** Query parameters of each request, without the names of the session's own. They may show up in logs. */
  readonly params?: Given<Readonly<Record<string, string>>> | undefined;
  /** Sub-protocols that are offered beside the session's own. */
  readonly protocols?: readonly string[] | undefined;
  /** As in `fetch`. A WebSocket always sends cookies, as `include` does. @default "same-origin" */
  readonly credentials?: RequestInit["credentials"] | undefined;
  /** The constructor of WebSockets. @default the platform's. Node has one from version 22 on; give it `WebSocket` of `ws` before. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Sends the requests of streams, polls and POSTs. @default the platform's */
  readonly fetch?: typeof fetch | undefined;
}

/** PROTOCOL.md, "Carriers": the names of the query that are the session's own. */
const RESERVED = /^(session|after|mode|park|from|try|cursors|requests)$/;

export interface Endpoint {
  readonly options: EndpointOptions;
  readonly WebSocket: WebSocketConstructor | undefined;
  /** Connections to one origin share the kind of carrier that was selected last. */
  readonly origin: string;
  /** The URL and those `params` that are no function: connections with another key share no session. */
  readonly key: string;
  /**
   * Returns the URL and the headers of one request. `query` is called last, after the application's functions. Throws
   * BAD_OPTION if one of those throws.
   */
  request(query: () => Query): Promise<Composed>;
}

/**
 * The endpoint of a URL with the scheme of HTTP or of WebSocket; relative to the page, where there is one. Throws TypeError for
 * a text that is not a URL, BAD_OPTION for a URL, `params` or `headers` that a request cannot have.
 */
export function endpointOf(location: string | URL, options: EndpointOptions): Endpoint {
  const { params, headers } = options;
  const base = new URL(location, globalThis.document?.baseURI ?? globalThis.location?.href);
  base.protocol = base.protocol.replace("ws", "http");
  base.hash = "";

  function compose(params: Query = {}, headers: Query = {}): Composed {
    const url = new URL(base);
    for (const [name, value] of entriesOf("params", params)) url.searchParams.set(name, value);
    if (!/^http/.test(url.protocol) || url.username || url.password) {
      throw badOption("the URL must be http(s): or ws(s):, without user and password");
    }
    for (const name of url.searchParams.keys()) {
      if (RESERVED.test(name)) throw badOption(`"${name}" in the query is the session's own; use another name`);
    }
    new Headers(entriesOf("headers", headers));
    return { url, headers };
  }

  let key: string;
  try {
    // The results of functions are checked at each request.
    const { url } = compose(typeof params === "function" ? {} : params, typeof headers === "function" ? {} : headers);
    key = url.href;
  } catch (cause) {
    throw refused(cause);
  }
  return {
    options,
    key,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
    origin: base.origin,
    async request(query) {
      let composed: Composed;
      try {
        composed = compose(await given(params), await given(headers));
      } catch (cause) {
        throw refused(cause);
      }
      for (const [name, value] of Object.entries(query())) composed.url.searchParams.set(name, value);
      return composed;
    },
  };
}

interface Composed {
  readonly url: URL;
  readonly headers: Query;
}

/** Throws unless `given` is a plain object of texts: nothing of a `Headers` or `URLSearchParams` would be sent. */
function entriesOf(name: string, given: Query): [string, string][] {
  if (typeof given !== "object" || !given || Symbol.iterator in given)
    throw badValue(name, given, "a plain object of texts");
  const entries = Object.entries(given);
  for (const [key, value] of entries) {
    if (!/^[snb]/.test(typeof value)) throw badValue(`${name}.${key}`, value, "a text");
  }
  return entries;
}

/** Returns the reason of a failed request, as far as the platform gives one. */
export function failure(error: unknown): CarrierEnd {
  try {
    if (error instanceof ChannelError) return { error };
    const { message, cause } = Object(error) as { message?: string; cause?: { message?: string; code?: string } };
    // Node gives the reason in the cause, which has only a code if the host has several addresses.
    const why = cause?.message || cause?.code;
    return { what: `${message || String(error)}${why ? ` (${why})` : ""}` };
  } catch {
    // A `fetch` option may reject with any value, even one whose properties throw.
    return { what: "failed" };
  }
}

function given<T>(value: Given<T> | undefined): T | Promise<T> | undefined {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

function refused(cause: unknown): ChannelError {
  return cause instanceof ChannelError ? cause : badOption(`params or headers: ${cause}`, { cause });
}
