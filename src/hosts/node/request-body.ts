// The body of a request that the host reads: pulled part by part, or given by the application, whose body parser has read it.

import type { Readable } from "node:stream";
import { utf8Bytes } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import type { RequestInput } from "../../transport/input/request-input.ts";
import type { NodeRequest } from "./host-server.ts";

/** The body as the application's parser left it: text, bytes, or a value that was parsed from JSON. */
export type GivenBody = unknown;

/** Returns the bytes of a body that the application gives; undefined if it gives none. */
export function toBodyBytes(body: GivenBody): Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string") return utf8Bytes(body);
  if (body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  // A parser made it of JSON. A value that no JSON has becomes an empty body.
  return utf8Bytes(JSON.stringify(body) ?? "");
}

/** Returns the body that a parser of Express or Connect has left in `request.body`, where it is text or bytes. */
export function bodyLeftBy(request: NodeRequest): Uint8Array | undefined {
  const { body } = request as { readonly body?: unknown };
  if (!request.readableDidRead || (typeof body !== "string" && !(body instanceof Uint8Array))) return undefined;
  return toBodyBytes(body);
}

/** Reads the body of a request of node:http, as far as its input asks. */
export class NodeRequestBody {
  readonly #stream: Readable;
  readonly #input: RequestInput;
  #isOurs = false;

  constructor(stream: Readable, input: RequestInput) {
    this.#stream = stream;
    this.#input = input;
  }

  /** Brings the next part to the input, or the end, as soon as it has come. Throws BODY_USED if other code has read the body. */
  pull(): void {
    if (!this.#isOurs) {
      if (this.#stream.readableDidRead || this.#stream.readableEnded) throw usedBody();
      this.#isOurs = true;
      this.#stream.on("readable", this.#feed).on("end", this.#feed).on("close", this.#feed);
      // "close" follows.
      this.#stream.on("error", () => {});
    }
    this.#feed();
  }

  /**
   * Reads and drops the rest. Node drops a body that was not read at all. A body that was read in part would block the next
   * request of the connection.
   */
  drop(): void {
    if (!this.#isOurs || this.#stream.readableEnded) return;
    this.#stream.off("readable", this.#feed);
    // The stream flows again only a tick after its last listener of "readable" has gone.
    process.nextTick(() => this.#stream.resume());
  }

  readonly #feed = (): void => {
    if (!this.#input.isAwaited) return;
    const stream = this.#stream;
    const part = stream.read() as Uint8Array | null;
    if (part !== null) this.#input.arrived(part);
    else if (stream.readableEnded) this.#input.arrived(undefined);
    else if (stream.destroyed) this.#input.fail(new ChannelError("CLIENT_GONE", "the request body is incomplete"));
  };
}

/** The error of a body that other code has read. */
export function usedBody(): ChannelError {
  return new ChannelError(
    "BODY_USED",
    "a body parser ran before: pass what it read, request(req, res, { body: req.body }), or move the route before the parser",
  );
}
