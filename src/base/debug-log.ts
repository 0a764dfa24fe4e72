// Lines for a developer who looks for what goes wrong between a client and the server (NODE_DEBUG=unichannel). Where nobody
// reads them the log is undefined, and `debug?.(…)` does not even make the text.

export type DebugLog = (line: string) => void;

/** The part of a secret token that lines show: 36 of its 128 bits are enough to find its lines. */
const SHOWN_CHARS = 6;
/** The most characters of a client's text in a line. */
const MAX_CHARS = 200;

/** The beginning of a session's token. */
export function shortToken(token: string): string {
  return `${token.slice(0, SHOWN_CHARS).replace(/[^\w-]/g, "?")}…`;
}

/** Text of a client in quotes, on one line, and not too long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text);
}
