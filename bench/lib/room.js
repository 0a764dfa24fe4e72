// @ts-check
// The message of the rows with members of several kinds: 128 bytes, with a mark by which the generator counts messages in
// any framing. The mark occurs in no head, frame header, id or chunk size.

export const MARK = "!";
export const MESSAGE = MARK + Buffer.alloc(127, "unichannel ").toString("latin1");
/** The first event of an event stream. */
export const GREETING = "hello";

/** How often the server is to say it, from `POST /publish?count=N`. @param {string} target */
export function countOf(target) {
  return Number(/count=(\d+)/.exec(target)?.[1]);
}
