// Reads an event stream event by event, like an EventSource (WHATWG HTML §9.2.6) that does not reconnect.

import { EventDecoder, type ServerEvent } from "../codec/sse.ts";

/** A client of an event stream. */
export class TestEvents {
  /** Rejects when the request fails. A server answers with the first event, or when the channel is closed. */
  readonly response: Promise<Response>;
  readonly #decoder = new EventDecoder();
  readonly #abort = new AbortController();
  #reader: Promise<ReadableStreamDefaultReader<Uint8Array>>;

  /** `request` begins the request, with the fields and the signal that it is given. */
  constructor(request: (init: RequestInit) => Promise<Response>, headers: Readonly<Record<string, string>>) {
    this.response = request({
      headers: { Accept: "text/event-stream", ...headers },
      signal: this.#abort.signal,
    });
    this.#reader = this.response.then(({ status, body }) => {
      if (status !== 200 || body === null) throw new Error(`no event stream: HTTP ${status}`);
      return body.getReader();
    });
    // `next` rejects for it.
    this.response.catch(() => {});
    this.#reader.catch(() => {});
  }

  /** The next event. Rejects when the stream has ended, or the answer is not an event stream. */
  async next(): Promise<ServerEvent> {
    const reader = await this.#reader;
    for (;;) {
      const event = this.#decoder.next();
      if (event !== undefined) return event;
      const { done, value } = await reader.read();
      if (done) throw new Error("the event stream has ended");
      this.#decoder.push(value);
    }
  }

  /** Disconnects. */
  close(): void {
    this.#abort.abort();
  }
}
