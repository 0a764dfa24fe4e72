// IP addresses: as text, read strictly (RFC 3986 §3.2.2), and from bytes to the text of RFC 5952.
// "01.2.3.4", "1.2.3", "0x7f.1" and names are refused: another parser could read them as another host.

/** The prefix of an IPv4-mapped address. RFC 4291 §2.5.5.2. */
const MAPPED = "::ffff:";
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
/** RFC 3986 §3.2.2: dec-octet, four times. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/** RFC 3986 §3.2.2: IPv4address. Four decimal octets without leading zeros. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** RFC 3986 §3.2.2: IPv6address. Eight groups, or fewer around one "::"; the last two may be an IPv4 address. */
export function isIpv6(text: string): boolean {
  const [before = "", after, ...more] = withoutIpv4(text).split("::");
  if (more.length > 0) return false;
  if (after === undefined) return countGroups(before) === 8;
  return countGroups(before) + countGroups(after) <= 7;
}

/** The text with two groups in place of an IPv4 address at its end. */
function withoutIpv4(text: string): string {
  const start = text.lastIndexOf(":") + 1;
  return start > 0 && isIpv4(text.slice(start)) ? `${text.slice(0, start)}0:0` : text;
}

/** The number of 16-bit groups; Infinity when one is malformed. */
function countGroups(text: string): number {
  if (text === "") return 0;
  const groups = text.split(":");
  return groups.every((group) => HEX_GROUP.test(group)) ? groups.length : Number.POSITIVE_INFINITY;
}

/** The address in lower case, an IPv4-mapped one as the IPv4 address that it is; undefined if the text is not an address. */
export function toAddress(text: string): string | undefined {
  if (isIpv4(text)) return text;
  if (!isIpv6(text)) return undefined;
  const lower = text.toLowerCase();
  const mapped = lower.startsWith(MAPPED) ? lower.slice(MAPPED.length) : "";
  return isIpv4(mapped) ? mapped : lower;
}

export function ipv4Text(bytes: Uint8Array, at: number): string {
  return bytes.subarray(at, at + 4).join(".");
}

/** The text of the sixteen bytes at `at`: RFC 5952 §4; an IPv4-mapped address as the IPv4 address that it is. */
export function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let index = at; index < at + 16; index += 2) groups.push(bytes[index]! * 256 + bytes[index + 1]!);
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) return ipv4Text(bytes, at + 12);
  const { start, length } = longestZeros(groups);
  const texts = groups.map((group) => group.toString(16));
  // §4.2.2: a single zero group is not shortened.
  if (length < 2) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}

/** The four or sixteen bytes of a numeric address, in network order; undefined if the text is not an address. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (isIpv4(text)) return Uint8Array.from(text.split("."), Number);
  // RFC 4007 §11: a zone belongs to this machine.
  const [address = ""] = text.split("%");
  if (!isIpv6(address)) return undefined;
  const dotted = /[0-9.]+$/.exec(address)?.[0] ?? "";
  const [before = "", after] = withoutIpv4(address).split("::");
  const first = toGroups(before);
  const last = toGroups(after ?? "");
  const bytes = new Uint8Array(16);
  for (const [index, group] of first.entries()) bytes.set([group >> 8, group & 0xff], index * 2);
  for (const [index, group] of last.entries()) bytes.set([group >> 8, group & 0xff], 16 - (last.length - index) * 2);
  if (isIpv4(dotted)) bytes.set(dotted.split(".").map(Number), 12);
  return bytes;
}

function toGroups(text: string): readonly number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** RFC 5952 §4.2.3: the longest run of zero groups, the first of equals. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  const longest = { start: 0, length: 0 };
  let run = 0;
  for (const [index, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run <= longest.length) continue;
    longest.start = index + 1 - run;
    longest.length = run;
  }
  return longest;
}

/** An IPv4 address, or the /64 of an IPv6 address: a subscriber has all of it (RFC 6177 §2). */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [before = "", after] = address.split("::");
  const groups = before === "" ? [] : before.split(":");
  if (after !== undefined) {
    const last = after === "" ? [] : after.split(":");
    while (groups.length + last.length < 8) groups.push("0");
    groups.push(...last);
  }
  return groups.slice(0, 4).join(":");
}
