// Bytes with the name to which they belong: subjects show long names only as a hash.

/** A name, which may be any text, and bytes. */
export interface NamedBytes {
  readonly key: string;
  readonly payload: Uint8Array;
}

/** The length of the name in bytes, the name in UTF-16, so that any text is possible, and the payload. */
export function encodeNamed({ key, payload }: NamedBytes): Uint8Array {
  const name = Buffer.from(key, "utf16le");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return Buffer.concat([length, name, payload]);
}

export function decodeNamed(data: Uint8Array): NamedBytes {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const end = 4 + bytes.readUInt32BE();
  return { key: bytes.toString("utf16le", 4, end), payload: bytes.subarray(end) };
}
