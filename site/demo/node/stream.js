// node:stream for a page: Node's own streams, as the package readable-stream has them.
import { Duplex } from "readable-stream";

export { Duplex };

/** The body of a response of `./http.js` is a stream of the platform already. */
export const Readable = {
  /** @param {{ body: ReadableStream<Uint8Array> }} message */
  toWeb: (message) => message.body,
};
