// Validates UTF-8 (RFC 3629) as the bytes arrive: RFC 6455 §8.1 fails a connection for invalid text, here at the first invalid
// byte.

import { isAscii, latin1Bytes, utf8 } from "../base/bytes.ts";

/** A field value, one character per byte, read as UTF-8 where its bytes are UTF-8, and otherwise left as latin1. */
export function utf8OrLatin1(value: string): string {
  if (isAscii(value)) return value;
  const bytes = latin1Bytes(value);
  const validator = new Utf8Validator();
  return validator.push(bytes, 0, bytes.length) && validator.isComplete ? utf8(bytes) : value;
}

/** Validates a text in parts. After a `push` that returned false it must be `reset`. */
export class Utf8Validator {
  /** Continuation bytes that the current character lacks. */
  #missing = 0;
  /** The bounds of the next continuation byte. RFC 3629 §4: only the second byte's are ever narrower than 80..BF. */
  #low = 0x80;
  #high = 0xbf;

  /** False as soon as bytes[start, end) cannot be the continuation of valid UTF-8. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let missing = this.#missing;
    let low = this.#low;
    let high = this.#high;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (missing > 0) {
        if (byte < low || byte > high) return false;
        missing--;
        low = 0x80;
        high = 0xbf;
      } else if (byte >= 0x80) {
        // C0 and C1 could only begin an overlong form, F5 and above a code point past U+10FFFF.
        if (byte < 0xc2 || byte > 0xf4) return false;
        if (byte < 0xe0) {
          missing = 1;
        } else if (byte < 0xf0) {
          missing = 2;
          if (byte === 0xe0) low = 0xa0;
          else if (byte === 0xed) high = 0x9f;
        } else {
          missing = 3;
          if (byte === 0xf0) low = 0x90;
          else if (byte === 0xf4) high = 0x8f;
        }
      }
    }
    this.#missing = missing;
    this.#low = low;
    this.#high = high;
    return true;
  }

  /** True when the bytes so far do not end in the middle of a character. */
  get isComplete(): boolean {
    return this.#missing === 0;
  }

  reset(): void {
    this.#missing = 0;
    this.#low = 0x80;
    this.#high = 0xbf;
  }
}
