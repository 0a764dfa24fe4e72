// Runs properties of fast-check as a fuzzer: many cases from one seed, and the smallest counterexample of each that fails.

import fc from "fast-check";
import { Findings, type FuzzOptions, type FuzzReport } from "./cases.ts";

/** Properties that must hold, by name. */
export type Properties = Readonly<Record<string, fc.IProperty<never>>>;

/** Hides the types of a property's arguments, which do not matter here. */
export function property<T extends [unknown, ...unknown[]]>(
  ...args: [...arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }, predicate: (...args: T) => void]
): fc.IProperty<never> {
  return fc.property(...args) as unknown as fc.IProperty<never>;
}

/** Divides cases and minutes equally among the properties. */
export async function fuzzProperties(properties: Properties, options: FuzzOptions): Promise<FuzzReport> {
  const { seed, cases, minutes } = options;
  const findings = new Findings();
  const all = Object.entries(properties);
  let ran = 0;
  for (const [name, one] of all) {
    const details = await fc.check(one, {
      seed: seed | 0,
      numRuns: cases === undefined ? 1_000_000_000 : Math.ceil(cases / all.length),
      ...(minutes === undefined ? {} : { interruptAfterTimeLimit: (minutes * 60_000) / all.length }),
    });
    ran += details.numRuns;
    findings.count(name, details.numRuns);
    if (details.failed) findings.fail(`${name}: ${fc.defaultReportMessage(details)}`);
  }
  return findings.report(ran);
}

/** Cuts `bytes` at arbitrary positions, each part in separate memory. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const to of [...sorted, bytes.length]) {
    parts.push(Uint8Array.from(bytes.subarray(from, to)));
    from = to;
  }
  return parts;
}

export const places: fc.Arbitrary<number[]> = fc.array(fc.nat(), { maxLength: 6 });

/** Mutations of bytes: at a position, a byte is changed, removed or inserted. */
export const mutations: fc.Arbitrary<[number, number, "change" | "remove" | "insert"][]> = fc.array(
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom("change", "remove", "insert")),
  { maxLength: 4 },
);

export function mutate(
  bytes: Uint8Array,
  list: readonly [number, number, "change" | "remove" | "insert"][],
): Uint8Array {
  const result = [...bytes];
  for (const [where, value, how] of list) {
    const at = where % (result.length + 1);
    if (how === "insert") result.splice(at, 0, value);
    else if (how === "remove") result.splice(at, 1);
    else if (at < result.length) result[at]! ^= value;
  }
  return Uint8Array.from(result);
}
