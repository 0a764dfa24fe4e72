// HTTP/1.1 requests from a grammar, and mutations of them. Text is latin1: one character is one byte.

import type { Random } from "./random.ts";

const METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"];
const RARE_METHODS = ["PROPFIND", "M-SEARCH", "CONNECT", "TRACE", "QUERY", "FROB", "get", "P*ST", "PRI"];
const TARGETS = ["/", "/a", "/a/b?c=d&e", "/%20?x=%zz", "//a/b", "/?", "/a;b=c", "/\"'<>\\^`{|}", "/a:b@c[d]"];
const ABSOLUTE = ["http://a/", "http://a:80/b?c", "HTTP://[::1]:1/", "https://a", "http://a?b"];
const VALUES = ["", "x", "a b", "a\tb", "a, b", '"q"', "x;y=z", "\xe9\xff", "a".repeat(70), "0", "\xc3\xbc", ","];
const FIELDS = ["X-A", "X-a", "Accept", "Cookie", "User-Agent", "X_b", "TE", "Trailer", "Content-Type", "Keep-Alive"];
const CONNECTIONS = ["keep-alive", "close", "Upgrade", "x, keep-alive", "KEEP-ALIVE", "TE", "closed", "close, x"];
const BODIES = ["", "a", "hello", "0\r\n\r\n", "\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\xff", "a".repeat(300)];
const EXTENSIONS = ["", "", "", ";a", ";a=b", ';a="b c"', ";a=b;c=d"];

/** Lines that are hard to parse correctly. */
const TRICKY_LINES = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: +5",
  "Content-Length: -5",
  "Content-Length: 5, 5",
  "Content-Length: 0x5",
  "Content-Length: 5 5",
  "Content-Length:",
  "Content-Length: 05",
  "Content-Length: 5.0",
  "Content-Length: 99999999999999999999",
  "Content-Length : 5",
  "content-length:5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: CHUNKED",
  "Transfer-Encoding: chunked, chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding: \x0bchunked",
  "Transfer-Encoding:\tchunked\t",
  "Transfer-Encoding: chunked;q=1",
  "Transfer-Encoding: ,chunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding:",
  " Transfer-Encoding: chunked",
  "Host: b",
  "Host:",
  "Host: a b",
  "Host: a/b",
  "Host: [::1",
  "Host: a:99999",
  "Connection: close",
  "Expect: 100-continue",
  "Expect: 200-ok",
  "Upgrade: h2c",
  "Upgrade: websocket",
  "X: \x01",
  "X: \x7f",
  "X:\0",
  "X",
  ": x",
  "X Y: z",
  "X\t: z",
  " folded",
  "\tfolded",
  "(X): y",
  "X\x80: y",
  "",
];

const FRAMING_LINES = TRICKY_LINES.filter((line) => /^ ?(content-length|transfer-encoding)/i.test(line));

const TRICKY_SIZES = [
  "0x5",
  "05",
  "00000000000000005",
  "5 ",
  " 5",
  "5\t",
  "+5",
  "-5",
  "",
  "g",
  "5 ;a",
  "5;\x01",
  "5,a",
];
const TRICKY_EXTENSIONS = [
  ";",
  ";;",
  ";=",
  ";a=",
  ";=a",
  ";a=b=c",
  "; a",
  ";a ",
  ";a =b",
  ";a= b",
  ";a;",
  ';a="',
  ';a="b"c',
  ';a="\\""',
  ';a="\xff"',
  ";a\x80",
  ';"a"',
  ";(",
  ";a=\t",
];
const HUGE_SIZES = ["ffffffff", "7fffffffffffffff", "ffffffffffffffff5", "10000000000000005", "fffffffffffff"];
const TRICKY_BYTES = ["\r", "\n", " ", "\t", "\0", ":", ",", ";", "\x7f", "\x80", "\xff", "\v", "\f", "a", "0", "\r\n"];
const LINE_ENDS = ["\n", "\r", "\r\r\n", "\n\r", "\r\n ", "\r\n\r\n", ""];

/** One to three requests that RFC 9112 allows; only the last may close the connection. */
export function validPipeline(random: Random): string {
  let text = "";
  const count = 1 + random.below(3);
  for (let index = 0; index < count; index++) text += validRequest(random);
  return text;
}

/** The same with zero to four mutations. */
export function mutatedPipeline(random: Random): string {
  let text = validPipeline(random);
  for (let count = random.below(5); count > 0 && text !== ""; count--) text = random.pick(MUTATIONS)(text, random);
  return text;
}

/** The text in up to five segments. */
export function segments(text: string, random: Random): string[] {
  const parts: string[] = [];
  let rest = text;
  for (let count = random.below(5); count > 0 && rest !== ""; count--) {
    const at = random.below(rest.length);
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...parts, rest].filter((part) => part !== "");
}

