import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelError } from "../../src/base/errors.ts";
import { EventDecoder, type EventFields, encodeComment, encodeEvent, type ServerEvent } from "../../src/codec/sse.ts";
import { cut, hex } from "../support/hex.ts";

function decodeAll(decoder: EventDecoder, chunks: readonly Uint8Array[]): ServerEvent[] {
  const events: ServerEvent[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) events.push(event);
  }
  return events;
}

const decode = (text: string): ServerEvent[] => decodeAll(new EventDecoder(), [Buffer.from(text)]);

/** A message with no id seen so far. */
const message = (data: string, lastEventId = ""): ServerEvent => ({ type: "message", data, lastEventId });

describe("encodeEvent: WHATWG HTML §9.2.5", () => {
  const written: [EventFields, string][] = [
    [{ data: "hello" }, "data: hello\n\n"],
    [{ data: "" }, "data: \n\n"],
    [{ data: " two  spaces" }, "data:  two  spaces\n\n"],
    [{ data: "a\nb" }, "data: a\ndata: b\n\n"],
    [{ data: "a\rb" }, "data: a\ndata: b\n\n"],
    [{ data: "a\r\nb" }, "data: a\ndata: b\n\n"],
    [{ data: "a\n\rb" }, "data: a\ndata: \ndata: b\n\n"],
    [{ data: "\n" }, "data: \ndata: \n\n"],
    [{ data: "a\n" }, "data: a\ndata: \n\n"],
    [{ data: "a\u2028b\u0085c\fd\0" }, "data: a\u2028b\u0085c\fd\0\n\n"],
    [{ event: "add", data: "1" }, "event: add\ndata: 1\n\n"],
    [{ id: "7", data: "1" }, "id: 7\ndata: 1\n\n"],
    [{ id: "", data: "1" }, "id: \ndata: 1\n\n"],
    [{ retry: 0, data: "1" }, "retry: 0\ndata: 1\n\n"],
    [{ data: "1", retry: 2500, id: "7", event: "add" }, "event: add\nid: 7\nretry: 2500\ndata: 1\n\n"],
    [{ retry: 1000 }, "retry: 1000\n\n"],
    [{ id: "9" }, "id: 9\n\n"],
    [{ data: "é 漢 😀" }, "data: é 漢 😀\n\n"],
  ];
  for (const [fields, text] of written) {
    it(`writes ${JSON.stringify(fields)}`, () => assert.equal(encodeEvent(fields), text));
  }

  const refused: EventFields[] = [
    { event: "a\nb" },
    { event: "a\r" },
    { id: "a\nb" },
    { id: "\r" },
    { id: "a\0b" },
    { event: 5 as never },
    { id: 5 as never },
    { id: null as never },
    { retry: -1 },
    { retry: 1.5 },
    { retry: Number.NaN },
    { retry: Number.POSITIVE_INFINITY },
    { retry: 1e21 },
  ];
  for (const fields of refused) {
    it(`refuses ${JSON.stringify(fields)} (${fields.retry})`, () => {
      assert.throws(() => encodeEvent({ data: "x", ...fields }), { code: "BAD_DATA" });
    });
  }
});

describe("encodeComment: WHATWG HTML §9.2.5, §9.2.7", () => {
  it("is a line that begins with a colon, and a blank line", () => {
    assert.equal(encodeComment(), ": \n\n");
    assert.equal(encodeComment("ping"), ": ping\n\n");
  });

  it("never lets its text become a field", () => {
    assert.equal(encodeComment("a\ndata: b\r\nc\rd"), ": a\n: data: b\n: c\n: d\n\n");
  });

  it("dispatches nothing", () => assert.deepEqual(decode(encodeComment("a\n\ndata: b")), []));
});

describe("EventDecoder: the examples of WHATWG HTML §9.2.6", () => {
  it("one event of three lines of data", () => {
    assert.deepEqual(decode("data: YHOO\ndata: +2\ndata: 10\n\n"), [message("YHOO\n+2\n10")]);
  });

  it("four blocks: a comment, two events, an id that is reset, and a leading space kept", () => {
    const stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert.deepEqual(decode(stream), [message("first event", "1"), message("second event"), message(" third event")]);
  });

  it("two events and an incomplete one, which is dropped", () => {
    assert.deepEqual(decode("data\n\ndata\ndata\n\ndata:"), [message(""), message("\n")]);
  });

  it("two events that are the same: one space after the colon is ignored", () => {
    assert.deepEqual(decode("data:test\n\ndata: test\n\n"), [message("test"), message("test")]);
  });
});

