// Field lists of several sources in one head: RFC 9110 §5.3 allows a name twice only where its values form a list. The later
// source wins; `Set-Cookie` is the exception of that section, and `Vary` is the union of all that an answer depends on.

import { fieldValue, fieldValues } from "./field-values.ts";
import { listOf } from "./http1-syntax.ts";

const ALLOW_ORIGIN = "access-control-allow-origin";

/** The fields of `weak` and `strong`: of a name that both have, those of `strong`; all `Set-Cookie`; one `Vary`. */
export function joinFields(weak: readonly string[], strong: readonly string[]): readonly string[] {
  if (weak.length === 0) return strong;
  if (strong.length === 0) return weak;
  const joined: string[] = [];
  for (let i = 0; i < weak.length; i += 2) {
    const name = weak[i]!;
    if (!hasField(strong, name) || isSetCookie(name)) joined.push(name, weak[i + 1]!);
  }
  joined.push(...strong);
  return hasField(weak, "vary") && hasField(strong, "vary") ? withVary(joined, valuesOf(weak, "vary")) : joined;
}

/** The fields of `fields` whose names are not in `others`, and all `Set-Cookie`. */
export function fieldsBeside(fields: readonly string[], others: readonly string[]): readonly string[] {
  const left: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    if (!hasField(others, name) || isSetCookie(name)) left.push(name, fields[i + 1]!);
  }
  return left.length === fields.length ? fields : left;
}

/** The fields that describe the content of one answer: RFC 9110 §8 and RFC 6266. */
const OF_CONTENT: ReadonlySet<string> = new Set(
  ["type", "encoding", "language", "length", "range", "location", "disposition"].map((what) => `content-${what}`),
);

/** The fields without those that describe content: for an answer that has no content, or has its own. */
export function withoutContentFields(fields: readonly string[]): readonly string[] {
  return withoutNames(fields, OF_CONTENT);
}

/** The fields whose names, in lower case, are not in `names`. */
export function withoutNames(fields: readonly string[], names: ReadonlySet<string>): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (!names.has(fields[i]!.toLowerCase())) kept.push(fields[i]!, fields[i + 1]!);
  }
  return kept.length === fields.length ? fields : kept;
}

/** The fields with one `Vary`, which names `members`, too (RFC 9110 §12.5.5). A `Vary` of "*" stays. */
export function withVary(fields: readonly string[], members: readonly string[]): readonly string[] {
  const named = valuesOf(fields, "vary");
  if (named.includes("*")) return fields;
  const all = [...named];
  for (const member of members) {
    if (!all.some((one) => one.toLowerCase() === member.toLowerCase())) all.push(member);
  }
  if (all.length === named.length && fieldValues(fields, "vary").length === 1) return fields;
  const rest = fieldsBeside(fields, ["Vary", ""]);
  return [...rest, "Vary", all.includes("*") ? "*" : all.join(", ")];
}

/**
 * The fields of a response, and those that let a page of another origin read it. If the application has set
 * `Access-Control-` fields itself, none are added, unless both name the same origin.
 */
export function withCorsFields(fields: readonly string[], page: readonly string[]): readonly string[] {
  const own = fieldValue(fields, ALLOW_ORIGIN);
  if (own === undefined || own === fieldValue(page, ALLOW_ORIGIN)) return joinFields(page, fields);
  return joinFields(
    page.filter((_, i) => !page[i & ~1]!.toLowerCase().startsWith("access-control-")),
    fields,
  );
}

function hasField(fields: readonly string[], name: string): boolean {
  return fieldValue(fields, name.toLowerCase()) !== undefined;
}

function valuesOf(fields: readonly string[], lowerName: string): string[] {
  return fieldValues(fields, lowerName).flatMap(listOf);
}

function isSetCookie(name: string): boolean {
  return name.length === 10 && name.toLowerCase() === "set-cookie";
}
