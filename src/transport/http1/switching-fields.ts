// The fields of a 101 that HTTP/1.1 itself needs to switch to WebSocket: RFC 6455 §4.2.2 item 5.

import { fieldValue } from "../../codec/field-values.ts";
import { acceptValue } from "../../codec/ws-handshake.ts";
import { nodeCrypto } from "../node-modules.ts";

/** `fields`: those of the request, whose handshake has been checked. */
export function switchingFields(fields: readonly string[]): readonly string[] {
  const key = fieldValue(fields, "sec-websocket-key") ?? "";
  return ["Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", acceptValue(key, sha1)];
}

function sha1(text: string): string {
  return nodeCrypto().hash("sha1", text, "base64");
}
