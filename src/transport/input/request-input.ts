// The input of one request, and its limits: bytes and time of its body, and its share of the memory that all clients use.
// The exchange reads the bytes; this class counts them and says when the request is to be refused.

import { ChannelError } from "../../base/errors.ts";
import type { RequestHead } from "../../codec/http1-request.ts";
import type { Http1Options } from "../../protocol/http1.ts";
import type { BufferBudget } from "../io/buffer-budget.ts";
import { type Http1Timeouts, Inactivity } from "./inactivity.ts";
import { ReceivedMemory } from "./received-memory.ts";

/** The part of a head that the limits depend on. */
type Head = Pick<RequestHead, "target" | "fields">;

/** The part of a server that has the limits. */
export interface InputContext {
  readonly http: Pick<Http1Options, "maxBodyBytes" | "maxBodyBytesOf">;
  /** Bytes that all clients have sent and the application has not taken. */
  readonly received: BufferBudget;
  readonly timeouts: Http1Timeouts;
}

/** The exchange of the request. */
export interface InputOwner {
  readonly head: Head;
  /** Returns the number of bytes of the body that have arrived and were not read. */
  unreadBytes(): number;
  /** Ends the exchange with this error: its client gets it if no response has begun. */
  refuse(error: ChannelError): void;
}

interface BodyReader {
  readonly resolve: (part: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Returns `maxBodyBytes` for a request: the option, or more for one of a session. */
export function maxBodyBytesFor(head: Head, { http }: InputContext): number {
  return Math.max(http.maxBodyBytesOf?.(head as RequestHead) ?? 0, http.maxBodyBytes);
}

/** Created where there is something to count: most requests have none. */
export class RequestInput {
  readonly #owner: InputOwner;
  readonly #context: InputContext;
  readonly #memory = new ReceivedMemory();
  /** Exists while the application waits for a part of the body. */
  #reader: BodyReader | undefined;
  /** Bytes of the body that were read. */
  #bodyBytes = 0;
  #maxBodyBytes: number | undefined;
  #inactivity: Inactivity | undefined;

  constructor(owner: InputOwner, context: InputContext) {
    this.#owner = owner;
    this.#context = context;
  }

  /** True while the application waits for a part of the body. */
  get isAwaited(): boolean {
    return this.#reader !== undefined;
  }

  /**
   * Resolves with the next part, which `arrived` brings, or rejects with the error of `fail`. A body whose `declaredBytes` are
   * over the limit is refused at once.
   */
  nextPart(declaredBytes: number): Promise<Uint8Array | undefined> {
    this.#maxBodyBytes ??= maxBodyBytesFor(this.#owner.head, this.#context);
    const part = new Promise<Uint8Array | undefined>((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
    if (declaredBytes > this.#maxBodyBytes) this.#owner.refuse(new ChannelError("BODY_TOO_LARGE"));
    return part;
  }

  /** The next part was read; undefined at the end of the body. Without a waiting reader the part is dropped. */
  arrived(part: Uint8Array | undefined): void {
    if (this.#reader === undefined) return;
    this.#bodyBytes += part?.length ?? 0;
    if (this.#bodyBytes > this.#maxBodyBytes!) this.#owner.refuse(new ChannelError("BODY_TOO_LARGE"));
    else this.#takeReader()?.resolve(part);
  }

  /** Ends a wait for the next part. */
  fail(error: unknown): void {
    this.#takeReader()?.reject(error);
  }

  holdBody(bytes: number): void {
    this.#memory.holdBody(bytes);
  }

  /** Updates the budget of all clients. False if this one has to make room: it was refused then. */
  count(): boolean {
    if (this.#memory.count(this.#owner.unreadBytes(), this.#context.received)) return true;
    this.#owner.refuse(new ChannelError("RECEIVE_OVERFLOW"));
    return false;
  }

  /** Called about twice a second while the exchange is live. True if the request was refused. */
  tick(now: number): boolean {
    this.#memory.holdHead(this.#owner.head);
    if (!this.count()) return true;
    if (this.#reader === undefined && this.#inactivity === undefined) return false;
    this.#inactivity ??= new Inactivity();
    const awaited = this.#reader === undefined ? "nothing" : "body";
    const wait = { awaited, requests: 0, bodyBytes: this.#bodyBytes } as const;
    if (!this.#inactivity.hasExpired(now, wait, this.#context.timeouts)) return false;
    this.#owner.refuse(new ChannelError("REQUEST_TIMEOUT"));
    return true;
  }

  /** All clients together have sent too much. */
  makeRoom(): void {
    if (this.#memory.isShareSpent(this.#context.received)) this.#owner.refuse(new ChannelError("RECEIVE_OVERFLOW"));
  }

  /** The request is over: its memory is not counted any more. */
  release(): void {
    this.#memory.release(this.#context.received);
  }

  #takeReader(): BodyReader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }
}
