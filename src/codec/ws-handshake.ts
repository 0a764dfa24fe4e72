// The server's half of the WebSocket opening handshake: RFC 6455 §4.2, and RFC 8441 §5 over HTTP/2.
// Reads the request for the WebSocket and computes the fields of the 101. The HTTP engine has checked the Host field.

import { ChannelError } from "../base/errors.ts";
import { fieldValues } from "./field-values.ts";
import { hasListMember, isToken, listOf } from "./http1-syntax.ts";

/**
 * upgrade   a GET with `Upgrade: websocket`: RFC 6455 §4.1
 * connect   an extended CONNECT with `:protocol: websocket`: RFC 8441 §4
 */
export type WebSocketRequestKind = "upgrade" | "connect";

export interface UpgradeRequest {
  readonly kind: WebSocketRequestKind;
  readonly method: string;
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** Name, value, name, value, … as sent. */
  readonly fields: readonly string[];
  readonly hasBody: boolean;
}

export interface Handshake {
  /** The sub-protocols in the order of the offer. */
  readonly protocols: readonly string[];
  /** The offers of every Sec-WebSocket-Extensions line, joined with commas; "" when there is none. */
  readonly extensions: string;
}

/** RFC 6455 §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * RFC 4648 §3.5: 16 bytes are 22 characters and two pads. The last character carries four pad bits, which must be zero: a
 * decoder may refuse others, and this one does, so that a key has one spelling (docs/reference/http-parsing.md).
 */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** RFC 6455 §4.1 item 9 and §4.3: 0 to 255 without leading zeros; looser here, since any number but 13 is refused. */
const VERSION = /^[0-9]{1,3}$/;

/**
 * Checks all of §4.2.1; over HTTP/2 there is no Upgrade, no Connection and no key (RFC 8441 §5). Throws BAD_HANDSHAKE with
 * the failed check in its detail, or UNSUPPORTED_WEBSOCKET_VERSION when the version is the only thing wrong, so that a 426
 * always means "ask again with another version".
 */
export function readHandshake(request: UpgradeRequest): Handshake {
  const { fields } = request;
  const keys = fieldValues(fields, "sec-websocket-key");
  const versions = fieldValues(fields, "sec-websocket-version");
  const offered = fieldValues(fields, "sec-websocket-protocol");
  const protocols = offered.flatMap(listOf);
  if (request.kind === "upgrade") {
    if (request.method !== "GET") throw bad("the method must be GET");
    if (request.minor !== 1) throw bad("the version must be HTTP/1.1");
    if (request.hasBody) throw bad("the request must have no body");
    if (!hasMember("upgrade", "websocket")) throw bad("Upgrade must hold websocket");
    if (!hasMember("connection", "upgrade")) throw bad("Connection must hold Upgrade");
    if (keys.length !== 1) throw bad("Sec-WebSocket-Key must appear once");
    if (!KEY.test(keys[0]!)) throw bad("Sec-WebSocket-Key must be 16 bytes in base64");
  }
  // §4.1 item 10: the elements are unique tokens, and there is one.
  if ((offered.length > 0 && protocols.length === 0) || !protocols.every(isToken))
    throw bad("Sec-WebSocket-Protocol must be a list of tokens");
  if (new Set(protocols).size !== protocols.length) throw bad("Sec-WebSocket-Protocol must not repeat itself");
  if (versions.length !== 1) throw bad("Sec-WebSocket-Version must appear once");
  if (!VERSION.test(versions[0]!)) throw bad("Sec-WebSocket-Version must be one number");
  if (versions[0] !== "13") throw new ChannelError("UNSUPPORTED_WEBSOCKET_VERSION");
  return { protocols, extensions: fieldValues(fields, "sec-websocket-extensions").join(", ") };

  function hasMember(name: string, member: string): boolean {
    return fieldValues(fields, name).some((value) => hasListMember(value, member));
  }
}

/** The first of `preferred` that was offered. Subprotocol names are compared case-sensitively. */
export function chooseProtocol(offered: readonly string[], preferred: readonly string[]): string | undefined {
  return preferred.find((name) => offered.includes(name));
}

/** The value of Sec-WebSocket-Accept: §4.2.2 item 5.4. The hash comes from above: codecs have no platform. */
export function acceptValue(key: string, sha1Base64: (text: string) => string): string {
  return sha1Base64(key + GUID);
}

function bad(detail: string): ChannelError {
  return new ChannelError("BAD_HANDSHAKE", detail);
}