describe("EventDecoder: WHATWG HTML §9.2.6", () => {
  it("ends lines at LF, CR and CRLF", () => {
    for (const end of ["\n", "\r", "\r\n"]) {
      assert.deepEqual(decode(`data: a${end}data: b${end}${end}data: c${end}${end}`), [message("a\nb"), message("c")]);
    }
    assert.deepEqual(decode("data: a\r\ndata: b\n\rdata: c\r\r"), [message("a\nb"), message("c")]);
  });

  it("does not end lines at anything else", () => {
    assert.deepEqual(decode("data: a\u2028b\u0085c\fd\ve\0\n\n"), [message("a\u2028b\u0085c\fd\ve\0")]);
  });

  it("takes a CRLF that is cut between two pushes for one line end", () => {
    const chunks = ["data: a\r", "\ndata: b\r", "\n\r", "\n", "data: c\r", "\r"].map((text) => Buffer.from(text));
    assert.deepEqual(decodeAll(new EventDecoder(), chunks), [message("a\nb"), message("c")]);
  });

  it("dispatches at a CR without waiting for what follows it", () => {
    const decoder = new EventDecoder();
    assert.deepEqual(decodeAll(decoder, [Buffer.from("data: a\r\r")]), [message("a")]);
    assert.deepEqual(decodeAll(decoder, [Buffer.from("\n")]), []);
    assert.deepEqual(decodeAll(decoder, [Buffer.from("data: b\n\n")]), [message("b")]);
  });

  it("drops one byte order mark at the start and nowhere else", () => {
    assert.deepEqual(decode("\ufeffdata: a\n\n"), [message("a")]);
    assert.deepEqual(decode("\ufeff\ufeffdata: a\n\n"), []);
    assert.deepEqual(decode("data: a\n\n\ufeffdata: b\n\ndata: \ufeffc\n\n"), [message("a"), message("\ufeffc")]);
  });

  it("decodes UTF-8 as a stream and replaces invalid bytes", () => {
    const bytes = Buffer.from("data: é漢😀\n\n");
    assert.deepEqual(decodeAll(new EventDecoder(), cut(bytes, [...bytes.keys()])), [message("é漢😀")]);
    assert.deepEqual(decodeAll(new EventDecoder(), [hex("64617461 3a ff 0a0a")]), [message("\ufffd")]);
  });

  it("ignores comments and unknown fields, and compares names literally", () => {
    assert.deepEqual(decode(":\n: x\ndata: a\nDATA: b\n data: c\ndata : d\nfoo: e\nfoo\n\n"), [message("a")]);
  });

  it("takes a line without a colon for a field with an empty value", () => {
    assert.deepEqual(decode("data\ndata: a\nevent\nid\n\n"), [message("\na")]);
  });

  it("splits at the first colon only", () => assert.deepEqual(decode("data:a:b: c\n\n"), [message("a:b: c")]));

  it("removes one leading space and no tab", () => {
    assert.deepEqual(decode("data:  a \n\ndata:\tb\n\n"), [message(" a "), message("\tb")]);
  });

  it("dispatches nothing without data, and forgets the type", () => {
    assert.deepEqual(decode("event: x\n\ndata: a\n\n\n\n"), [message("a")]);
  });

  it("uses the last type, for one event", () => {
    assert.deepEqual(decode("event: x\nevent: y\ndata: a\n\nevent: z\nevent:\ndata: b\n\ndata: c\n\n"), [
      { type: "y", data: "a", lastEventId: "" },
      message("b"),
      message("c"),
    ]);
  });

  it("keeps the id for later events, and takes it from an event without data", () => {
    const decoder = new EventDecoder();
    assert.equal(decoder.lastEventId, "");
    const events = decodeAll(decoder, [Buffer.from("id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\n")]);
    assert.deepEqual(events, [message("a", "1"), message("b", "1"), message("c", "2")]);
    assert.equal(decoder.lastEventId, "2");
  });

  it("does not let an id take effect before its event is complete", () => {
    const decoder = new EventDecoder();
    decodeAll(decoder, [Buffer.from("id: 1\ndata: a\n\nid: 2\ndata: b\n")]);
    assert.equal(decoder.lastEventId, "1");
  });

  it("ignores an id with NUL", () => {
    assert.deepEqual(decode("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"), [message("a", "1"), message("b", "1")]);
  });

  it("takes retry from digits only", () => {
    const decoder = new EventDecoder();
    const retryAfter = (line: string): number | undefined => {
      decodeAll(decoder, [Buffer.from(`${line}\n`)]);
      return decoder.retryMs;
    };
    assert.equal(retryAfter("data: x"), undefined);
    assert.equal(retryAfter("retry: 0250"), 250);
    for (const value of ["", "-1", "+1", "1.5", "1e3", "0x10", " 7", "7 ", "٣"])
      assert.equal(retryAfter(`retry: ${value}`), 250);
    assert.equal(retryAfter("retry"), 250);
    assert.equal(retryAfter("retry:3"), 3);
  });

  it("drops an event that the end of the stream cuts", () => {
    assert.deepEqual(decode("data: a\n\ndata: b\n"), [message("a")]);
    assert.deepEqual(decode("data: a"), []);
  });

  it("reads bytes of several pushes", () => {
    const decoder = new EventDecoder();
    decoder.push(Buffer.from("data: a\n\ndata: b"));
    assert.deepEqual(decoder.next(), message("a"));
    decoder.push(Buffer.from("c\n"));
    decoder.push(Buffer.from("\ndata: d\n\n"));
    assert.deepEqual([decoder.next(), decoder.next(), decoder.next()], [message("bc"), message("d"), undefined]);
  });
});

