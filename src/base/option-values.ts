// Checks of the values of options, for all functions that take options. A wrong value is refused where it is given; the error
// names the option, the value and the values that are allowed. The options of a function are a table with a check for each name.

import { badOption, badValue, show } from "./bad-option.ts";
import { checkOptionNames } from "./option-names.ts";

export { badOption, badValue, show };

/** Throws BAD_OPTION for a value that is not allowed. `name` is the option as the application knows it. */
export type ValueCheck = (name: string, value: unknown) => void;

/** All options of a function. */
export type OptionTable = Readonly<Record<string, ValueCheck>>;

/**
 * Throws BAD_OPTION if `options` is not an object, has a name that is not in `table`, or a value that its check refuses. An
 * option that is undefined is not given; null is a value, and is refused.
 *
 * @param owner the function whose options these are, for the error's text
 * @param prefix prefix of a name in the error's text, for an option of an option
 */
export function checkOptions(owner: string, options: unknown, table: OptionTable, prefix = ""): void {
  // Some options are given with each message: the list of names is built only for an error.
  if (!hasOnly(options, table)) checkOptionNames(owner, options, Object.keys(table));
  checkValues(options as object, table, prefix);
}

function hasOnly(options: unknown, table: OptionTable): boolean {
  if (typeof options !== "object" || options === null || Array.isArray(options)) return false;
  for (const name in options) if (!Object.hasOwn(table, name)) return false;
  return true;
}

/** Checks the values alone, for an object that may have other properties. */
export function checkValues(options: object, table: OptionTable, prefix = ""): void {
  const values = options as Readonly<Record<string, unknown>>;
  for (const name in table) {
    const value = values[name];
    if (value !== undefined) table[name]!(prefix + name, value);
  }
}

/** Checks bytes, milliseconds, or a number of things. Infinity switches a limit off. */
export function checkAmount(name: string, value: unknown): asserts value is number {
  if (typeof value !== "number" || !(value >= 0)) throw badValue(name, value, "a number, 0 or more");
}

/** Checks a span of time that has to pass. */
export function checkFinite(name: string, value: unknown): asserts value is number {
  if (typeof value !== "number" || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw badValue(name, value, "a finite number, 0 or more");
  }
}

export function checkInteger(least: number, most: number): ValueCheck {
  return (name, value) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
    throw badValue(name, value, `an integer from ${least} to ${most}`);
  };
}

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== "boolean") throw badValue(name, value, "true or false");
}

export function checkString(name: string, value: unknown): void {
  if (typeof value !== "string") throw badValue(name, value, "a string");
}

export function checkFilledString(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "") throw badValue(name, value, "a string that is not empty");
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw badValue(name, value, "a function");
}

export function checkOneOf(...allowed: readonly string[]): ValueCheck {
  return (name, value) => {
    if (allowed.some((one) => one === value)) return;
    throw badValue(name, value, allowed.map((one) => JSON.stringify(one)).join(" or "));
  };
}

/** Checks a list of different strings, each of which `isOne` accepts. `what`: plural noun for them. */
export function checkList(what: string, isOne: (text: string) => boolean): ValueCheck {
  return (name, value) => {
    if (!Array.isArray(value)) {
      const instead = typeof value === "string" ? `: write [${JSON.stringify(value)}]` : "";
      throw badValue(name, value, `a list of ${what}${instead}`);
    }
    for (const [index, one] of value.entries()) {
      if (typeof one !== "string" || !isOne(one)) throw badValue(`${name}[${index}]`, one, `one of ${what}`);
      if (value.indexOf(one) !== index) throw badOption(`${name} has ${show(one)} twice; write it once`);
    }
  };
}

/** Checks an object that has all of these methods. `what`: noun for it, with its article. */
export function checkMethods(what: string, methods: readonly string[]): ValueCheck {
  return (name, value) => {
    if ((typeof value !== "object" || value === null) && typeof value !== "function") throw badValue(name, value, what);
    for (const method of methods) {
      if (typeof (value as Readonly<Record<string, unknown>>)[method] === "function") continue;
      throw badOption(`${name} has no method ${method}; it must be ${what}`);
    }
  };
}

/** Returns true for an object literal: an instance of a class is not meant as options. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
