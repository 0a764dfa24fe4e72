// The format of messages in the body of HTTP responses, and the format of plain responses. Event streams: `sse.ts`.

import { fieldsBeside } from "../../codec/field-list.ts";
import { fieldValue } from "../../codec/field-values.ts";
import { type ResponseHead, statusHasBody } from "../../codec/http1-response.ts";
import type { EncodedBody, EncodedMessage } from "../../protocol/encoded-message.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";
import type { TransportKind } from "../transport.ts";

export interface HttpFormat {
  readonly kind: TransportKind;
  /** True if a message ends the response by default. */
  readonly endsAfterSend: boolean;
  /** True if a response without a message gets its head at the end of setup. */
  readonly startsSilent: boolean;
  /** Bytes that keep a silent response alive; undefined if every byte of the format has a meaning. */
  readonly heartbeat: string | undefined;
  /** The head that the first message makes. `"stream"`: more may follow. */
  head(message: OutboundMessage, extent: "whole" | "stream"): ResponseHead;
  /** `"body"`: messages are joined. `"event"`: each is a unit with an id, a type and a time to come back after. */
  readonly messageForm: "body" | "event";
  /** The bytes of a message in the body; null if it has none. Throws BAD_DATA. */
  encode(message: OutboundMessage): string | Uint8Array | null;
  /** The same of a message that is sent to many, from the form that it keeps; undefined if it has none. */
  shared(message: EncodedMessage): EncodedBody | undefined;
  /** One part of a message in parts. In a form of events each part is a message of its own. */
  encodePart(data: string | Uint8Array): string | Uint8Array;
}

/** Fields of plain text. `nosniff` keeps browsers from running it as script. */
export const TEXT_PLAIN: readonly string[] = [
  "Content-Type",
  "text/plain; charset=utf-8",
  "X-Content-Type-Options",
  "nosniff",
];
const OCTETS = ["Content-Type", "application/octet-stream", "X-Content-Type-Options", "nosniff"];

export const PLAIN: HttpFormat = {
  kind: "stream",
  endsAfterSend: true,
  startsSilent: false,
  heartbeat: undefined,
  head(message, extent) {
    const status = message.status ?? 200;
    const { fields, body } = message;
    if (body === null && extent === "whole") return { status, fields };
    // RFC 9110 §15.3.5, §15.3.6 and §15.4.5: these have no content, and a cache would copy the content fields of a 304.
    if (!statusHasBody(status) || fieldValue(fields, "content-type") !== undefined) return { status, fields };
    // http-kit says text/html here, which lets a message become script in the page. `nosniff` keeps browsers from
    // guessing the same, and makes them show a stream as it arrives (test/browser/suites/streaming.ts).
    const guess = body === null || typeof body === "string" ? TEXT_PLAIN : OCTETS;
    return { status, fields: fields.length === 0 ? guess : [...fields, ...fieldsBeside(guess, fields)] };
  },
  messageForm: "body",
  encode: (message) => message.body,
  shared: (message) => message.asPlain(),
  encodePart: (data) => data,
};
