// A message of the stream: what it carries, and where it stands.

/** What begins every payload of ours: the version of what follows. */
const VERSION = 1;

/** ADR-15: `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, with a domain and an
 * account before the stream in newer servers, and a token at the end. */
export function placeOf(reply: string): { readonly sequence: number; readonly consumed: number } | undefined {
  const tokens = reply.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const at = tokens.length === 9 ? 5 : 7;
  return { sequence: Number(tokens[at]), consumed: Number(tokens[at + 1]) };
}

export function wrap(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1);
  bytes[0] = VERSION;
  bytes.set(payload, 1);
  return bytes;
}

/** Undefined for what no backplane wrote. */
export function unwrap(bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === VERSION ? bytes.subarray(1) : undefined;
}
