// The URL of a session, with what the application adds to each request.

import { ChannelError } from "../base/channel-error.ts";
import type { Query } from "./carrier.ts";

/** A WebSocket of the platform or of `ws`: what is asked of one when it is given as an option. */
export type WebSocketConstructor = new (
  url: string,
  protocols: string[],
) => {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
};

/** A value, or a function that is asked for it at each request, so that what expires can be renewed. */
export type Given<T> = T | (() => T | Promise<T>);

export interface EndpointOptions {
  /**
   * Headers of each request. A browser's WebSocket takes none: put what it needs into `params`, a cookie or `protocols`.
   * Node's and `ws` (see `WebSocket`) take them.
   */
  readonly headers?: Given<Readonly<Record<string, string>>> | undefined;
  /** Query parameters of each request. They may show up in logs. */
  readonly params?: Given<Readonly<Record<string, string>>> | undefined;
  /** Sub-protocols that are offered beside the session's own. */
  readonly protocols?: readonly string[] | undefined;
  /** As in `fetch`. @default "same-origin" */
  readonly credentials?: RequestInit["credentials"] | undefined;
  /** @default the platform's. Node has one from version 22 on; give it `WebSocket` of `ws` before. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** @default the platform's */
  readonly fetch?: typeof fetch | undefined;
}

export class Endpoint {
  readonly options: EndpointOptions;
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly #url: URL;

  /** A URL with the scheme of HTTP or of WebSocket; relative to the page, where there is one. Throws TypeError. */
  constructor(url: string | URL, options: EndpointOptions) {
    this.options = options;
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#url = new URL(url, globalThis.location?.href);
    this.#url.protocol = this.#url.protocol.replace("ws", "http");
    this.#url.hash = "";
  }

  /** Sessions of one origin share what was learned about the way there. */
  get origin(): string {
    return this.#url.origin;
  }

  /** One request: `query` and what the application adds. Throws BAD_OPTION for what the application's functions throw. */
  async request(query: Query): Promise<{ url: URL; headers: Query }> {
    const url = new URL(this.#url);
    try {
      const all = { ...(await given(this.options.params)), ...query };
      for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
      return { url, headers: { ...(await given(this.options.headers)) } };
    } catch (cause) {
      throw new ChannelError("BAD_OPTION", "headers or params failed", { cause });
    }
  }
}

function given<T>(value: Given<T> | undefined): T | Promise<T> | undefined {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
