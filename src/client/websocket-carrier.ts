// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import {
  type ClientRecord,
  decodeServerMessage,
  encodeClientMessage,
  SESSION_PROTOCOL,
} from "../codec/session-record.ts";
import { recordSize } from "../protocol/session.ts";
import type { Carrier, Link } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
import { failure } from "./endpoint.ts";
import { SLOWEST, STUCK_BEATS, WINDOW_BYTES } from "./limits.ts";

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

export function startWebSocket({ endpoint, resumption, onStart, onAlive, onRecord, onEnd }: Link): Carrier {
  let socket: Socket | undefined;
  let session: ClientSession;
  let heartbeatMs: number;
  /** The number of the last record that was sent here, and the size of all of them. */
  let sent = 0;
  let sentBytes = 0;
  /** At the last beat. */
  let acknowledged = 0;
  let buffered = 0;
  let stuckBeats = 0;
  let isFinishing = false;
  let isOver = false;

  function end(): void {
    isOver = true;
    try {
      socket?.close(1000);
    } catch {
      // It cannot be closed any further.
    }
  }

  function over(why: CarrierEnd): void {
    end();
    onEnd(why);
  }

  function say(record: ClientRecord): void {
    try {
      socket!.send(encodeClientMessage(record));
    } catch (error) {
      over(failure(error));
    }
  }

  function acknowledge(): void {
    say({ type: "ack", received: session.takeAck() });
  }

  /** Bytes that were sent here and are not acknowledged. */
  function flying(): number {
    // The oldest record was sent here if anything that was sent here is not acknowledged.
    return sent > session.acknowledged ? sentBytes - session.first!.offset! : 0;
  }

  function flush(): void {
    let inFlight = flying();
    if (isOver || (inFlight >= WINDOW_BYTES && !isFinishing)) return;
    for (const record of session.after(sent)) {
      const size = recordSize(record);
      if (inFlight > 0 && inFlight + size > WINDOW_BYTES && !isFinishing) return;
      try {
        socket!.send(encodeClientMessage(record));
      } catch (error) {
        // A socket that is open refuses the message, not the moment.
        const isRefused = socket!.readyState === 1 && record.sends === undefined;
        over(isRefused ? { error, refused: record } : failure(error));
        return;
      }
      record.sends = (record.sends ?? 0) + 1;
      record.offset = sentBytes;
      sent += 1;
      sentBytes += size;
      inFlight += size;
    }
  }

  async function open(): Promise<void> {
    const { url, headers } = await endpoint.request(resumption);
    if (isOver) return;
    onStart();
    const { WebSocket, options } = endpoint;
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
    // A browser has no third parameter and takes no notice of it.
    socket = new (WebSocket as unknown as SocketConstructor)(url.href.replace("http", "ws"), protocols, { headers });
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      try {
        onAlive();
        onRecord(decodeServerMessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)));
      } catch (error) {
        over({ error });
      }
    };
    let problem: string | undefined;
    socket.onclose = ({ code, reason }) => {
      // The answer to a close frame that was behind everything that was sent.
      if (isFinishing && code === 1000) session.acknowledge(session.sent);
      // `ws` has the status in its text; browsers do not tell it.
      const status = Number(/response: (40[139])$/.exec(problem!)?.[1]) || undefined;
      over({ code, reason, status, what: problem || `closed (${code}${reason && ` ${reason}`})` });
    };
    // `ws` throws what nobody listens to. `close` follows.
    socket.onerror = (event) => {
      problem = event?.message || event?.error?.code;
    };
  }
  open().catch((error) => over(failure(error)));

  return {
    kind: "websocket",
    begin(begun, { received, resumed, heartbeatMs: beatMs }) {
      session = begun;
      heartbeatMs = beatMs;
      // A POST that was answered meanwhile has brought more than the server had when it said `received`.
      sent = session.acknowledged;
      if (sent !== received) say({ type: "from", number: sent + 1 });
      // So the server knows that we have the token (PROTOCOL.md, "Acknowledgements").
      if (!resumed) acknowledge();
      flush();
    },
    flush,
    acknowledge,
    heartbeat() {
      // Of what the platform has taken over only the server knows how it fares, and it drops a silent client.
      const { bufferedAmount } = socket!;
      // Nothing was acknowledged since the last beat, and what waited then still waits.
      const isWaiting = bufferedAmount === undefined || (buffered > 0 && bufferedAmount >= buffered);
      const isStuck = session.bufferedAmount > 0 && session.acknowledged === acknowledged && isWaiting;
      stuckBeats = isStuck ? stuckBeats + 1 : 0;
      acknowledged = session.acknowledged;
      buffered = bufferedAmount ?? 0;
      // Of one long message no part shows: the platform holds all of it until all has left (Node.js, `ws`).
      const beats = STUCK_BEATS + flying() / (SLOWEST * heartbeatMs);
      if (stuckBeats > beats * session.patience) return false;
      say({ type: "heartbeat" });
      return true;
    },
    finish(by) {
      isFinishing = by === "client";
      if (session.hasAck) acknowledge();
      if (isFinishing) flush();
      end();
    },
    end,
  };
}
