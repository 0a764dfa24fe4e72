// The checks before a WebSocket opens: its handshake (RFC 6455 §4.2.1), the origin of its page (§10.2), and the application's
// `upgrade` check. The protocol is switched only after all of them have passed.

import { ChannelError } from "../base/errors.ts";
import { unknownName } from "../base/option-names.ts";
import { isPlain, show } from "../base/option-values.ts";
import { checkFields, NO_FIELDS, toFields } from "../channel/headers.ts";
import { discardBody } from "../channel/source.ts";
import { withoutContentFields } from "../codec/field-list.ts";
import { type Handshake, readHandshake } from "../codec/ws-handshake.ts";
import type { Transport } from "../transport/transport.ts";
import { isOriginAllowed } from "./access.ts";
import type { CheckedUpgrade } from "./checked-upgrade.ts";
import { refuse, toRefusal } from "./refusal.ts";
import type { ChannelRequest } from "./request.ts";
import type { UpgradeAccepted, UpgradeResult } from "./upgrade-check.ts";

/** Returns the handshake of a WebSocket that may open. Throws the error with which the client is refused. */
export function checkHandshake(request: ChannelRequest): Handshake {
  const { exchange } = request;
  if (!isOriginAllowed(request)) throw new ChannelError("FORBIDDEN_ORIGIN");
  const { method, minor, fields } = exchange.head;
  return readHandshake({ kind: exchange.webSocketRequest!, method, minor, fields, hasBody: exchange.hasBody });
}

/** Answers a request whose channel may not open. Throws an error with which no client is refused. */
export function refuseHandshake(request: ChannelRequest, error: unknown): Transport {
  return refuse(request, toRefusal(error), withoutContentFields(request.exchange.refusalFields));
}

const RESULT_NAMES: readonly PropertyKey[] = ["headers", "attachment", "status", "body"];

/**
 * Returns undefined for a result that is the answer to the client. The check allows the WebSocket by returning undefined, or a
 * literal with only `headers` and `attachment`. Throws BAD_DATA for anything else, such as an Error: a check fails closed.
 */
export function toAccepted(handshake: Handshake, result: UpgradeResult): CheckedUpgrade | undefined {
  if (result === undefined) return { handshake, fields: NO_FIELDS, attachment: undefined };
  if (isAnswer(result)) return undefined;
  if (!isPlain(result)) {
    // A stream in it is never read, so it is cancelled.
    discardBody(result);
    const allowed = "it must return nothing, { headers, attachment }, or a response";
    throw new ChannelError("BAD_DATA", `an upgrade check returned ${show(result)}; ${allowed}`);
  }
  for (const name of Reflect.ownKeys(result)) {
    if (!RESULT_NAMES.includes(name)) {
      const known = RESULT_NAMES as readonly string[];
      throw new ChannelError("BAD_DATA", unknownName("what an upgrade check returned has", String(name), known));
    }
  }
  const { headers, attachment } = result as UpgradeAccepted;
  return { handshake, fields: headers === undefined ? NO_FIELDS : checkFields(toFields(headers)), attachment };
}

/** True for a Fetch `Response`, also one of another library, and for `{ status, headers, body }`. */
function isAnswer(result: unknown): boolean {
  if (typeof result !== "object" || result === null) return false;
  const { status, body } = result as { readonly status?: unknown; readonly body?: unknown };
  if (isPlain(result)) return status !== undefined || body !== undefined;
  return (result as object) instanceof Response || (typeof status === "number" && "body" in (result as object));
}
