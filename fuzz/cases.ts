// Shared by all fuzzers: options for the length of a run, and its report.

export interface FuzzOptions {
  /** The same seed gives the same cases. */
  readonly seed: number;
  /** The run ends after this number of cases … */
  readonly cases?: number;
  /** … or after this number of minutes. */
  readonly minutes?: number;
}

export interface FuzzReport {
  readonly cases: number;
  /** The number of occurrences of each named thing. */
  readonly counts: ReadonlyMap<string, number>;
  /** Each failure, with the data that reproduces it. */
  readonly failures: readonly string[];
}

/** A run ends after this number of failures. */
const MAX_FAILURES = 10;

/** Collects the report of one run. */
export class Findings {
  readonly counts: Map<string, number> = new Map();
  readonly failures: string[] = [];

  count(name: string, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  fail(what: string): void {
    if (this.failures.length < MAX_FAILURES) this.failures.push(what);
  }

  report(cases: number): FuzzReport {
    const counts = new Map([...this.counts].sort(([, a], [, b]) => b - a));
    return { cases, counts, failures: this.failures };
  }
}

/** Runs `one` for 0, 1, 2, … with `parallel` at a time, until the limit in the options; returns the number of runs. */
export async function runCases(
  { cases, minutes }: FuzzOptions,
  findings: Findings,
  parallel: number,
  one: (index: number) => Promise<void>,
): Promise<number> {
  const end = minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + minutes * 60_000;
  const most = cases ?? (minutes === undefined ? 1000 : Number.POSITIVE_INFINITY);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < most && Date.now() < end && findings.failures.length < MAX_FAILURES) await one(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return next;
}

/** Derives unrelated seeds for neighbouring cases. */
export function caseSeed(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e3779b1) + Math.imul(index + 1, 0x85ebca6b)) >>> 0;
}
