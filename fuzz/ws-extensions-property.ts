// Offers of permessage-deflate: RFC 7692 §7.1 lets the client accept the answer to any offer.

import assert from "node:assert/strict";
import fc from "fast-check";
import { ChannelError } from "../src/base/errors.ts";
import {
  type DeflateAgreement,
  type ExtensionOffer,
  negotiateDeflate,
  parseExtensions,
} from "../src/codec/ws-extensions.ts";
import type { FuzzOptions, FuzzReport } from "./cases.ts";
import { fuzzProperties, property } from "./property.ts";

const PARAMETERS = [
  "server_no_context_takeover",
  "client_no_context_takeover",
  "server_max_window_bits",
  "client_max_window_bits",
];

const bits = fc.oneof(fc.integer({ min: 7, max: 16 }).map(String), fc.constantFrom("08", '"10"', "", "x", '"', '"9'));
const parameter = fc
  .tuple(fc.constantFrom(...PARAMETERS, "unknown"), fc.option(bits))
  .map(([name, value]) => (value === null ? name : `${name}=${value}`));
const offer = fc
  .tuple(fc.constantFrom("permessage-deflate", "x-other"), fc.array(parameter, { maxLength: 4 }))
  .map(([name, parameters]) => [name, ...parameters].join("; "));
const field = fc.oneof(
  fc.array(offer, { maxLength: 4 }).map((offers) => offers.join(", ")),
  fc.string({ maxLength: 30 }),
  fc
    .array(fc.constantFrom(",", ";", "=", '"', "\\", " ", "\t", "permessage-deflate", "a"), { maxLength: 12 })
    .map((parts) => parts.join("")),
);
const wishes = fc.record({ contextTakeover: fc.boolean(), windowBits: fc.integer({ min: 8, max: 15 }) });

/** The offers, or undefined if the field is malformed. */
function parsed(text: string): ExtensionOffer[] | undefined {
  try {
    return parseExtensions(text);
  } catch (error) {
    if (error instanceof ChannelError && error.code === "BAD_HANDSHAKE") return undefined;
    throw error;
  }
}

/** Returns true if a client with this offer accepts this answer (§7.1). */
function isAcceptable({ name, params }: ExtensionOffer, { answer, parameters }: DeflateAgreement): boolean {
  const [answered, ...list] = parseExtensions(answer).flatMap((one) => [one.name, ...one.params]);
  const offered = new Map(params);
  const response = new Map(list as [string, string | undefined][]);
  if (name !== "permessage-deflate" || answered !== name || offered.size !== params.length) return false;
  if (list.length !== response.size || ![...response.keys()].every((key) => PARAMETERS.includes(key))) return false;
  const bitsOf = (map: ReadonlyMap<string, string | undefined>, key: string): number => Number(map.get(key) ?? 15);
  const server = bitsOf(response, "server_max_window_bits");
  const client = bitsOf(response, "client_max_window_bits");
  return (
    (!offered.has("server_no_context_takeover") || response.has("server_no_context_takeover")) &&
    (!offered.has("server_max_window_bits") || response.has("server_max_window_bits")) &&
    server <= bitsOf(offered, "server_max_window_bits") &&
    server >= 8 &&
    // §7.1.2.2: a value in the offer binds the client even if the answer does not repeat it.
    (!response.has("client_max_window_bits") ||
      (offered.has("client_max_window_bits") && client <= bitsOf(offered, "client_max_window_bits"))) &&
    client >= 8 &&
    parameters.serverMaxWindowBits === server &&
    parameters.serverNoContextTakeover === response.has("server_no_context_takeover") &&
    parameters.clientNoContextTakeover === response.has("client_no_context_takeover")
  );
}

export function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  return fuzzProperties(
    {
      "the answer is one that an offer allows": property(field, wishes, (text, wanted) => {
        const offers = parsed(text);
        const agreement = offers === undefined ? undefined : negotiateDeflate(offers, wanted);
        if (agreement !== undefined)
          assert.ok(
            offers!.some((one) => isAcceptable(one, agreement)),
            agreement.answer,
          );
      }),
    },
    options,
  );
}
