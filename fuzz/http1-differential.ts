// Sends the same bytes to our server and to node:http: both must parse the same requests, up to the first that either
// refuses, except for intended differences.

import { caseSeed, Findings, type FuzzOptions, type FuzzReport, runCases } from "./cases.ts";
import { type Answer, type Endpoint, isRefused, nodeEndpoint, ourEndpoint } from "./http1-endpoints.ts";
import { type Difference, KNOWN_DIFFERENCES } from "./http1-known-differences.ts";
import { mutatedPipeline, segments } from "./http1-requests.ts";
import { Random } from "./random.ts";

/** Simultaneous connections to each server. */
const PARALLEL = 8;
const MAX_SHRINKS = 300;
/** The statuses of RFC 9110 §15 for requests that cannot be parsed. */
const REFUSALS = new Set([400, 413, 414, 417, 431, 501, 505]);

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const errors: unknown[] = [];
  const findings = new Findings();
  const pair: Pair = { ours: await ourEndpoint(errors), theirs: await nodeEndpoint() };
  const ran = await runCases(options, findings, PARALLEL, async (index) => {
    const seed = caseSeed(options.seed, index);
    const random = new Random(seed);
    const text = mutatedPipeline(random);
    await judge(pair, { text, seed, segments: segments(text, random) }, findings);
    for (const error of errors.splice(0)) findings.fail(`our server reported ${String(error)} near seed ${seed}`);
  });
  await Promise.all([pair.ours.close(), pair.theirs.close()]);
  return findings.report(ran);
}

interface Pair {
  readonly ours: Endpoint;
  readonly theirs: Endpoint;
}

interface Case {
  readonly seed: number;
  readonly text: string;
  readonly segments: readonly string[];
}

async function judge(pair: Pair, sent: Case, findings: Findings): Promise<void> {
  try {
    const difference = await compare(pair, sent.segments);
    if (difference === undefined) return findings.count("same");
    const known = explanation(difference);
    if (known !== undefined) return findings.count(known);
    const minimal = await shrink(pair, sent.segments);
    findings.fail(describe(sent.seed, (await compare(pair, minimal)) ?? difference, minimal));
  } catch (error) {
    findings.fail(`seed ${sent.seed}: ${String(error)}\n  ${JSON.stringify(sent.segments)}`);
  }
}

/** The first difference, or undefined. */
async function compare(pair: Pair, sent: readonly string[]): Promise<Difference | undefined> {
  const [ours, theirs] = await Promise.all([pair.ours.send(sent), pair.theirs.send(sent)]);
  let before: Difference["before"];
  for (let index = 0; ; index++) {
    const a = ours[index];
    const b = theirs[index];
    if (isRefused(a) && (index !== ours.length - 1 || !REFUSALS.has(a.status))) {
      throw new Error(`answered ${a.status} as ${index + 1} of ${ours.length}`);
    }
    // After a refusal or an end by either server there is nothing to compare.
    if ((a === undefined && b === undefined) || (isRefused(a) && isRefused(b))) return undefined;
    if (a === undefined && isRefused(b) && isEnd(b.reason)) return undefined;
    if (JSON.stringify(a) !== JSON.stringify(b)) return { text: sent.join(""), before, ours: a, theirs: b };
    before = a as Difference["before"];
  }
}

/** The codes of node:http for a client that ended too early, or continued after the end. */
function isEnd(reason: string): boolean {
  return reason === "HPE_INVALID_EOF_STATE" || reason === "HPE_CLOSED_CONNECTION";
}

function explanation(difference: Difference): string | undefined {
  return KNOWN_DIFFERENCES.find(({ explains }) => explains(difference))?.name;
}

/** Removes parts as long as an unexplained difference remains. */
async function shrink(pair: Pair, sent: readonly string[]): Promise<readonly string[]> {
  let tries = 0;
  const fails = async (candidate: readonly string[]): Promise<boolean> => {
    if (candidate.length === 0 || tries++ > MAX_SHRINKS) return false;
    const difference = await compare(pair, candidate).catch(() => undefined);
    return difference !== undefined && explanation(difference) === undefined;
  };
  if (!(await fails([sent.join("")]))) return sent;
  let text = sent.join("");
  for (let size = text.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < text.length; ) {
      const shorter = text.slice(0, at) + text.slice(at + size);
      if (await fails([shorter])) text = shorter;
      else at += size;
    }
  }
  return [text];
}

function describe(seed: number, { ours, theirs }: Difference, sent: readonly string[]): string {
  const show = (answer: Answer | undefined): string => (answer === undefined ? "the end" : JSON.stringify(answer));
  return `seed ${seed}: ${JSON.stringify(sent)}\n  ours: ${show(ours)}\n  node: ${show(theirs)}`;
}