function validRequest(random: Random): string {
  const method = random.chance(0.1) ? random.pick(RARE_METHODS) : random.pick(METHODS);
  const minor = random.chance(0.15) ? 0 : 1;
  const lines = [`Host: ${random.pick(["a", "a.example:80", "127.0.0.1:1", "[::1]:80"])}`];
  for (let count = random.below(5); count > 0; count--) {
    const space = random.pick([" ", " ", " ", "", "\t", "  "]);
    lines.push(`${random.pick(FIELDS)}:${space}${random.pick(VALUES)}${random.pick(["", "", " ", "\t "])}`);
  }
  if (random.chance(0.15)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`);
  let body = "";
  if (minor === 1 && random.chance(0.3)) {
    lines.push("Transfer-Encoding: chunked");
    body = chunked(random);
  } else if (random.chance(0.4)) {
    body = random.pick(BODIES);
    lines.push(`Content-Length: ${body.length}`);
  }
  if (random.chance(0.05)) lines.push("Expect: 100-continue");
  shuffle(lines, random);
  const before = random.chance(0.05) ? "\r\n" : "";
  return `${before}${method} ${target(method, random)} HTTP/1.${minor}\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}

function target(method: string, random: Random): string {
  if (method === "CONNECT") return random.pick(["a:80", "a.example:443", "[::1]:80"]);
  if (method === "OPTIONS" && random.chance(0.3)) return "*";
  return random.chance(0.1) ? random.pick(ABSOLUTE) : random.pick(TARGETS);
}

function chunked(random: Random): string {
  let text = "";
  for (let count = random.below(3); count > 0; count--) {
    const data = random.pick(BODIES.slice(1));
    const size = random.chance(0.5) ? data.length.toString(16) : data.length.toString(16).toUpperCase();
    text += `${random.pick(["", "", "0", "000"])}${size}${random.pick(EXTENSIONS)}\r\n${data}\r\n`;
  }
  text += `0${random.pick(EXTENSIONS)}\r\n`;
  if (random.chance(0.2)) text += `X-Trailer: ${random.pick(VALUES)}\r\n`;
  return `${text}\r\n`;
}

function shuffle(list: string[], random: Random): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [list[index], list[other]] = [list[other]!, list[index]!];
  }
}

type Mutation = (text: string, random: Random) => string;

const MUTATIONS: readonly Mutation[] = [
  // Mutations of bytes.
  (text, random) => {
    const at = random.below(text.length);
    return splice(text, at, 1, String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8))));
  },
  (text, random) => splice(text, random.below(text.length), 0, random.pick(TRICKY_BYTES)),
  (text, random) => splice(text, random.below(text.length), 1, random.pick(TRICKY_BYTES)),
  (text, random) => splice(text, random.below(text.length), 1 + random.below(3), ""),
  (text, random) => {
    const at = random.below(text.length);
    return splice(text, at, 0, text.slice(at, at + 1 + random.below(8)));
  },
  // Near separators, where bytes matter more than elsewhere.
  (text, random) => splice(text, near(text, /[\r\n:; ,]/g, random), 0, random.pick(TRICKY_BYTES)),
  (text, random) => splice(text, near(text, /[\r\n:; ,]/g, random), 1, random.pick(TRICKY_BYTES)),
  (text, random) => replaceOne(text, /\r\n/g, random.pick(LINE_ENDS), random),
  // Mutations of lines.
  (text, random) => insertLine(text, random.pick(TRICKY_LINES), random),
  (text, random) => insertLine(text, random.pick(TRICKY_LINES), random),
  (text, random) => insertLine(text, random.pick(text.split("\r\n")), random),
  (text, random) => replaceOne(text, /(?<=\r\n)[^\r\n]*\r\n/g, "", random),
  (text, random) => {
    const lines = text.split("\r\n");
    const [a, b] = [random.below(lines.length), random.below(lines.length)];
    [lines[a], lines[b]] = [lines[b]!, lines[a]!];
    return lines.join("\r\n");
  },
  // Mutations of framing.
  (text, random) => replaceOne(text, /(?<=\r\n)(?=Host:)/gi, `${random.pick(FRAMING_LINES)}\r\n`, random),
  (text, random) => replaceOne(text, /(?<=\r\n)(?=Host:)/gi, `${random.pick(FRAMING_LINES)}\r\n`, random),
  (text, random) => replaceOne(text, /(?<=content-length:\s*)\d+/gi, String(random.below(12)), random),
  (text, random) => replaceOne(text, /(?<=\r\n)[0-9a-fA-F]+(?=[;\r])/g, random.pick(TRICKY_SIZES), random),
  (text, random) => replaceOne(text, /(?<=\r\n)[0-9a-fA-F]+(?=[;\r])/g, random.pick(HUGE_SIZES), random),
  (text, random) => replaceOne(text, /(?<=\r\n)[0-9a-fA-F]+(?=[;\r])/g, random.below(20).toString(16), random),
  (text, random) =>
    replaceOne(text, /(?<=\r\n[0-9a-fA-F]+)(;[^\r\n]*)?(?=\r)/g, random.pick(TRICKY_EXTENSIONS), random),
  (text, random) => replaceOne(text, /HTTP\/1\.1/g, random.pick(VERSIONS), random),
  // Mutations of the whole text.
  (text, random) => text.slice(0, random.below(text.length)),
  (text, random) => text + random.pick(["\r\n", "\n", "\0", "GET", "GET / HTTP/1.1\r\n", " "]),
];

const VERSIONS = [
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1",
  "HTTP/11",
  "HTTP/1.10",
  "ICE/1.0",
];

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

function near(text: string, pattern: RegExp, random: Random): number {
  const places = [...text.matchAll(pattern)].map(({ index }) => index);
  return places.length === 0 ? 0 : random.pick(places) + random.below(2);
}

function replaceOne(text: string, pattern: RegExp, by: string, random: Random): string {
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const { index, 0: match } = random.pick(found);
  return splice(text, index, match.length, by);
}

/** A position after a line end: in a head, a chunked body or between requests. */
function insertLine(text: string, line: string, random: Random): string {
  const places = [...text.matchAll(/\r\n/g)].map(({ index }) => index + 2);
  if (places.length === 0) return text;
  return splice(text, random.pick(places), 0, `${line}\r\n`);
}
