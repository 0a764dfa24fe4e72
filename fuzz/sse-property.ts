// Event streams: our decoder against the algorithm of WHATWG HTML §9.2.6 implemented literally, on the whole text at
// once; and events that the encoder wrote are decoded unchanged.

import assert from "node:assert/strict";
import fc from "fast-check";
import { EventDecoder, type EventFields, encodeComment, encodeEvent, type ServerEvent } from "../src/codec/sse.ts";
import type { FuzzOptions, FuzzReport } from "./cases.ts";
import { cut, fuzzProperties, mutate, mutations, places, property } from "./property.ts";

interface Decoded {
  readonly events: readonly ServerEvent[];
  readonly retryMs: number | undefined;
  readonly lastEventId: string;
}

/** The specification's algorithm, a line at a time. */
function reference(bytes: Uint8Array): Decoded {
  const text = new TextDecoder().decode(bytes);
  const events: ServerEvent[] = [];
  let [data, type, id, lastEventId] = ["", "", "", ""];
  let retryMs: number | undefined;
  const lines = text.split(/\r\n|\n|\r/);
  // Once the end of the file is reached, an incomplete line and event are discarded.
  lines.pop();
  for (const line of lines) {
    if (line === "") {
      lastEventId = id;
      if (data !== "") {
        events.push({ type: type === "" ? "message" : type, data: data.replace(/\n$/, ""), lastEventId });
      }
      [data, type] = ["", ""];
      continue;
    }
    const [, field = "", , value = ""] = /^([^:]*)(: ?)?([\s\S]*)$/.exec(line) ?? [];
    if (field === "event") type = value;
    else if (field === "data") data += `${value}\n`;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) retryMs = Number(value);
  }
  return { events, retryMs, lastEventId };
}

function decode(parts: readonly Uint8Array[]): Decoded {
  const decoder = new EventDecoder();
  const events: ServerEvent[] = [];
  for (const part of parts) {
    decoder.push(part);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) events.push(event);
  }
  return { events, retryMs: decoder.retryMs, lastEventId: decoder.lastEventId };
}

/** Ends with LF: a last CR could be half of a CRLF, so the event before it would not be complete. */
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "data",
        "event",
        "id",
        "retry",
        ":",
        ": ",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "data: ",
        "\0",
        "\ufeff",
      ),
      fc.constantFrom(
        "data: a\n\n",
        "id: 1\n",
        "retry: 10\n",
        "retry: 1a\n",
        "event: x\n",
        ": comment\n",
        "data\n",
        "😀",
        "é",
      ),
      fc.string({ maxLength: 5 }),
    ),
    { maxLength: 40 },
  )
  .map((list) => Buffer.from(`${list.join("")}\n`));

const line = fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replace(/[\r\n\0]/g, ""));
const fields: fc.Arbitrary<EventFields> = fc.record(
  {
    data: fc
      .array(fc.oneof(line, fc.constantFrom("\n", "\r", "\r\n", ":", " ")), { maxLength: 6 })
      .map((p) => p.join("")),
    event: line,
    id: line,
    retry: fc.nat(),
  },
  { requiredKeys: [] },
);

export function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  return fuzzProperties(
    {
      "a stream is read as the specification reads it, however it is cut": property(
        pieces,
        mutations,
        places,
        (bytes, list, at) => {
          const stream = Buffer.concat([mutate(bytes, list), Buffer.from("\n")]);
          assert.deepEqual(decode(cut(stream, at)), reference(stream));
        },
      ),
      "any bytes are a stream": property(fc.uint8Array({ maxLength: 300 }), places, (bytes, at) => {
        const stream = Buffer.concat([bytes, Buffer.from("\n")]);
        assert.deepEqual(decode(cut(stream, at)), reference(stream));
      }),
      "events come back as they were sent": property(fc.array(fields, { maxLength: 5 }), places, (all, at) => {
        const text = all.map((one) => encodeEvent(one) + encodeComment("between")).join("");
        let lastEventId = "";
        const expected: ServerEvent[] = [];
        for (const { data, event = "", id } of all) {
          lastEventId = id ?? lastEventId;
          if (data === undefined) continue;
          // §9.2.6: an event of one empty line is dispatched only with a "data" field, which is there.
          expected.push({ type: event === "" ? "message" : event, data: data.replace(/\r\n|\r/g, "\n"), lastEventId });
        }
        const { events } = decode(cut(Buffer.from(`\n${text}`), at));
        assert.deepEqual(events, expected);
      }),
    },
    options,
  );
}
