// The entry `unichannel/language-models`: the text in what language models send, in the forms of the OpenAI, Anthropic and AI SDK
// libraries and of their HTTP APIs. It knows their forms; none of them is needed.

import { ChannelError } from "./base/errors.ts";
import { badValue } from "./base/option-values.ts";
import type { BodyPart, StreamBody } from "./channel/body.ts";
import { discardSource, openSource } from "./channel/source.ts";
import { EventDecoder } from "./codec/sse.ts";

/**
 * The output of a model: the `Response` of its HTTP API or its body, which are event streams, or the chunks that a library gives:
 * an async iterable or ReadableStream of text or objects.
 */
export type ModelOutput = Response | ReadableStream<unknown> | AsyncIterable<unknown>;

/**
 * The text of a model's output, part by part: of an event stream, of the chunks of OpenAI (chat completions and responses), of the
 * events of Anthropic messages, of the AI SDK's `textStream`, `fullStream` and message streams, and text as it is. Everything else in
 * the output (reasoning, tools, usage) is left out. Can be read once; when the reading ends early, the output is cancelled at once,
 * also while it is silent. Reading throws STREAM_FAILED for an error in the output and for a `Response` that is not 2xx or that is JSON; the text of
 * the error is for the server alone. Throws BAD_OPTION for a value that is no output.
 */
export function modelText(output: ModelOutput): AsyncIterable<string> {
  if (!isResponse(output) && !isStream(output)) {
    throw badValue("the output of modelText", output, "a Response, a ReadableStream or an async iterable");
  }
  return { [Symbol.asyncIterator]: () => readText(output) };
}

function readText(output: ModelOutput): AsyncIterator<string> {
  const body = isResponse(output) ? output.body : output;
  const failure = isResponse(output) ? failureOf(output) : undefined;
  if (failure !== undefined) {
    if (body !== null) discardSource(body as StreamBody);
    const error = new ChannelError("STREAM_FAILED", failure);
    return { next: () => Promise.reject(error) };
  }
  if (body === null) return { next: async () => ({ done: true, value: undefined }) };
  const source = openSource(body as StreamBody, "body");
  const events = new EventDecoder();
  const ended: IteratorReturnResult<undefined> = { done: true, value: undefined };
  return {
    async next() {
      try {
        for (;;) {
          const { done, value } = await source.next();
          if (done === true) return ended;
          const text = isBytes(value) ? textOfEvents(events, value) : textOfChunk(value);
          if (text !== "") return { done: false, value: text };
        }
      } catch (error) {
        source.cancel();
        throw error;
      }
    },
    async return() {
      source.cancel();
      return ended;
    },
  };
}

/** Returns why a response has no events; undefined if it may have some. */
function failureOf({ ok, status, headers }: Response): string | undefined {
  if (!ok) return `the model has answered with status ${status}`;
  const type = headers?.get("content-type") ?? "";
  // Read as events, it would be an empty text.
  if (!/^application\/([\w.+-]*json|jsonl)\b/i.test(type)) return undefined;
  return `the model has answered with ${type}, not with an event stream: ask it for one (\`stream: true\`)`;
}

/** Returns the text of the events that are complete now. */
function textOfEvents(events: EventDecoder, bytes: Uint8Array): string {
  let text = "";
  events.push(bytes);
  for (let event = events.next(); event !== undefined; event = events.next()) {
    // The APIs of OpenAI end with it.
    if (event.data === "[DONE]" || event.data === "") continue;
    text += textOfChunk(parsed(event.data));
  }
  return text;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new ChannelError("STREAM_FAILED", "the model has sent an event that is not JSON", { cause });
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns the text of one chunk; "" for one without text. Throws STREAM_FAILED for one that is an error. */
function textOfChunk(chunk: unknown): string {
  if (typeof chunk === "string") return chunk;
  if (!isObject(chunk)) return "";
  const { type, delta, choices, error } = chunk;
  if (type === "error" || type === "response.failed" || isObject(error)) {
    throw new ChannelError("STREAM_FAILED", `the model has sent an error: ${JSON.stringify(chunk).slice(0, 500)}`);
  }
  // OpenAI, chat completions.
  if (Array.isArray(choices)) {
    const first = choices.find((choice) => isObject(choice) && (choice["index"] ?? 0) === 0) as Fields | undefined;
    return isObject(first?.["delta"]) ? textIn(first["delta"]["content"]) : "";
  }
  // OpenAI, responses.
  if (type === "response.output_text.delta") return textIn(delta);
  // Anthropic, messages.
  if (type === "content_block_delta")
    return isObject(delta) && delta["type"] === "text_delta" ? textIn(delta["text"]) : "";
  // AI SDK: `fullStream`, and the chunks of its message streams.
  if (type === "text-delta") return textIn(chunk["text"] ?? delta);
  return "";
}

function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isBytes(part: BodyPart): part is Uint8Array {
  return part instanceof Uint8Array;
}

/** By its members: a library may bring a `Response` of its own. */
function isResponse(output: unknown): output is Response {
  return isObject(output) && "body" in output && typeof output["ok"] === "boolean";
}

function isStream(output: unknown): boolean {
  return isObject(output) && (Symbol.asyncIterator in output || output instanceof ReadableStream);
}
