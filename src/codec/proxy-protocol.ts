// The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt): a header with the client's address, which a proxy
// sends before the client's bytes. The sections cited are those of that document.

import { latin1, NO_BYTES } from "../base/bytes.ts";
import { bad } from "./http1-syntax.ts";
import { addressBytes, ipv4Text, ipv6Text, isIpv4, isIpv6, toAddress } from "./ip-address.ts";
import { Joiner } from "./joiner.ts";

/** The ends of the connection that the proxy accepted: numeric addresses, and ports. */
export interface ProxiedConnection {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

/**
 * The header at the start of a connection. `"local"`: the proxy itself is the client (a health check). `"unknown"`:
 * there is a client, but no IP address of it (v1 UNKNOWN; v2 UNSPEC, Unix sockets, datagrams). `"absent"`: the bytes
 * are not a PROXY header.
 */
export type ProxyProtocolHeader = ProxiedConnection | "local" | "unknown" | "absent";

/** §2.1: the longest line with its CRLF. */
const MAX_LINE_BYTES = 107;
/** The longest binary header. Addresses take 232 bytes at most; the rest is for TLVs, in which proxies describe TLS. */
const MAX_BINARY_BYTES = 4096;

const LINE_START = Uint8Array.from("PROXY ", (char) => char.charCodeAt(0));
/** §2.2: cannot be the beginning of HTTP: a line has no NUL, and QUIT is not a method. */
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
/** §2.2: signature, version and command, family and transport, length. */
const BINARY_START_BYTES = 16;
/** §2.2: every family and transport that may be announced, with the length of its addresses. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);
const TCP4 = 0x11;
const TCP6 = 0x21;

const LF = 0x0a;
const CR = 0x0d;

export class ProxyProtocolDecoder {
  /** §2.2: the TLVs of a binary header, as bytes: `extensionsOf` reads them. Set by `next`. */
  extensions: Uint8Array = NO_BYTES;
  readonly #joiner = new Joiner();
  #bytes: Uint8Array = NO_BYTES;

  push(bytes: Uint8Array): void {
    this.#bytes = this.#joiner.append(this.#bytes, bytes);
  }

  /** The header, once; undefined until it is whole. Throws BAD_REQUEST; the decoder is then spent. */
  next(): ProxyProtocolHeader | undefined {
    const bytes = this.#bytes;
    if (startsLike(bytes, LINE_START)) return bytes.length < LINE_START.length ? undefined : this.#readLine(bytes);
    if (startsLike(bytes, SIGNATURE)) return bytes.length < SIGNATURE.length ? undefined : this.#readBinary(bytes);
    return "absent";
  }

  /** The bytes after the header, or all when it is absent or incomplete; undefined when there are none. */
  takeRest(): Uint8Array | undefined {
    const rest = this.#bytes;
    this.#bytes = NO_BYTES;
    return rest.length === 0 ? undefined : rest;
  }

  /** §2.1: "PROXY" SP family SP source SP destination SP source-port SP destination-port CRLF. */
  #readLine(bytes: Uint8Array): ProxyProtocolHeader | undefined {
    const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(LF);
    if (end === -1) {
      if (bytes.length >= MAX_LINE_BYTES) throw bad("the PROXY line is too long");
      return undefined;
    }
    if (bytes[end - 1] !== CR) throw bad("the PROXY line ends without CR");
    const line = latin1(bytes, LINE_START.length, end - 1);
    this.#bytes = bytes.subarray(end + 1);

