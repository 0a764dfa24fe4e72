// The requests of one session: their numbers in both directions, and the client's that have no reply so far, of which there is
// a limit. The channel has the handlers and the promises. PROTOCOL.md, "Requests".

import { utf8Length } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import {
  askedNumber,
  decodeRequest,
  MAX_REQUEST_HEAD,
  REQUEST_GROWTH,
  type RequestContent,
} from "../codec/request-record.ts";
import { IncomingRequest, type SessionRequests } from "../transport/requests.ts";
import { ownBytes } from "./form.ts";

/** Requests on their way to another process: JSON. */
export interface RequestsSnapshot {
  /** The client's limit. */
  readonly asked: number;
  /** The limit that the client knows. */
  readonly answered: number;
  /** The number of the last request of this end, … */
  readonly last: number;
  /** … and of the client. */
  readonly lastOfClient: number;
}

export class Requests implements SessionRequests {
  readonly maxAsked: number;
  isLeaving = false;
  /** The most requests of the client that may be without a reply. */
  readonly maxAnswered: number;
  #last: number;
  #lastOfClient: number;
  /** The client's requests without a reply: those that wait, and those whose handlers run. */
  readonly #unanswered = new Map<number, IncomingRequest>();

  constructor({ asked, answered, last, lastOfClient }: RequestsSnapshot) {
    this.maxAsked = asked;
    this.maxAnswered = answered;
    this.#last = last;
    this.#lastOfClient = lastOfClient;
  }

  snapshot(): RequestsSnapshot {
    const { maxAsked: asked, maxAnswered: answered } = this;
    return { asked, answered, last: this.#last, lastOfClient: this.#lastOfClient };
  }

  nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  /** The client asks. Undefined if there is no room for another request. Throws BAD_RECORD for a number that has been. */
  arrived({ id, data }: RequestContent): IncomingRequest | undefined {
    if (id <= this.#lastOfClient) throw repeated(id, this.#lastOfClient);
    this.#lastOfClient = id;
    if (this.#unanswered.size >= this.maxAnswered) return undefined;
    return this.restored(id, typeof data === "string" ? data : ownBytes(data));
  }

  /** Throws BAD_RECORD if one of these contents, which were decoded before, asks with a number that has been. */
  check(contents: readonly string[]): void {
    let last = this.#lastOfClient;
    for (const content of contents) {
      const id = askedNumber(content);
      if (id === undefined) continue;
      if (id <= last) throw repeated(id, last);
      last = id;
    }
  }

  /** A request that had arrived in another process. */
  restored(id: number, data: string | Uint8Array): IncomingRequest {
    const request = new IncomingRequest(id, data);
    this.#unanswered.set(id, request);
    return request;
  }

  cancelled(id: number): void {
    this.#unanswered.get(id)?.cancel(new ChannelError("REQUEST_CANCELLED"));
  }

  answered(id: number): void {
    this.#unanswered.delete(id);
  }
}

function repeated(id: number, last: number): ChannelError {
  return new ChannelError("BAD_RECORD", `request ${id} after ${last}`);
}

/** The longest content of a request whose data has `maxMessageBytes`. */
export function maxContentBytes(maxMessageBytes: number): number {
  return REQUEST_GROWTH * maxMessageBytes + MAX_REQUEST_HEAD;
}

/** The bytes of the data in a record's content, which count as those of a message. Throws BAD_RECORD if it is malformed. */
export function requestBytes(content: string): number {
  const { data } = decodeRequest(content);
  return typeof data === "string" ? utf8Length(data) : data.length;
}
