// The response fields that the connection writes itself, because it decides framing and persistence (RFC 9112 §6.3 and §9.3):
// the values that an application has set are read, not copied.

import { hasListMember, isToken } from "../codec/http1-syntax.ts";

interface FramingFields {
  /** The fields without those that the connection writes; undefined if there are none of these. */
  readonly fields: readonly string[] | undefined;
  /** The options in `Connection` besides `close` and `keep-alive`, each followed by ", ". */
  readonly connection: string;
  readonly close: boolean;
  readonly date: boolean;
  readonly server: boolean;
  readonly length: string | undefined;
}

/** The result for nearly every response. */
const NONE: FramingFields = {
  fields: undefined,
  connection: "",
  close: false,
  date: false,
  server: false,
  length: undefined,
};

/** Finds the fields that the connection decides itself. */
export function readFramingFields(fields: readonly string[]): FramingFields {
  for (let i = 0; i < fields.length; i += 2) {
    const length = fields[i]!.length;
    // The lengths of Date, Server, Connection, Keep-Alive, Content-Length and Transfer-Encoding. Most names have another: 5 ns for
    // one field, and 61 ns for its lower-case copy (Node 20.20, bench/micro/framing-headers.js).
    if (length === 4 || length === 6 || length === 10 || length === 14 || length === 17)
      return sortFramingFields(fields);
  }
  return NONE;
}

function sortFramingFields(fields: readonly string[]): FramingFields {
  const kept: string[] = [];
  let connection = "";
  let close = false;
  let date = false;
  let server = false;
  let length: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    switch (name.toLowerCase()) {
      case "content-length":
        if (/^\d+$/.test(value)) length = value;
        continue;
      case "transfer-encoding":
      case "keep-alive":
        continue;
      case "connection":
        if (hasListMember(value, "close")) close = true;
        for (const member of value.split(",")) {
          const option = member.trim();
          if (isToken(option) && !/^(close|keep-alive)$/i.test(option)) connection += `${option}, `;
        }
        continue;
      case "date":
        date = true;
        break;
      case "server":
        server = true;
        break;
    }
    kept.push(name, value);
  }
  return { fields: kept, connection, close, date, server, length };
}
