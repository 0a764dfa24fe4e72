// Values that options do not allow, for tables of option × values.

export const NOT_A_NUMBER: number = Number.NaN;
export const INFINITE: number = Number.POSITIVE_INFINITY;

// biome-ignore lint/suspicious/noExplicitAny: options as plain JavaScript may pass them
export type Loose = any;

export type Table = Readonly<Record<string, readonly unknown[]>>;

export const NO_AMOUNT: readonly unknown[] = [NOT_A_NUMBER, -1, "5", null, true, {}, 5n];
export const NO_BOOLEAN: readonly unknown[] = ["yes", 0, 1, null, {}];
export const NO_FUNCTION: readonly unknown[] = [5, "x", null, {}, true];
export const NO_OBJECT: readonly unknown[] = [5, "x", null, true, []];
export const NO_STRING: readonly unknown[] = [5, null, {}, true, Symbol("s")];
export const NO_HEADERS: readonly unknown[] = [
  5,
  "a: b",
  null,
  Promise.resolve({}),
  ["a"],
  [["a"]],
  () => ({}),
  { a: {} },
  { a: () => "b" },
  [["a", {}]],
];

/** An object whose text cannot be had: an error that names it must not fail itself. */
const UNPRINTABLE = {
  toString(): string {
    throw new Error("printed");
  },
};

/** Each option with each of its bad values. */
export function* each(table: Table): Generator<[name: string, value: unknown, text: string]> {
  for (const [name, values] of Object.entries(table)) {
    for (const value of [...values, UNPRINTABLE]) yield [name, value, textOf(value)];
  }
}

function textOf(value: unknown): string {
  if (value === UNPRINTABLE) return "an object without a text";
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return `${Object.getPrototypeOf(value)?.constructor?.name} ${Object.keys(value)}`;
  }
  return Array.isArray(value) ? `[${value.map(String)}]` : typeof value === "string" ? `"${value}"` : String(value);
}
