// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import {
  type ClientRecord,
  decodeServerMessage,
  encodeClientMessage,
  type GroupRecord,
  SESSION_PROTOCOL,
} from "../codec/session-record.ts";
import { recordSize } from "../protocol/session.ts";
import type { Carrier, Link } from "./carrier.ts";
import { failure } from "./endpoint.ts";
import { SLOWEST, STUCK_HEARTBEATS, WINDOW_BYTES } from "./limits.ts";

/** The members of a WebSocket that are used; those of platforms and of `ws` have them. */
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

export function startWebSocket(link: Link): Carrier {
  const { endpoint, session, onEnd } = link;
  let socket: Socket | undefined;
  /** The group of the binary message that comes next. */
  let head: GroupRecord | undefined;
  let heartbeatMs: number;
  /** Number of the last record that was sent on this WebSocket, and the size of all of them. */
  let sent = 0;
  let sentBytes = 0;
  /** `acknowledged` of the session and `bufferedAmount` of the socket at the last heartbeat. */
  let acknowledged = 0;
  let buffered = 0;
  let stuckHeartbeats = 0;
  let isFinishing = false;
  let isOver = false;

  function end(): void {
    isOver = true;
    try {
      socket?.close(1000);
    } catch {
      // The socket is closed already.
    }
  }

  function sendRecord(record: ClientRecord): void {
    try {
      socket!.send(encodeClientMessage(record));
    } catch (error) {
      onEnd(failure(error));
    }
  }

  function acknowledge(): void {
    sendRecord({ type: "ack", received: session.takeAck() });
  }

  /** Returns the bytes that were sent on this WebSocket and are not acknowledged. */
  function inFlight(): number {
    // The oldest record was sent here if anything that was sent here is not acknowledged.
    return sent > session.acknowledged ? sentBytes - session.first!.offset! : 0;
  }

  function flush(): void {
    let bytes = inFlight();
    if (isOver || (bytes >= WINDOW_BYTES && !isFinishing)) return;
    for (const record of session.after(sent)) {
      const size = recordSize(record);
      if (bytes > 0 && bytes + size > WINDOW_BYTES && !isFinishing) return;
      try {
        socket!.send(encodeClientMessage(record));
      } catch (error) {
        // An open socket throws because of the message; a closed one would throw for any.
        const isRefused = socket!.readyState === 1 && record.sends === undefined;
        onEnd(isRefused ? { error, refused: record } : failure(error));
        return;
      }
      record.sends = (record.sends ?? 0) + 1;
      record.offset = sentBytes;
      sent += 1;
      sentBytes += size;
      bytes += size;
    }
  }

  async function open(): Promise<void> {
    const { url, headers } = await endpoint.request(link.resumption);
    if (isOver) return;
    link.onStart();
    const { WebSocket, options } = endpoint;
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
    // A browser ignores the third parameter.
    socket = new (WebSocket as unknown as SocketConstructor)(url.href.replace("http", "ws"), protocols, { headers });
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      try {
        link.onAlive();
        const record = decodeServerMessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
        const of = head;
        head = (record as GroupRecord).isHead ? (record as GroupRecord) : undefined;
        if (!head) link.onRecord(of && record.type === "message" ? { ...of, data: record.data } : record);
      } catch (error) {
        onEnd({ error });
      }
    };
    let problem: string | undefined;
    socket.onclose = ({ code, reason }) => {
      // This answers our close frame, so everything that was sent before has arrived.
      if (isFinishing && code === 1000) session.acknowledge(session.sent);
      // `ws` has the HTTP status in its error text; browsers do not give it.
      const status = Number(/response: (40[139])$/.exec(problem!)?.[1]) || undefined;
      onEnd({ code, reason, status, what: problem || `closed (${code}${reason && ` ${reason}`})` });
    };
    // `ws` throws an error that has no listener. `close` follows.
    socket.onerror = (event) => {
      problem = event?.message || event?.error?.code;
    };
  }
  open().catch((error) => onEnd(failure(error)));

  return {
    kind: "websocket",
    begin({ received, resumed, heartbeatMs: intervalMs }) {
      heartbeatMs = intervalMs;
      // A POST that was answered meanwhile has delivered more than `received` says.
      sent = session.acknowledged;
      if (sent !== received) sendRecord({ type: "from", number: sent + 1 });
      // Shows the server that the client has the token (PROTOCOL.md, "Acknowledgements").
      if (!resumed) acknowledge();
      flush();
    },
    flush,
    acknowledge,
    heartbeat() {
      // Once the platform has taken all bytes, only the server knows their progress, and it drops a silent client.
      const { bufferedAmount } = socket!;
      // The bytes that waited in the platform at the last heartbeat still wait.
      const isWaiting = bufferedAmount === undefined || (buffered > 0 && bufferedAmount >= buffered);
      const isStuck = session.bufferedAmount > 0 && session.acknowledged === acknowledged && isWaiting;
      stuckHeartbeats = isStuck ? stuckHeartbeats + 1 : 0;
      acknowledged = session.acknowledged;
      buffered = bufferedAmount ?? 0;
      // A long message shows no progress: the platform counts it as a whole until all of it has left (Node.js, `ws`).
      const tolerated = STUCK_HEARTBEATS + inFlight() / (SLOWEST * heartbeatMs);
      if (stuckHeartbeats > tolerated * session.patience) return false;
      sendRecord({ type: "heartbeat" });
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
