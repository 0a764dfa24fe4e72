// The Sec-WebSocket-Extensions field (RFC 6455 §9.1), and the negotiation of permessage-deflate by a server (RFC 7692 §5 and
// §7.1). Reads the offers, chooses one, writes the answer; compresses nothing.

import { ChannelError } from "../base/errors.ts";
import { isToken, splitUnquoted, trimSpace } from "./http1-syntax.ts";

export interface ExtensionOffer {
  readonly name: string;
  /** Name and value in the order given; the value is undefined where there is no "=". */
  readonly params: readonly (readonly [name: string, value: string | undefined])[];
}

/** The agreed limits of both sides: RFC 7692 §7.1. */
export interface DeflateParameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  /** The server looks back at most 2 to the power of this many bytes when it compresses: 8 to 15. */
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

/** The preferences of the server. */
export interface DeflateWishes {
  /** False: no message, of either side, is compressed with the help of those before it. */
  readonly contextTakeover: boolean;
  /** 8 to 15, for both sides. */
  readonly windowBits: number;
}

export interface DeflateAgreement {
  readonly parameters: DeflateParameters;
  /** The value of Sec-WebSocket-Extensions in the answer. */
  readonly answer: string;
}

const NAME = "permessage-deflate";
const MAX_WINDOW_BITS = 15;

/** RFC 7692 §7.1.2.1: a decimal integer without leading zeroes between 8 and 15. */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;

/**
 * The offers in order of preference; `text` is all lines of the field, joined with commas.
 * Throws BAD_HANDSHAKE for a malformed field: RFC 6455 §9.1 has the server fail the connection for it, whether it knows
 * the extension or not.
 */
export function parseExtensions(text: string): ExtensionOffer[] {
  const offers: ExtensionOffer[] = [];
  for (const element of split(text, ",")) {
    // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
    if (trimSpace(element) === "") continue;
    const [name = "", ...params] = split(element, ";").map(trimSpace);
    if (!isToken(name)) throw bad("the name of an extension is not a token");
    offers.push({ name, params: params.map(parseParam) });
  }
  return offers;
}

/**
 * The first offer of permessage-deflate that can be accepted, and the answer to it; undefined when there is none, which
 * means that nothing is compressed.
 */
export function negotiateDeflate(
  offers: readonly ExtensionOffer[],
  wishes: DeflateWishes,
): DeflateAgreement | undefined {
  for (const offer of offers) {
    const agreement = offer.name === NAME ? accept(offer, wishes) : undefined;
    if (agreement !== undefined) return agreement;
  }
  return undefined;
}

/** RFC 7692 §7.1.3: an unknown, repeated or malformed parameter declines the offer, not the connection. */
function accept(offer: ExtensionOffer, { contextTakeover, windowBits }: DeflateWishes): DeflateAgreement | undefined {
  let serverNoContextTakeover = !contextTakeover;
  let serverMaxWindowBits = windowBits;
  /** The limit that the server may ask of the client; undefined if the client does not accept one. */
  let clientMaxWindowBits: number | undefined;
  const seen = new Set<string>();
  for (const [name, value] of offer.params) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    const bits = value !== undefined && WINDOW_BITS.test(value) ? Number(value) : undefined;
    if (name === "server_no_context_takeover" && value === undefined) {
      serverNoContextTakeover = true;
    } else if (name === "client_no_context_takeover" && value === undefined) {
      // §7.1.1.2: only a hint that the client will not take its context over; the answer decides whether it may.
    } else if (name === "server_max_window_bits" && bits !== undefined) {
      serverMaxWindowBits = Math.min(serverMaxWindowBits, bits);
    } else if (name === "client_max_window_bits" && (value === undefined || bits !== undefined)) {
      clientMaxWindowBits = Math.min(windowBits, bits ?? MAX_WINDOW_BITS);
    } else return undefined;
  }
  // A client that does not accept a limit on its window would cost 32 KiB here: it may not take its context over.
  const isTooLarge = clientMaxWindowBits === undefined && windowBits < MAX_WINDOW_BITS;
  const clientNoContextTakeover = !contextTakeover || isTooLarge || seen.has("client_no_context_takeover");

  let answer = NAME;
  // §7.1.1.1, §7.1.1.2: both may stand in an answer that were not in the offer.
  if (serverNoContextTakeover) answer += "; server_no_context_takeover";
  if (clientNoContextTakeover) answer += "; client_no_context_takeover";
  // §7.1.2.1: an offered limit must be in the answer, with the same value or a smaller one.
  if (serverMaxWindowBits < MAX_WINDOW_BITS || seen.has("server_max_window_bits")) {
    answer += `; server_max_window_bits=${serverMaxWindowBits}`;
  }
  // §7.1.2.2: only a client that offered this understands it. If no context is taken over, the server keeps no window for the
  // client, so the size of that window does not matter.
  if (clientMaxWindowBits !== undefined && clientMaxWindowBits < MAX_WINDOW_BITS && !clientNoContextTakeover) {
    answer += `; client_max_window_bits=${clientMaxWindowBits}`;
  } else clientMaxWindowBits = MAX_WINDOW_BITS;
  return {
    parameters: { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits },
    answer,
  };
}

/** RFC 6455 §9.1: extension-param = token [ "=" ( token | quoted-string ) ]; without its quotes the value is a token. */
function parseParam(param: string): readonly [string, string | undefined] {
  const at = param.indexOf("=");
  const name = at === -1 ? param : trimSpace(param.slice(0, at));
  if (!isToken(name)) throw bad("the name of a parameter is not a token");
  if (at === -1) return [name, undefined];
  const raw = trimSpace(param.slice(at + 1));
  const value = raw.startsWith('"') ? unquote(raw) : raw;
  if (!isToken(value)) throw bad("the value of a parameter is not a token");
  return [name, value];
}

/** RFC 9110 §5.6.4; "" for a quoted-string that does not end at the end of the text. */
function unquote(raw: string): string {
  return /^"(?:[^"\\]|\\.)*"$/.test(raw) ? raw.slice(1, -1).replace(/\\(.)/g, "$1") : "";
}

function split(text: string, separator: string): string[] {
  const parts = splitUnquoted(text, separator);
  if (parts === undefined) throw bad("a quoted value does not end");
  return parts;
}

function bad(detail: string): ChannelError {
  return new ChannelError("BAD_HANDSHAKE", `Sec-WebSocket-Extensions: ${detail}`);
}
