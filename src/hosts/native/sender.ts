// The sending side of a WebSocket of the host: it writes once a turn, counts unsent bytes, and finds a client that takes none.

import { utf8Bytes } from "../../base/bytes.ts";
import type { Timer } from "../../base/clock.ts";
import type { OutboundMessage } from "../../protocol/outbound-message.ts";
import type { Flushable } from "../../transport/io/flusher.ts";
import { FLUSH_BYTES } from "../../transport/limits.ts";
import type { HostWebSocketContext } from "./context.ts";
import type { HostSent, HostSocket } from "./host-socket.ts";
import { JoinedMessage } from "./joined-message.ts";

/** The period of polling `bufferedAmount` of a host without a drain event, in milliseconds. */
const POLL_MS = 10;

type Ping = { readonly ping: Uint8Array };
type Part = { readonly first: boolean; readonly data: string | Uint8Array } | "last";
type Unsent = OutboundMessage | Ping | Part;

export interface SenderOwner {
  /** All bytes are sent. */
  bufferEmptied(): void;
  /** The host has dropped a message: the client must not take the next one for it. */
  messageLost(): void;
}

export class HostSender implements Flushable {
  readonly #context: HostWebSocketContext;
  readonly #owner: SenderOwner;
  /** Undefined until the host has opened the WebSocket, and after the end. */
  #socket: HostSocket | undefined;
  /** Inside a message of the host, which is corked: what is sent leaves with the end of it. */
  isCorked = false;
  #isFlushQueued = false;
  /** The host has bytes that the system has not taken: asking it for each message costs as much as sending one. */
  #isBlocked = false;
  #unsent: Unsent[] = [];
  #unsentBytes = 0;
  /** Exists while a message is joined from its parts. */
  #joined: JoinedMessage | undefined;
  #isFirstPart = false;
  /** Bytes of this WebSocket in the budget for unsent bytes. */
  #counted = 0;
  /** The host's `bufferedAmount` when it was looked at last, and what it was given since: it has sent some if it has less. */
  #expected = 0;
  #given = 0;
  #stalledSince: number | undefined;
  #pollTimer: Timer | undefined;

  constructor(context: HostWebSocketContext, owner: SenderOwner) {
    this.#context = context;
    this.#owner = owner;
  }

  get bufferedAmount(): number {
    return this.#unsentBytes + (this.#isBlocked ? this.#socket!.bufferedAmount : 0);
  }

  /** The parts of a message that is not whole are memory, but no client could take them. */
  get pinnedBytes(): number {
    return this.#joined?.bytes ?? 0;
  }

  /** The host has opened the WebSocket: waiting messages leave now. */
  open(socket: HostSocket): void {
    this.#socket = socket;
    this.flush();
  }

