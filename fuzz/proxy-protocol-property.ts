// PROXY headers: a proxy's header is read, and the bytes after it are untouched; cutting the bytes does not change the result;
// broken headers are refused, never read as something else.

import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { ChannelError } from "../src/base/errors.ts";
import { ProxyProtocolDecoder, type ProxyProtocolHeader } from "../src/codec/proxy-protocol.ts";
import type { FuzzOptions, FuzzReport } from "./cases.ts";
import { cut, fuzzProperties, mutate, mutations, places, property } from "./property.ts";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

type Read = { readonly header: ProxyProtocolHeader | "incomplete" | "refused"; readonly rest: string };

function read(parts: readonly Uint8Array[]): Read {
  const decoder = new ProxyProtocolDecoder();
  let header: ProxyProtocolHeader | "incomplete" | "refused" = "incomplete";
  const behind: Uint8Array[] = [];
  for (const part of parts) {
    if (header !== "incomplete") {
      behind.push(part);
      continue;
    }
    decoder.push(part);
    try {
      header = decoder.next() ?? "incomplete";
    } catch (error) {
      if (!(error instanceof ChannelError) || error.code !== "BAD_REQUEST") throw error;
      return { header: "refused", rest: "" };
    }
    if (header !== "incomplete") behind.push(decoder.takeRest() ?? new Uint8Array(0));
  }
  return { header, rest: Buffer.concat(behind).toString("latin1") };
}

interface Sent {
  readonly header: ProxyProtocolHeader;
  readonly bytes: Uint8Array;
}

const port = fc.integer({ min: 0, max: 65_535 });
const tails = fc.uint8Array({ maxLength: 60 });

const lines: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4(), port, port).map(([source, destination, from, to]) => ({
    header: { sourceAddress: source, sourcePort: from, destinationAddress: destination, destinationPort: to },
    bytes: Buffer.from(`PROXY TCP4 ${source} ${destination} ${from} ${to}\r\n`),
  })),
  fc.string({ maxLength: 60 }).map((text) => ({
    header: "unknown" as const,
    bytes: Buffer.from(`PROXY UNKNOWN ${text.replace(/[^ -~]/g, "")}\r\n`),
  })),
);

const binaries: fc.Arbitrary<Sent> = fc.oneof(
  fc.tuple(fc.ipV4(), fc.ipV4(), port, port, tails).map(([source, destination, from, to, more]) => {
    const bytes = Buffer.alloc(16 + 12);
    SIGNATURE.copy(bytes);
    bytes.set([0x21, 0x11, 0, 12 + more.length], 12);
    bytes.set([...source.split(".").map(Number), ...destination.split(".").map(Number)], 16);
    bytes.writeUInt16BE(from, 24);
    bytes.writeUInt16BE(to, 26);
    return {
      header: { sourceAddress: source, sourcePort: from, destinationAddress: destination, destinationPort: to },
      bytes: Buffer.concat([bytes, more]),
    };
  }),
  tails.map((more) => ({
    header: "local" as const,
    bytes: Buffer.concat([SIGNATURE, Uint8Array.of(0x20, 0, 0, more.length), more]),
  })),
);

/** Holds for every header that is accepted. */
function isSound({ header }: Read): boolean {
  if (typeof header === "string") return true;
  const { sourceAddress, destinationAddress, sourcePort, destinationPort } = header;
  const addresses = [sourceAddress, destinationAddress];
  const isPort = (number: number): boolean => Number.isInteger(number) && number >= 0 && number <= 65_535;
  return addresses.every((text) => isIPv4(text) || isIPv6(text)) && isPort(sourcePort) && isPort(destinationPort);
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  return fuzzProperties(
    {
      "a header is read as it was written, and what follows it is left alone": property(
        fc.oneof(lines, binaries),
        tails,
        places,
        ({ header, bytes }, rest, at) => {
          const found = read(cut(Buffer.concat([bytes, rest]), at));
          assert.deepEqual(found, { header, rest: Buffer.from(rest).toString("latin1") });
        },
      ),
      "a broken header is refused, or is sound; the same wherever it is cut": property(
        fc.oneof(lines, binaries),
        mutations,
        places,
        ({ bytes }, list, at) => {
          const broken = mutate(Buffer.concat([bytes, Buffer.from("GET / HTTP/1.1\r\n")]), list);
          const whole = read([Uint8Array.from(broken)]);
          assert.ok(isSound(whole));
          assert.deepEqual(read(cut(broken, at)), whole);
        },
      ),
      "any bytes are a header or none": property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.uint8Array({ maxLength: 50 }).map((more) => Buffer.concat([SIGNATURE, more])),
        ),
        places,
        (bytes, at) => {
          const whole = read([Uint8Array.from(bytes)]);
          assert.ok(isSound(whole));
          assert.deepEqual(read(cut(bytes, at)), whole);
        },
      ),
    },
    options,
  );
}
