// Content codings and media types that a client accepts: RFC 9110 §12.5.

import { splitUnquoted, trimSpace } from "./http1-syntax.ts";

/** RFC 9110 §12.4.2: a qvalue of zero, and any qvalue. */
const ZERO_WEIGHT = /^0(?:\.0{0,3})?$/;
const WEIGHT = /^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/;

/**
 * True if an Accept-Encoding field of this value asks for gzip: by name (x-gzip is another, §8.4.1.3) or with "*", and not
 * with a weight of zero. False without the field: it allows every coding, but most clients without it understand none.
 */
export function acceptsGzip(acceptEncoding: string | null | undefined): boolean {
  let byName: boolean | undefined;
  let byWildcard = false;
  for (const element of (acceptEncoding ?? "").split(",")) {
    const [coding = "", ...params] = element.split(";").map(trimSpace);
    const name = coding.toLowerCase();
    if (name === "gzip" || name === "x-gzip") byName = (byName ?? true) && isWanted(params);
    else if (name === "*") byWildcard = isWanted(params);
  }
  return byName ?? byWildcard;
}

/**
 * True if an Accept field of this value names `type` (in lower case) with a weight above zero. Ranges (`*\/*`, `text/*`) do
 * not name it. Parameters other than the weight are ignored.
 */
export function acceptsType(accept: string, type: string): boolean {
  return (splitUnquoted(accept, ",") ?? []).some((element) => {
    const [name = "", ...params] = (splitUnquoted(element, ";") ?? []).map(trimSpace);
    return name.toLowerCase() === type && !params.some(isZeroWeight);
  });
}

/** Unlike a coding, a type that is named with a malformed weight counts as asked for, unless the weight is a zero. */
function isZeroWeight(param: string): boolean {
  const at = param.indexOf("=");
  if (at === -1 || trimSpace(param.slice(0, at)).toLowerCase() !== "q") return false;
  const weight = trimSpace(param.slice(at + 1)).replaceAll('"', "");
  return weight !== "" && Number(weight) === 0;
}

/** A missing weight is 1; a malformed weight counts as zero. */
function isWanted(params: readonly string[]): boolean {
  for (const param of params) {
    const at = param.indexOf("=");
    if (at === -1 || trimSpace(param.slice(0, at)).toLowerCase() !== "q") return false;
    const weight = trimSpace(param.slice(at + 1));
    if (!WEIGHT.test(weight) || ZERO_WEIGHT.test(weight)) return false;
  }
  return true;
}
