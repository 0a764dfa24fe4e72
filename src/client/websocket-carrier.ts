// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import type { ClientRecord } from "../codec/session-record.ts";
import {
  decodeServerMessage,
  encodeClientMessage,
  type OpenRecord,
  SESSION_PROTOCOL,
} from "../codec/session-record.ts";
import { recordSize } from "../protocol/session.ts";
import { type Carrier, type CarrierEnd, type CarrierListener, type Query, SLOWEST } from "./carrier.ts";
import type { ClientSession } from "./client-session.ts";
import { type Endpoint, failure } from "./endpoint.ts";

/** The part of a WebSocket that is used; the platform's and that of `ws` have it. */
interface Socket {
  binaryType: string;
  readonly readyState?: number;
  /** Not every WebSocket that an application gives has it. */
  readonly bufferedAmount?: number;
  onmessage: (event: { readonly data: unknown }) => void;
  onclose: (event: { readonly code: number; readonly reason: string }) => void;
  onerror: (event?: { readonly message?: string; readonly error?: { readonly code?: string } }) => void;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
}

type SocketConstructor = new (url: string, protocols: readonly string[], options: object) => Socket;

/**
 * At most so many bytes, or one message, are sent and not acknowledged: an acknowledgement is never behind more than that,
 * and the server need not hold more of a client to which it does not listen.
 */
const WINDOW_BYTES = 262_144;
/** So many beats in a row without progress are borne, and the time of what is on its way. */
const STUCK_BEATS = 2;

export class WebSocketCarrier implements Carrier {
  readonly kind = "websocket";
  readonly #endpoint: Endpoint;
  readonly #listener: CarrierListener;
  #socket: Socket | undefined;
  #session!: ClientSession;
  #heartbeatMs!: number;
  /** The number of the last record that was sent here. */
  #sent = 0;
  /** Sizes of what was sent here and is not acknowledged; the first one is of record number `#flown` + 1. */
  readonly #flight: number[] = [];
  #flightBytes = 0;
  #flown = 0;
  #written = 0;
  /** What is known to have gone on, at the last beat. */
  #progress = 0;
  #stuckBeats = 0;
  #isFinishing = false;
  #isOver = false;

  /** `resumption`: the query that takes the session up. */
  constructor(endpoint: Endpoint, resumption: () => Query, listener: CarrierListener) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#connect(resumption).catch((error) => this.#over(failure(error)));
  }

  async #connect(resumption: () => Query): Promise<void> {
    const { WebSocket, options } = this.#endpoint;
    let attempt: number;
    const { url, headers } = await this.#endpoint.request(() => {
      const query = resumption();
      attempt = Number(query["try"]);
      return query;
    });
    if (this.#isOver) return;
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
    this.#listener.onStart();
    // A browser has no third parameter and takes no notice of it.
    const socket = new (WebSocket as unknown as SocketConstructor)(url.href, protocols, { headers });
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      try {
        this.#listener.onAlive();
        this.#listener.onRecord(
          decodeServerMessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)),
        );
      } catch (error) {
        this.#over({ error });
      }
    };
    let problem: string | undefined;
    socket.onclose = ({ code, reason }) => {
      // The answer to a close frame that was behind everything that was sent.
      if (this.#isFinishing && code === 1000) this.#session.acknowledge(this.#session.sent);
      // `ws` has the status in its text; browsers do not tell it.
      const status = Number(/response: (40[139])$/.exec(problem ?? "")?.[1]) || undefined;
      this.#over({ code, reason, status, attempt, what: problem || `closed (${code}${reason && ` ${reason}`})` });
    };
    // `ws` throws what nobody listens to. `close` follows.
    socket.onerror = (event) => {
      problem = event?.message || event?.error?.code;
    };
  }

  begin(session: ClientSession, { received, resumed, heartbeatMs }: OpenRecord): void {
    this.#session = session;
    this.#heartbeatMs = heartbeatMs;
    // A POST that was answered meanwhile has brought more than the server had when it said `received`.
    this.#sent = this.#flown = session.acknowledged;
    if (this.#sent !== received) this.#send({ type: "from", number: this.#sent + 1 });
    // So the server knows that we have the token (PROTOCOL.md, "Acknowledgements").
    if (!resumed) this.acknowledge();
    this.flush();
  }

  flush(): void {
    for (; this.#flown < this.#session.acknowledged; this.#flown++) this.#flightBytes -= this.#flight.shift() ?? 0;
    if (this.#isOver || (this.#flightBytes >= WINDOW_BYTES && !this.#isFinishing)) return;
    for (const record of this.#session.after(this.#sent)) {
      const size = recordSize(record);
      if (this.#flightBytes > 0 && this.#flightBytes + size > WINDOW_BYTES && !this.#isFinishing) return;
      try {
        this.#send(record);
      } catch (error) {
        // A socket that is open refuses the message, not the moment.
        const isRefused = this.#socket!.readyState === 1 && record.sends === undefined;
        this.#over(isRefused ? { error, refused: record } : failure(error));
        return;
      }
      record.sends = (record.sends ?? 0) + 1;
      this.#sent += 1;
      this.#flight.push(size);
      this.#flightBytes += size;
    }
  }

  acknowledge(): void {
    this.#trySend({ type: "ack", received: this.#session.takeAck() });
  }

  beat(): boolean {
    const { acknowledged, bufferedAmount: owed, patience } = this.#session;
    const { bufferedAmount } = this.#socket!;
    // Of what the platform has taken over only the server knows how it fares, and it drops a silent client.
    const isAway = bufferedAmount === 0;
    const progress = acknowledged + (bufferedAmount === undefined ? 0 : this.#written - bufferedAmount);
    const isStuck = owed > 0 && !isAway && progress <= this.#progress;
    this.#progress = progress;
    this.#stuckBeats = isStuck ? this.#stuckBeats + 1 : 0;
    // Of one long message no part shows: the platform holds all of it until all has left (Node.js, `ws`).
    const beats = STUCK_BEATS + this.#flightBytes / (SLOWEST * this.#heartbeatMs);
    if (this.#stuckBeats > beats * patience) return false;
    this.#trySend({ type: "heartbeat" });
    return true;
  }

  hold(): void {}

  finish(isClosed: boolean): void {
    this.#isFinishing = !isClosed;
    if (this.#session.hasAck) this.acknowledge();
    if (!isClosed) this.flush();
    this.end();
  }

  end(): void {
    this.#isOver = true;
    try {
      this.#socket?.close(1000);
    } catch {
      // It cannot be closed any further.
    }
  }

  #trySend(record: ClientRecord): void {
    try {
      this.#send(record);
    } catch (error) {
      this.#over(failure(error));
    }
  }

  #send(record: ClientRecord): void {
    const data = encodeClientMessage(record);
    this.#socket!.send(data);
    this.#written += data.length;
  }

  #over(end: CarrierEnd): void {
    this.end();
    this.#listener.onEnd(end);
  }
}