  send(message: OutboundMessage, body: string | Uint8Array): void {
    if (this.isCorked && this.#unsent.length === 0) this.#sendNow(body);
    else this.#queue(message, body.length);
  }

  ping(data: Uint8Array): void {
    this.#queue({ ping: data }, data.length);
  }

  begin(): void {
    this.#isFirstPart = true;
    if (this.#socket?.fragments === undefined) this.#joined = new JoinedMessage(this.#context.limits.maxBufferedBytes);
  }

  /** Throws MESSAGE_TOO_BIG for a message that has to be joined, and is too long for that. */
  part(data: string | Uint8Array): void {
    const joined = this.#joined;
    if (joined === undefined) {
      this.#queue({ first: this.#isFirstPart, data }, data.length);
      this.#isFirstPart = false;
      return;
    }
    try {
      joined.add(data);
    } catch (error) {
      this.#joined = undefined;
      throw error;
    } finally {
      this.#count();
    }
  }

  /** Ends the message. Returns it where it was joined: the caller sends it. */
  finish(): OutboundMessage | undefined {
    const joined = this.#joined;
    if (joined === undefined) {
      if (this.#isFirstPart) this.#queue({ first: true, data: "" }, 0);
      this.#queue("last", 0);
      return undefined;
    }
    this.#joined = undefined;
    this.#count();
    return joined.toMessage();
  }

  flush(): void {
    this.#isFlushQueued = false;
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.#unsent.length > 0) {
      if (socket.cork === undefined || this.#unsent.length === 1) this.#sendUnsent();
      else {
        socket.cork(this.#sendUnsent);
        this.#askHost();
      }
    }
    this.#flushed();
  }

  /** The host has sent some of the unsent bytes. */
  drained(): void {
    this.#askHost();
    this.#count();
    if (this.bufferedAmount === 0) this.#emptied();
  }

  /** Called about once a second. True if the client has taken none of the unsent bytes for so long. */
  isStalled(now: number): boolean {
    this.#askHost();
    this.#count();
    const buffered = this.#isBlocked ? this.#socket!.bufferedAmount : 0;
    this.#look(buffered);
    if (buffered > 0) this.#stalledSince ??= now;
    return this.#stalledSince !== undefined && now - this.#stalledSince >= this.#context.limits.writeTimeoutMs;
  }

  /** Sees whether the host has sent any. Texts count by their characters, and heads of frames not at all: never too much. */
  #look(buffered: number): void {
    if (buffered === 0 || buffered < this.#expected + this.#given) this.#stalledSince = undefined;
    this.#expected = buffered;
    this.#given = 0;
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#socket = undefined;
    this.#isBlocked = false;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#joined = undefined;
    this.#count();
    this.#context.clock.clearTimer(this.#pollTimer);
  }

  #queue(item: Unsent, bytes: number): void {
    this.#unsent.push(item);
    this.#unsentBytes += bytes;
    if (this.#socket === undefined) this.#count();
    else if (this.#unsentBytes >= FLUSH_BYTES) this.flush();
    else if (!this.#isFlushQueued && !this.isCorked) {
      this.#isFlushQueued = true;
      this.#context.flusher.add(this);
    }
  }

  readonly #sendUnsent = (): void => {
    const unsent = this.#unsent;
    this.#unsentBytes = 0;
    for (let i = 0; i < unsent.length && this.#socket !== undefined; i++) this.#sendItem(unsent[i]!, this.#socket);
    unsent.length = 0;
  };

  #askHost(): void {
    this.#isBlocked = this.#socket !== undefined && this.#socket.bufferedAmount > 0;
  }

  #sendItem(item: Unsent, socket: HostSocket): void {
    if (item === "last") this.#sent(socket.fragments!.last());
    else if ("ping" in item) socket.ping?.(item.ping);
    else if ("first" in item) {
      const { data } = item;
      if (this.#isBlocked) this.#given += data.length;
      if (item.first) this.#sent(socket.fragments!.first(data));
      else this.#sent(socket.fragments!.next(typeof data === "string" ? utf8Bytes(data) : data));
    } else this.#sendNow(item.body!);
  }

  #sendNow(body: string | Uint8Array): void {
    const socket = this.#socket!;
    if (this.#isBlocked) this.#given += body.length;
    this.#sent(typeof body === "string" ? socket.sendText(body) : socket.sendBinary(body));
  }

  #sent(how: HostSent): void {
    if (how === "sent" || this.#socket === undefined) return;
    this.#isBlocked = true;
    if (how === "dropped") this.#owner.messageLost();
  }

  #flushed(): void {
    const buffered = this.bufferedAmount;
    if (buffered === 0) {
      if (this.#counted > 0) this.#count();
      this.#emptied();
    } else {
      this.#count();
      this.#look(buffered);
      this.#pollSoon();
    }
  }

  /** A host without a drain event is asked. */
  #pollSoon(): void {
    if (this.#socket === undefined || this.#socket.hasDrainEvent) return;
    this.#pollTimer ??= this.#context.clock.setTimer(() => {
      this.#pollTimer = undefined;
      this.drained();
      if (this.bufferedAmount > 0) this.#pollSoon();
    }, POLL_MS);
  }

  #emptied(): void {
    this.#stalledSince = undefined;
    this.#owner.bufferEmptied();
  }

  /** Updates the sum of all clients. */
  #count(): void {
    const bytes = this.bufferedAmount + this.pinnedBytes;
    if (bytes === this.#counted) return;
    this.#context.buffered.change(this.#counted, bytes);
    this.#counted = bytes;
  }
}