    // §2.1: the rest of the line after UNKNOWN is ignored.
    if (line === "UNKNOWN" || line.startsWith("UNKNOWN ")) return "unknown";
    const [family, source = "", destination = "", sourcePort = "", destinationPort = "", ...more] = line.split(" ");
    if (more.length > 0 || (family !== "TCP4" && family !== "TCP6")) throw bad("the PROXY line is malformed");
    const isOfFamily = family === "TCP4" ? isIpv4 : isIpv6;
    if (!isOfFamily(source) || !isOfFamily(destination)) throw bad("the PROXY line has a malformed address");
    return {
      sourceAddress: toAddress(source)!,
      sourcePort: toPort(sourcePort),
      destinationAddress: toAddress(destination)!,
      destinationPort: toPort(destinationPort),
    };
  }

  /** §2.2. */
  #readBinary(bytes: Uint8Array): ProxyProtocolHeader | undefined {
    // Refused at the first byte that is wrong: no connection waits for the rest of a malformed header.
    const command = bytes[SIGNATURE.length];
    if (command === undefined) return undefined;
    if (command !== 0x20 && command !== 0x21) throw bad("the PROXY header's version or command is unknown");
    if (bytes.length < BINARY_START_BYTES) return undefined;
    const length = bytes[14]! * 256 + bytes[15]!;
    const end = BINARY_START_BYTES + length;
    if (end > MAX_BINARY_BYTES) throw bad("the PROXY header is too long");
    const family = bytes[13]!;
    if (command === 0x21) {
      const addressBytes = ADDRESS_BYTES.get(family);
      if (addressBytes === undefined) throw bad("the PROXY header's address family is unknown");
      if (length < addressBytes) throw bad("the PROXY header is too short for its addresses");
    }
    if (bytes.length < end) return undefined;
    this.#bytes = bytes.subarray(end);
    this.extensions = bytes.subarray(BINARY_START_BYTES + (ADDRESS_BYTES.get(family) ?? length), end);

    if (command === 0x20) return "local";
    if (family !== TCP4 && family !== TCP6) return "unknown";
    const size = family === TCP4 ? 4 : 16;
    const toText = family === TCP4 ? ipv4Text : ipv6Text;
    const ports = BINARY_START_BYTES + size * 2;
    return {
      sourceAddress: toText(bytes, BINARY_START_BYTES),
      sourcePort: bytes[ports]! * 256 + bytes[ports + 1]!,
      destinationAddress: toText(bytes, BINARY_START_BYTES + size),
      destinationPort: bytes[ports + 2]! * 256 + bytes[ports + 3]!,
    };
  }
}

/** The facts of a connection that a proxy states in its header. Addresses are written without ports, which this server does not use. */
export interface ForwardedConnection {
  /** A numeric address; undefined if the client has none that is known. */
  readonly sourceAddress: string | undefined;
  /** Type and value of each TLV. */
  readonly extensions: readonly (readonly [type: number, value: Uint8Array])[];
}

/** §2.2: a binary header, command PROXY. */
export function encodeProxyHeader({ sourceAddress, extensions }: ForwardedConnection): Uint8Array {
  const source = sourceAddress === undefined ? undefined : addressBytes(sourceAddress);
  const family = source === undefined ? 0 : source.length === 4 ? TCP4 : TCP6;
  const addresses = new Uint8Array(ADDRESS_BYTES.get(family)!);
  // The destination and the ports stay zero.
  if (source !== undefined) addresses.set(source);
  const length = addresses.length + extensions.reduce((sum, [, value]) => sum + 3 + value.length, 0);
  const header = new Uint8Array(BINARY_START_BYTES + length);
  header.set(SIGNATURE);
  header.set([0x21, family, length >> 8, length & 0xff], SIGNATURE.length);
  header.set(addresses, BINARY_START_BYTES);
  let at = BINARY_START_BYTES + addresses.length;
  for (const [type, value] of extensions) {
    header.set([type, value.length >> 8, value.length & 0xff], at);
    header.set(value, at + 3);
    at += 3 + value.length;
  }
  return header;
}

/** §2.2: reads TLVs. The last one of a type counts. Throws BAD_REQUEST if the bytes end within one. */
export function extensionsOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const start = at + 3;
    const end = start + (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0);
    if (start > bytes.length || end > bytes.length) throw bad("the PROXY header ends within a TLV");
    found.set(bytes[at]!, bytes.subarray(start, end));
    at = end;
  }
  return found;
}

/** True if `bytes` begins with `start`, or is the beginning of it. */
function startsLike(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let index = 0; index < length; index++) if (bytes[index] !== start[index]) return false;
  return true;
}

/** §2.1: decimal, without leading zeros. */
function toPort(text: string): number {
  if (!/^(0|[1-9][0-9]{0,4})$/.test(text) || Number(text) > 65_535) throw bad("the PROXY line has a malformed port");
  return Number(text);
}
