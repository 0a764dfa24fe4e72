import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { createGunzip, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { latin1 } from "../../../src/base/bytes.ts";
import type { ResponseHead } from "../../../src/codec/http1-response.ts";
import { type CompressOptions, toCompressSettings } from "../../../src/transport/compression/deflate.ts";
import { GzipResponse } from "../../../src/transport/compression/gzip.ts";
import type { Exchange } from "../../../src/transport/exchange.ts";
import { toHex } from "../../support/hex.ts";

/** The calls of an exchange, in order. */
interface Told {
  respond?: { status: number; fields: string; body: string | Uint8Array | null };
  start?: { status: number; fields: string; length: number | undefined };
  write?: Uint8Array | string;
  end?: true;
  abort?: true;
}

interface Case {
  readonly method?: string;
  readonly acceptEncoding?: string | undefined;
  readonly options?: CompressOptions;
}

function make({ method = "GET", acceptEncoding = "gzip", options = {} }: Case = {}): {
  gzip: GzipResponse;
  told: Told[];
  inner: Exchange;
} {
  const told: Told[] = [];
  const flat = ({ status, fields }: ResponseHead): { status: number; fields: string } => ({
    status,
    fields: fields.map((text, i) => text + (i % 2 === 0 ? ": " : i === fields.length - 1 ? "" : "\n")).join(""),
  });
  const inner = {
    head: { method, fields: acceptEncoding === "" ? [] : ["Accept-Encoding", acceptEncoding] },
    respond: (head: ResponseHead, body: string | Uint8Array | null) => told.push({ respond: { ...flat(head), body } }),
    start(head: ResponseHead, length?: number) {
      told.push({ start: { ...flat(head), length } });
      return method !== "HEAD" && head.status !== 204;
    },
    write: (part: string | Uint8Array) => told.push({ write: part }),
    end: () => told.push({ end: true }),
    abort: () => told.push({ abort: true }),
  } as unknown as Exchange;
  return { gzip: new GzipResponse(inner, toCompressSettings(options, { contextTakeover: true })), told, inner };
}

function written(told: readonly Told[]): Uint8Array {
  return Buffer.concat(told.flatMap(({ write }) => (write === undefined ? [] : [Buffer.from(write as Uint8Array)])));
}

const LONG = "a long answer, ".repeat(100);

describe("GzipResponse: answers in one piece", () => {
  it("RFC 9110 §8.4: are compressed, and say so", () => {
    const { gzip, told } = make();
    gzip.respond({ status: 200, fields: ["Content-Type", "text/plain"] }, LONG);
    const { fields, body, status } = told[0]!.respond!;
    assert.equal(fields, "Content-Type: text/plain\nVary: Accept-Encoding\nContent-Encoding: gzip");
    assert.equal(status, 200);
    assert.equal(gunzipSync(body as Uint8Array).toString(), LONG);
    assert.ok(body!.length < 100);
  });

  it("RFC 9110 §12.5.5: have a Vary field, even if they are not compressed", () => {
    const fields = (vary: string[], acceptEncoding?: string): string => {
      const { gzip, told } = make({ acceptEncoding });
      gzip.respond({ status: 200, fields: vary }, "short");
      return told[0]!.respond!.fields;
    };
    assert.equal(fields([]), "Vary: Accept-Encoding");
    assert.equal(fields([], "br"), "Vary: Accept-Encoding");
    assert.equal(fields(["Vary", "Origin"]), "Vary: Origin, Accept-Encoding");
    assert.equal(fields(["vary", "Origin, accept-encoding"]), "vary: Origin, accept-encoding");
    assert.equal(fields(["Vary", "*"]), "Vary: *");
  });

  const plain: [string, Case, ResponseHead, string | Uint8Array | null][] = [
    ["below the threshold", {}, { status: 200, fields: [] }, "a".repeat(1023)],
    ["for a client that does not ask", { acceptEncoding: "" }, { status: 200, fields: [] }, LONG],
    ["for one that refuses", { acceptEncoding: "gzip;q=0" }, { status: 200, fields: [] }, LONG],
    ["that have a coding already", {}, { status: 200, fields: ["content-encoding", "br"] }, LONG],
    ["that are a part (RFC 9110 §14.4)", {}, { status: 206, fields: [] }, LONG],
    ["without a body", {}, { status: 204, fields: [] }, null],
    ["whose status has none", {}, { status: 304, fields: [] }, LONG],
    ["that do not get smaller", {}, { status: 200, fields: [] }, randomBytes(2000)],
  ];
  for (const [what, kind, head, body] of plain) {
    it(`stay as they are ${what}`, () => {
      const { gzip, told } = make(kind);
      gzip.respond(head, body);
      assert.doesNotMatch(told[0]!.respond!.fields, /gzip/);
      assert.deepEqual(told[0]!.respond!.body, body);
    });
  }

  it("RFC 9110 §9.3.2: for HEAD have the same fields, and no work is done", () => {
    const { gzip, told } = make({ method: "HEAD" });
    gzip.respond({ status: 200, fields: ["Content-Length", "1500"] }, LONG);
    assert.deepEqual(told, [
      { start: { status: 200, fields: "Vary: Accept-Encoding\nContent-Encoding: gzip", length: undefined } },
    ]);
  });

  it("RFC 9110 §8.8.3.3: have a weak validator; the length of what was not compressed is dropped", () => {
    const { gzip, told } = make();
    gzip.respond({ status: 200, fields: ["ETag", '"1"', "Content-Length", "1500"] }, LONG);
    assert.equal(told[0]!.respond!.fields, 'ETag: W/"1"\nVary: Accept-Encoding\nContent-Encoding: gzip');
    gzip.respond({ status: 200, fields: ["ETag", 'W/"1"'] }, LONG);
    assert.match(told[1]!.respond!.fields, /^ETag: W\/"1"\n/);
  });

  it("are the caller's error where they are", () => {
    const { gzip, inner } = make();
    inner.respond = () => assert.fail("BAD_HEADER");
    assert.throws(() => gzip.respond({ status: 200, fields: [] }, LONG), /BAD_HEADER/);
  });
});

describe("GzipResponse: streams", () => {
  it("RFC 1952 §2.3: are one gzip file, whose declared length is dropped", () => {
    const { gzip, told } = make();
    assert.equal(gzip.start({ status: 200, fields: ["Content-Type", "text/event-stream"] }, 1500), true);
    gzip.write("data: 1\n\n");
    gzip.write("");
    gzip.write(Buffer.from("data: 2\n\n"));
    gzip.end();
    assert.deepEqual(told[0]!.start, {
      status: 200,
      fields: "Content-Type: text/event-stream\nVary: Accept-Encoding\nContent-Encoding: gzip",
      length: undefined,
    });
    assert.equal(told.length, 5);
    assert.equal(told[4]!.end, true);
    assert.equal(toHex((told[1]!.write as Uint8Array).subarray(0, 10)), "1f8b08000000000000ff");
    assert.equal(gunzipSync(written(told)).toString(), "data: 1\n\ndata: 2\n\n");
  });

  it("a stream without a byte is an empty gzip file", () => {
    const { gzip, told } = make();
    gzip.start({ status: 200, fields: [] });
    gzip.end();
    assert.equal(toHex(written(told)), "1f8b08000000000000ff 0300 00000000 00000000".replaceAll(" ", ""));
    assert.equal(gunzipSync(written(told)).length, 0);
  });

  it("stay as they are for a client that does not ask, with their length", () => {
    const { gzip, told } = make({ acceptEncoding: "identity" });
    gzip.start({ status: 200, fields: [] }, 3);
    gzip.write("abc");
    gzip.end();
    assert.deepEqual(told, [
      { start: { status: 200, fields: "Vary: Accept-Encoding", length: 3 } },
      { write: "abc" },
      { end: true },
    ]);
  });

  it("a stream for HEAD is complete with its head", () => {
    const { gzip, told } = make({ method: "HEAD" });
    assert.equal(gzip.start({ status: 200, fields: [] }), false);
    gzip.end();
    assert.deepEqual(
      told.map((one) => Object.keys(one)[0]),
      ["start", "end"],
    );
  });

  it("an aborted stream has no end", () => {
    const { gzip, told, inner } = make();
    gzip.start({ status: 200, fields: [] });
    gzip.write("abc");
    inner.abort();
    assert.throws(() => gunzipSync(written(told)), { code: "Z_BUF_ERROR" });
  });

  for (const contextTakeover of [true, false]) {
    it(`give each part at once, whatever it is, contextTakeover ${contextTakeover}`, async () => {
      const partArbitrary = fc.oneof(
        fc.string({ unit: "grapheme", maxLength: 200 }),
        fc.uint8Array({ maxLength: 200 }),
        fc.lorem({ mode: "sentences", maxCount: 30 }),
      );
      const optionsArbitrary = fc.record({
        contextTakeover: fc.constant(contextTakeover),
        windowBits: fc.integer({ min: 8, max: 15 }),
        thresholdBytes: fc.constantFrom(0, 100, 1024),
        level: fc.integer({ min: 1, max: 9 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(partArbitrary, { maxLength: 10 }), optionsArbitrary, async (parts, options) => {
          const { gzip, told } = make({ options });
          const gunzip = createGunzip();
          gzip.start({ status: 200, fields: [] });
          for (const part of parts) {
            const before = told.length;
            gzip.write(part);
            if (part.length === 0) continue;
            assert.equal(told.length, before + 1);
            // All of the part is there before anything that comes behind it.
            const seen = await pushed(gunzip, told.at(-1)!.write as Uint8Array);
            assert.equal(latin1(seen), latin1(Buffer.from(part as string)));
          }
          gzip.end();
          gunzip.close();
          assert.equal(
            latin1(gunzipSync(written(told))),
            parts.map((part) => latin1(Buffer.from(part as string))).join(""),
          );
        }),
        { numRuns: 40 },
      );
    });
  }

  it("parts of more than 64 KiB that are not compressed are stored in several blocks", () => {
    const { gzip, told } = make({ options: { thresholdBytes: 1 << 20 } });
    gzip.start({ status: 200, fields: [] });
    const part = randomBytes(200_000);
    gzip.write(part);
    gzip.end();
    assert.ok(part.equals(gunzipSync(written(told))));
    assert.equal(written(told).length, 10 + part.length + 4 * 5 + 10);
  });

  it("members of a group share one compressed event where no context is taken over", () => {
    const options: CompressOptions = { contextTakeover: false };
    const bodies = [make({ options }), make({ options })].map(({ gzip, told }) => {
      gzip.start({ status: 200, fields: [] });
      gzip.write("first");
      gzip.write(LONG);
      gzip.end();
      return told;
    });
    assert.equal(gunzipSync(written(bodies[0]!)).toString(), `first${LONG}`);
    assert.deepEqual(bodies[0], bodies[1]);
  });

  it("bytes that the application changes and writes again in the same turn go out as they are then", () => {
    const { gzip, told } = make({ options: { contextTakeover: false } });
    const bytes = Buffer.from(LONG);
    gzip.start({ status: 200, fields: [] });
    gzip.write(bytes);
    bytes.fill("b");
    gzip.write(bytes);
    gzip.end();
    assert.equal(gunzipSync(written(told)).toString(), LONG + "b".repeat(LONG.length));
  });

  it("small events that resemble each other shrink where context is taken over", () => {
    const size = (options: CompressOptions): number => {
      const { gzip, told } = make({ options });
      gzip.start({ status: 200, fields: [] });
      for (let i = 0; i < 100; i++) gzip.write(`data: {"type":"trade","symbol":"ABC","price":${i * 17}}\n\n`);
      return written(told).length;
    };
    assert.ok(size({}) * 3 < size({ contextTakeover: false }));
  });
});

/** Resolves with the output of a decoder for these bytes alone. */
function pushed(gunzip: ReturnType<typeof createGunzip>, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gunzip.once("error", reject);
    gunzip.write(bytes, () => {
      gunzip.removeListener("error", reject);
      const parts: Uint8Array[] = [];
      for (let part = gunzip.read() as Uint8Array | null; part !== null; part = gunzip.read()) parts.push(part);
      resolve(Buffer.concat(parts));
    });
  });
}
