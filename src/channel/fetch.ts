// Fetch's Response as an answer: its body is streamed, unless it turns out to be whole.

import type { SendBody, SendInit } from "./send-data.ts";

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
  const turn = new Promise<"turn">((resolve) => setImmediate(resolve, "turn"));
  const first = reader.read();
  const soon = await Promise.race([first, turn]);
  if (soon === "turn") return resumed(reader, [first]);
  if (soon.done) return new Uint8Array(0);
  const second = reader.read();
  const end = await Promise.race([second, turn]);
  if (end !== "turn" && end.done) return soon.value;
  return resumed(reader, [first, second]);
}

/** The stream from its beginning: the reads that were begun, then the rest. */
async function* resumed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  begun: ReturnType<typeof reader.read>[],
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const { done, value } = await (begun.shift() ?? reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