describe("EventDecoder: maxEventBytes", () => {
  const decodeWithin = (maxEventBytes: number, text: string, step = text.length): ServerEvent[] => {
    const bytes = Buffer.from(text);
    const places = Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => i * step);
    return decodeAll(new EventDecoder({ maxEventBytes }), cut(bytes, places));
  };

  it("bounds one line and the data of several lines, whole or in single bytes", () => {
    for (const step of [1, 1000]) {
      assert.deepEqual(decodeWithin(10, "data: 1234\n\n", step), [message("1234")]);
      assert.throws(() => decodeWithin(10, "data: 12345", step), { code: "MESSAGE_TOO_BIG" });
      assert.throws(() => decodeWithin(10, ": 123456789", step), { code: "MESSAGE_TOO_BIG" });
      // Three bytes of data are held when the second line comes.
      assert.deepEqual(decodeWithin(10, "data:12\ndata:34\n\n", step), [message("12\n34")]);
      assert.throws(() => decodeWithin(10, "data:12\ndata:345\n\n", step), { code: "MESSAGE_TOO_BIG" });
    }
  });

  it("counts each event separately, and only bytes that it holds", () => {
    const text = "data: 1234\n\n".repeat(50) + ": 12345678\n".repeat(50);
    assert.equal(decodeWithin(10, text).length, 50);
  });

  it("leaves the decoder spent", () => {
    const decoder = new EventDecoder({ maxEventBytes: 5 });
    decoder.push(Buffer.from("data: a\n\n"));
    assert.throws(() => decoder.next(), ChannelError);
    decoder.push(Buffer.from("\n\ndata\n\n"));
    assert.equal(decoder.next(), undefined);
  });
});

describe("event streams: properties", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.replace(/[\r\n\0]/g, ""));
  const fields = fc.record(
    {
      data: fc
        .array(fc.oneof(line, fc.constantFrom("\n", "\r", "\r\n", ":", " ")), { maxLength: 5 })
        .map((parts) => parts.join("")),
      event: line,
      id: line,
      retry: fc.nat(100_000),
    },
    { requiredKeys: [] },
  );

  /** Returns the events that a receiver dispatches. */
  function meaning(all: readonly EventFields[]): ServerEvent[] {
    let lastEventId = "";
    const events: ServerEvent[] = [];
    for (const { data, event, id } of all) {
      lastEventId = id ?? lastEventId;
      if (data === undefined) continue;
      events.push({ type: event || "message", data: data.replace(/\r\n?/g, "\n"), lastEventId });
    }
    return events;
  }

  it("arrive as they were sent, with comments between, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fields, { maxLength: 6 }),
        line,
        fc.array(fc.nat(400), { maxLength: 10 }),
        (all, comment, places) => {
          const bytes = Buffer.from(all.map((one) => encodeEvent(one) + encodeComment(comment)).join(""));
          assert.deepEqual(decodeAll(new EventDecoder(), cut(bytes, places)), meaning(all));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("read the same whatever the line ends and the cuts are", () => {
    const pieces = fc.constantFrom(
      "\r",
      "\n",
      "\r\n",
      "data",
      "data:",
      "id: 1",
      "event: e",
      "retry: 1",
      ":",
      " ",
      "x",
      "é",
      "\ufeff",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), fc.array(fc.nat(120), { maxLength: 10 }), (parts, places) => {
        const text = parts.join("");
        const expected = decode(text);
        assert.deepEqual(decodeAll(new EventDecoder(), cut(Buffer.from(text), places)), expected);
        // The first byte order mark is no part of the text, so a line end may change around it as anywhere.
        assert.deepEqual(decode(text.replace(/\r\n|\r|\n/g, "\r\n")), expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("read the same cut at any one place, and into single bytes", () => {
    const bytes = Buffer.from(
      "\ufeff: c\r\nid: 7\rdata: é\r\ndata: 😀\n\r\nevent: x\ndata\n\n\rretry: 5\r\n\r\ndata: end\r\r",
    );
    const whole = decodeAll(new EventDecoder(), [bytes]);
    assert.equal(whole.length, 3);
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decodeAll(new EventDecoder(), cut(bytes, [at])), whole);
    assert.deepEqual(decodeAll(new EventDecoder(), cut(bytes, [...bytes.keys()])), whole);
  });

  it("random bytes never throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeAll(new EventDecoder(), [bytes])));
  });

  it("take time in proportion to the bytes when they come one by one, read at once or later", () => {
    const bytes = Buffer.from(`data: ${"x".repeat(200_000)}\n\n`);
    for (const atOnce of [true, false]) {
      const decoder = new EventDecoder();
      const begun = performance.now();
      let event: ServerEvent | undefined;
      for (let i = 0; i < bytes.length; i++) {
        decoder.push(bytes.subarray(i, i + 1));
        if (atOnce) event = decoder.next();
      }
      event ??= decoder.next();
      assert.equal(event?.data.length, 200_000);
      // 0.2 s here; quadratic work would take minutes.
      assert.ok(performance.now() - begun < 10_000);
    }
  });
});
