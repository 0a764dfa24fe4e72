// Sends the same frames, valid and broken, to our server and to ws: both must return the same messages and close code.

import { inflateRawSync } from "node:zlib";
import { MessageDecoder } from "../src/codec/ws-message.ts";
import { caseSeed, Findings, type FuzzOptions, type FuzzReport, runCases } from "./cases.ts";
import { Random } from "./random.ts";
import { type Endpoint, ourEndpoint, SENTINEL, wsEndpoint } from "./websocket-endpoints.ts";
import { frameStream } from "./websocket-frames.ts";
import { MAX_MESSAGE_BYTES } from "./ws-server.ts";

/** Simultaneous connections to each server. */
const PARALLEL = 8;
/** Number of runs in which a difference must occur. Our answers must be the same each time. */
const ATTEMPTS = 6;

/** The first events that differ; `undefined` is the end of the connection. */
interface Difference {
  readonly ours: string | undefined;
  readonly theirs: string | undefined;
  readonly reading: Reading;
  /** All events from our server and from ws. */
  readonly all: readonly [ours: readonly string[], theirs: readonly string[]];
}

/** Our decoder's result for the bytes, without a connection. */
interface Reading {
  /** The reason for which it refuses them; "" if it does not. */
  readonly why: string;
  /** The last byte is the reason for the refusal. */
  readonly isLastByte: boolean;
  /** The code of the client's close frame; 0 if none is complete. */
  readonly closeCode: number;
  /** permessage-deflate was agreed. */
  readonly isCompressed: boolean;
  /** Complete compressed messages before that. */
  readonly compressed: readonly Uint8Array[];
}

interface KnownDifference {
  readonly name: string;
  readonly explains: (difference: Difference) => boolean;
}

const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    // RFC 6455 §5.2: the minimal number of bytes MUST be used. ws does not check this.
    name: "length-not-minimal",
    explains: ({ ours, reading: { why } }) => ours === "close 1002" && why.includes("the length is not minimal"),
  },
  {
    // RFC 6455 §5.2: the most significant bit MUST be 0. To ws it is a message that is too big.
    name: "length-first-bit",
    explains: ({ ours, theirs, reading: { why } }) =>
      ours === "close 1002" && theirs === "close 1009" && why.includes("the length's first bit is set"),
  },
  {
    // The first byte of a frame is enough to refuse it. ws waits for the second.
    name: "first-byte",
    explains: ({ ours, theirs, reading }) =>
      ours === "close 1002" && theirs === undefined && reading.isLastByte && reading.why !== "",
  },
  {
    // Nothing is said of a frame of which the header, or a control frame's payload, has not come whole. ws does not wait.
    name: "cut-off",
    explains: ({ ours, theirs, reading }) =>
      ours === undefined && /^close (1002|1009)$/.test(theirs ?? "") && reading.why === "" && reading.closeCode === 0,
  },
  {
    // RFC 6455 §8.1: text that cannot become UTF-8 any more fails at once. ws looks when the message is whole, and may
    // see something else that is wrong before, or the end.
    name: "utf8-fails-fast",
    explains: ({ ours, theirs, reading: { why } }) =>
      ours === "close 1007" && why.includes("UTF-8") && (theirs === undefined || /^(pong|close) /.test(theirs)),
  },
  {
    // RFC 7692 §7.2.2: a message is inflated when it is whole. ws inflates frame by frame, and fails at the first.
    name: "inflated-by-frame",
    explains: ({ ours, theirs, reading: { isCompressed } }) =>
      isCompressed && /^close (1007|1009)$/.test(theirs ?? "") && !/^(text|binary) /.test(ours ?? ""),
  },
  {
    // RFC 7692 §7.2: a message ends at a block's end, and §7.2.3.4: blocks may follow one that is marked as the last. ws
    // delivers the data of an incomplete block, and ignores bytes after the last one.
    name: "deflate-not-whole",
    explains: ({ ours, theirs, reading: { compressed } }) =>
      ours === "close 1007" && /^(text|binary) /.test(theirs ?? "") && compressed.some((data) => !isWhole(data)),
  },
];

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const errors: unknown[] = [];
  const findings = new Findings();
  const ours = await ourEndpoint(errors);
  const theirs = await wsEndpoint();
  const ran = await runCases(options, findings, PARALLEL, async (index) => {
    const seed = caseSeed(options.seed, index);
    const random = new Random(seed);
    const compressed = random.chance(0.3);
    const segments = frameStream(random, compressed);
    const sent = `seed ${seed}${compressed ? ", compressed" : ""}: ${segments
      .map((part) => part.toString("hex"))
      .join(" ")
      .slice(0, 2000)}`;
    try {
      const verdict = await judge(ours, theirs, segments, compressed);
      if (typeof verdict === "string") findings.count(verdict);
      else findings.fail(`${sent}\n  ours: ${show(verdict.all[0])}\n  ws:   ${show(verdict.all[1])}`);
    } catch (error) {
      findings.fail(`${sent}\n  ${String(error)}`);
    }
    for (const error of errors.splice(0)) findings.fail(`our server reported ${String(error)} near ${sent}`);
  });
  await Promise.all([ours.close(), theirs.close()]);
  return findings.report(ran);
}

