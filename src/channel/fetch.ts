// Fetch's Response as an answer: its body is streamed, unless it turns out to be whole.

import type { BodyPart, SendBody } from "./body.ts";
import type { SendInit } from "./send-data.ts";
import { fromReader } from "./source.ts";

/**
 * The response as data to send. A body that is whole within a turn of the event loop (made of a string, say; Fetch
 * hides that behind a stream) becomes bytes, so that it gets a `Content-Length`; a longer one stays a stream.
 */
export async function fromResponse(response: Response): Promise<SendInit> {
  const headers: [string, string][] = [...response.headers];
  return { status: response.status, headers, body: response.body === null ? null : await peek(response.body) };
}

async function peek(stream: ReadableStream<Uint8Array>): Promise<SendBody> {
  const reader = stream.getReader();
  try {
    const turn = new Promise<"turn">((resolve) => setImmediate(resolve, "turn"));
    const first = reader.read();
    const soon = await Promise.race([first, turn]);
    if (soon === "turn") return resumed(reader, [first]);
    const second = soon.done ? first : reader.read();
    const end = await Promise.race([second, turn]);
    if (end === "turn" || !end.done) return resumed(reader, [first, second]);
    reader.releaseLock();
    return soon.value ?? new Uint8Array(0);
  } catch (error) {
    reader.releaseLock();
    throw error;
  }
}

/** The stream from its beginning: the reads that were begun, then the rest. */
function resumed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  begun: ReturnType<typeof reader.read>[],
): AsyncIterable<BodyPart> {
  const source = fromReader(reader as ReadableStreamDefaultReader<BodyPart>, begun);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(source.next()),
      async return() {
        source.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}
