// Base64 (RFC 4648 §4) in both directions, with the functions of browsers and Node, which work on text of one byte per
// character.

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/**
 * Returns undefined for text that no encoder makes: §3.5 bits that must be zero, a missing pad, a character of another
 * alphabet.
 */
export function fromBase64(text: string): Uint8Array | undefined {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  // `atob` forgives white space, pads and bits (WHATWG Infra, "forgiving-base64 decode").
  if (btoa(binary) !== text) return undefined;
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