/** The name of a known difference, or an unexplained one. */
async function judge(
  ours: Endpoint,
  theirs: Endpoint,
  segments: readonly Buffer[],
  compressed: boolean,
): Promise<string | Difference> {
  let first: string | undefined;
  for (let attempt = 1; ; attempt++) {
    const [a, b] = await Promise.all([
      ours.send(segments, compressed, attempt),
      theirs.send(segments, compressed, attempt),
    ]);
    if (a === undefined) throw new Error("our server fell");
    first ??= JSON.stringify(a);
    if (JSON.stringify(a) !== first) throw new Error(`our answers change: ${first}, ${JSON.stringify(a)}`);
    if (b === undefined) return "ws fell";
    const at = a.findIndex((event, index) => event !== b[index]);
    if (at === -1 && a.length === b.length) return attempt === 1 ? "same" : "ws is unsteady";
    const index = at === -1 ? a.length : at;
    const difference = { ours: a[index], theirs: b[index], reading: read(segments, compressed), all: [a, b] } as const;
    const known = KNOWN_DIFFERENCES.find(({ explains }) => explains(difference));
    if (known !== undefined) return known.name;
    // ws inflates outside of the loop, and sometimes continues to read after an error.
    if (attempt === ATTEMPTS) return difference;
  }
}

function read(segments: readonly Buffer[], isCompressed: boolean): Reading {
  const bytes = Buffer.concat(isCompressed ? [...segments, SENTINEL] : segments);
  const compressed: Uint8Array[] = [];
  const decoder = new MessageDecoder(
    { maxMessageBytes: MAX_MESSAGE_BYTES, maxFragments: Number.POSITIVE_INFINITY },
    { masked: true, allowRsv1: isCompressed },
  );
  let at = 0;
  let closeCode = 0;
  try {
    for (; at < bytes.length; at++) {
      decoder.push(Uint8Array.of(bytes[at]!));
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        if (event.type === "compressed") compressed.push(event.data);
        else if (event.type === "close") closeCode = event.code;
      }
    }
    return { why: "", isLastByte: false, closeCode, isCompressed, compressed };
  } catch (error) {
    return { why: String(error), isLastByte: at === bytes.length - 1, closeCode, isCompressed, compressed };
  }
}

function show(events: readonly string[]): string {
  return JSON.stringify(events.map((event) => event.slice(0, 40)));
}

/** Whether the blocks of a compressed message end where it ends, and no block before is marked as the last. */
function isWhole(data: Uint8Array): boolean {
  const blocks = Buffer.concat([data, Buffer.from("0000ffff", "hex"), Buffer.from("010000ffff", "hex")]);
  try {
    const { engine } = inflateRawSync(blocks, { info: true }) as unknown as { engine: { bytesWritten: number } };
    return engine.bytesWritten === blocks.length;
  } catch {
    return false;
  }
}
