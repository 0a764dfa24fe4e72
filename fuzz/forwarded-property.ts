// Forwarded header fields: whatever a client writes into its own fields, entries appended by the nearest proxy are read
// unchanged, and decoding terminates for every field.

import assert from "node:assert/strict";
import fc from "fast-check";
import { type ForwardedField, forwardedHops, type Hop } from "../src/codec/forwarded.ts";
import type { FuzzOptions, FuzzReport } from "./cases.ts";
import { fuzzProperties, property } from "./property.ts";

const X_FORWARDED: readonly ForwardedField[] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

/** Field values that the HTTP parser accepts and that look like forwarding information. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'for="',
        '"',
        "\\",
        '\\"',
        ",",
        ";",
        "=",
        " ",
        "\t",
        "for=",
        "for=192.0.2.66",
        'for="[2001:db8::1]"',
      ),
      fc.constantFrom("proto=https", "host=evil.example", "by=", "unknown", "_hidden", "[", "]", ":80", "é", "\u00ff"),
      fc.string({ maxLength: 4 }).map((text) => text.replace(/[^\t\x20-\x7e]/g, "")),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join("").trim());

const address = fc.oneof(fc.ipV4(), fc.constantFrom("2001:db8::1", "::1", "2001:db8:a:b:c:d:e:f"));
const scheme = fc.constantFrom("http" as const, "https" as const);
const host = fc.constantFrom("example.com", "example.com:8443", "[::1]:80");

/** RFC 3986 §3.2.2: a host may have commas and semicolons, but no character that would end it in a URL. */
function isHop({ address, scheme, host }: Hop): boolean {
  const isAddress = address === undefined || address === null || /^[0-9a-f:.]+$/.test(address);
  const isScheme = scheme === undefined || scheme === "http" || scheme === "https";
  return isAddress && isScheme && (host === undefined || /^[^\s"\\/@]+$/.test(host));
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  return fuzzProperties(
    {
      "Forwarded: the proxy's own element is the nearest hop": property(
        fc.array(hostile, { maxLength: 3 }),
        fc.boolean(),
        address,
        scheme,
        host,
        (lines, isSameLine, from, proto, asked) => {
          const node = from.includes(":") ? `"[${from}]"` : from;
          const element = `for=${node};proto=${proto};host="${asked}"`;
          const last = lines.at(-1);
          const all =
            isSameLine && last !== undefined && last !== ""
              ? [...lines.slice(0, -1), `${last}, ${element}`]
              : [...lines, element];
          const [nearest, ...others] = forwardedHops(
            all.flatMap((line) => ["Forwarded", line]),
            ["forwarded"],
          );
          assert.deepEqual(nearest, { address: from, scheme: proto, host: asked });
          assert.ok(others.every(isHop));
        },
      ),
      "X-Forwarded-*: the proxy's own values are the nearest hop": property(
        fc.array(hostile, { maxLength: 3 }),
        hostile,
        address,
        scheme,
        (lines, protos, from, proto) => {
          const fields = [...lines, from].flatMap((line) => ["X-Forwarded-For", line]);
          fields.push("x-forwarded-proto", protos, "X-Forwarded-Proto", proto);
          const [nearest, ...others] = forwardedHops(fields, X_FORWARDED);
          assert.equal(nearest?.address, from);
          assert.equal(nearest?.scheme, proto);
          assert.ok(others.every(isHop));
        },
      ),
      "any fields are a list of hops": property(
        fc.array(
          fc.tuple(fc.constantFrom("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"), hostile),
          { maxLength: 8 },
        ),
        fc.constantFrom<readonly ForwardedField[]>(["forwarded"], X_FORWARDED, ["x-forwarded-proto"], []),
        (fields, believed) => {
          const hops = forwardedHops(fields.flat(), believed);
          assert.ok(hops.every(isHop));
        },
      ),
    },
    options,
  );
}
