// Lines for a developer who looks for a fault between a client and the server (NODE_DEBUG=unichannel). The log is undefined if
// NODE_DEBUG does not ask for it, and `debug?.(…)` then does not even build the text.

export type DebugLog = (line: string) => void;

/** Part of a secret token that lines show: 36 of its 128 bits are enough to find its lines. */
const SHOWN_CHARS = 6;
/** Longest text of a client in a line. */
const MAX_CHARS = 200;

/** Returns the beginning of a session's token, without the process that it may begin with. */
export function shortToken(token: string): string {
  const start = token.indexOf(".") + 1;
  return `${token.slice(start, start + SHOWN_CHARS).replace(/[^\w-]/g, "?")}…`;
}

/** Returns text of a client in quotes, on one line and shortened. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text);
}
