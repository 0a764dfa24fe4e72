// The text of the outputs of language models, in the forms that their APIs and libraries document. The events are those of the APIs,
// cut to what matters here.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { modelText } from "../../src/language-models.ts";
import { deferred } from "../support/wait.ts";

const line = (event: object, type?: string): string =>
  `${type === undefined ? "" : `event: ${type}\n`}data: ${JSON.stringify(event)}\n\n`;

/** One answer, "Hello €!", as each API sends it. */
const FORMS: Readonly<Record<string, readonly { readonly type?: string; readonly [name: string]: unknown }[]>> = {
  "OpenAI chat completions": [
    { id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta: { role: "assistant", content: "" } }] },
    { id: "c", choices: [{ index: 0, delta: { content: "Hello" } }] },
    { id: "c", choices: [{ index: 1, delta: { content: "another choice" } }] },
    { id: "c", choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: "{}" } }] } }] },
    { id: "c", choices: [{ index: 0, delta: { content: " €!" }, finish_reason: null }] },
    { id: "c", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    { id: "c", choices: [], usage: { total_tokens: 5 } },
  ],
  "OpenAI responses": [
    { type: "response.created", response: { id: "r", error: null } },
    { type: "response.reasoning_text.delta", delta: "hm" },
    { type: "response.output_text.delta", item_id: "m", delta: "Hello" },
    { type: "response.output_text.delta", item_id: "m", delta: " €!" },
    { type: "response.output_text.done", text: "Hello €!" },
    { type: "response.completed", response: { id: "r", error: null } },
  ],
  "Anthropic messages": [
    { type: "message_start", message: { id: "m", content: [] } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "ping" },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: " €!" } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" } },
    { type: "message_stop" },
  ],
  "AI SDK message stream": [
    { type: "start" },
    { type: "text-start", id: "t" },
    { type: "reasoning-delta", id: "r", delta: "hm" },
    { type: "text-delta", id: "t", delta: "Hello" },
    { type: "text-delta", id: "t", delta: " €!" },
    { type: "text-end", id: "t" },
    { type: "finish" },
  ],
  "AI SDK fullStream": [
    { type: "start" },
    { type: "text-delta", id: "t", text: "Hello" },
    { type: "text-delta", id: "t", text: " €!" },
    { type: "finish", finishReason: "stop" },
  ],
};

async function read(output: Parameters<typeof modelText>[0]): Promise<string> {
  let text = "";
  for await (const part of modelText(output)) text += part;
  return text;
}

async function* each<Value>(values: readonly Value[]): AsyncGenerator<Value> {
  yield* values;
}

function toStream(values: readonly unknown[]): ReadableStream<unknown> {
  return new ReadableStream({
    start(controller) {
      for (const value of values) controller.enqueue(value);
      controller.close();
    },
  });
}

/** The bytes in pieces of `length`, so that events and characters are cut. */
function inPieces(text: string, length: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += length) controller.enqueue(bytes.subarray(at, at + length));
      controller.close();
    },
  });
}

describe("modelText", () => {
  for (const [form, events] of Object.entries(FORMS)) {
    it(`reads the chunks of ${form}`, async () => {
      assert.equal(await read(each(events)), "Hello €!");
      assert.equal(await read(toStream(events)), "Hello €!");
    });

    it(`reads the event stream of ${form}, wherever it is cut`, async () => {
      const text = `${events.map((event) => line(event, form.startsWith("Anthropic") ? event.type : undefined)).join("")}data: [DONE]\n\n`;
      for (const length of [1, 7, 100_000]) {
        assert.equal(await read(inPieces(text, length)), "Hello €!");
        assert.equal(await read(new Response(inPieces(text, length))), "Hello €!");
      }
    });
  }

  it("reads text as it is", async () => {
    assert.equal(await read(each(["Hello", "", " €!"])), "Hello €!");
    assert.equal(await read(new Response(null)), "");
  });

  for (const [form, event] of [
    ["OpenAI chat completions", { error: { message: "sk-secret is no key", code: "invalid_api_key" } }],
    ["OpenAI responses", { type: "response.failed", response: { error: { code: "server_error" } } }],
    ["Anthropic messages", { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
    ["AI SDK", { type: "error", errorText: "failed" }],
  ] as const) {
    it(`throws STREAM_FAILED for an error of ${form}, after the text before it`, async () => {
      const before = { choices: [{ index: 0, delta: { content: "begun" } }] };
      const got: string[] = [];
      const reading = async (): Promise<void> => {
        for await (const part of modelText(each<object>([before, event]))) got.push(part);
      };
      await assert.rejects(reading(), { code: "STREAM_FAILED" });
      assert.deepEqual(got, ["begun"]);
      await assert.rejects(read(new Response(line(event))), { code: "STREAM_FAILED" });
    });
  }

  it("throws STREAM_FAILED for a Response that is not 2xx, and for an event that is not JSON", async () => {
    await assert.rejects(read(new Response("sk-secret", { status: 429 })), {
      code: "STREAM_FAILED",
      message: /status 429/,
    });
    await assert.rejects(read(new Response("data: {half\n\n")), { code: "STREAM_FAILED" });
  });

  for (const type of [
    "application/json",
    "application/json; charset=utf-8",
    "application/x-ndjson",
    "application/jsonl",
  ]) {
    it(`throws STREAM_FAILED for a Response of the type ${type}, which has no events, and cancels it`, async () => {
      let isCancelled = false;
      const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
      await assert.rejects(read(new Response(body, { headers: { "Content-Type": type } })), {
        code: "STREAM_FAILED",
        message: /stream: true/,
      });
      assert.equal(isCancelled, true);
    });
  }

  it("cancels the output at once when the reading ends, also while the output is silent", async () => {
    const cancelled = deferred<unknown>();
    const iterator = modelText(new ReadableStream({ cancel: cancelled.resolve }))[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return!();
    await cancelled.promise;
    assert.equal((await pending).done, true);
  });

  it("refuses a value that is no output", () => {
    for (const value of [undefined, null, "text", {}, { body: "text" }, 1]) {
      assert.throws(() => modelText(value as never), { code: "BAD_OPTION" });
    }
  });
});
