// Logs the first refusal of each origin and each host, with the option to set: the page itself sees a status at most, and
// the operator would look for the reason in the wrong place.

import { detached } from "../base/bytes.ts";
import type { ChannelRequest } from "../request/request.ts";
import { type Logger, logWarn } from "./log.ts";

/** Number of origins and hosts that are logged in the life of a server. Clients can send as many as they like. */
const MAX_NAMED = 100;
/** Length of the longest value that is logged. A longer one is not an origin or host: RFC 1035 §2.3.4 allows 253 characters. */
const MAX_CHARS = 300;

export class RefusalLog {
  readonly #logger: Logger | undefined;
  readonly #isFunction: boolean;
  readonly #named = new Set<string>();

  /** `allowedOrigins`: the option as it was given. */
  constructor(logger: Logger | undefined, allowedOrigins: unknown) {
    this.#logger = logger;
    this.#isFunction = typeof allowedOrigins === "function";
  }

  /** A page was refused for its origin. */
  originRefused(request: ChannelRequest): void {
    const origin = request.headers.get("origin");
    if (origin === null || !this.#isNew("origin", origin)) return;
    const advice = this.#advice(origin, request);
    this.#warn(request, { origin }, `a page of ${JSON.stringify(origin)} was refused: ${advice}`);
  }

  /** A request was refused for its host, which is not in `allowedHosts`. */
  hostRefused(request: ChannelRequest): void {
    const { host } = request;
    if (!this.#isNew("host", host)) return;
    const advice = host === "" ? "it named none" : `if it is yours, add it to allowedHosts: [${JSON.stringify(host)}]`;
    this.#warn(request, {}, `a request for the host ${JSON.stringify(host)} was refused: ${advice}`);
  }

  #advice(origin: string, { host }: ChannelRequest): string {
    if (this.#isFunction) return "the function allowedOrigins did not return true";
    if (origin === "null")
      return 'it is a sandboxed frame or a file; to allow all of them, set allowedOrigins: ["null"]';
    if (!isOrigin(origin)) return "no browser sends such an origin";
    return `the request was for ${JSON.stringify(host)}; if the page may connect, set allowedOrigins: [${JSON.stringify(origin)}]`;
  }

  #warn(request: ChannelRequest, details: object, message: string): void {
    const { host, path } = request;
    logWarn(this.#logger, { ...details, host, path }, message);
    if (this.#named.size < MAX_NAMED) return;
    logWarn(this.#logger, {}, `${MAX_NAMED} refused origins and hosts have been named; no more will be`);
  }

  #isNew(kind: string, value: string): boolean {
    if (this.#named.size >= MAX_NAMED || value.length > MAX_CHARS) return false;
    const key = `${kind} ${value}`;
    if (this.#named.has(key)) return false;
    // A slice of the request's head would keep the whole head in memory.
    this.#named.add(detached(key));
    return true;
  }
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+$/.test(text);
}
