// The side of `Bun.serve`: addresses, upgrades, and the one `websocket` object whose functions get the events of all WebSockets.

import { ChannelError } from "../../base/errors.ts";
import type { HostSent, HostSocket, HostSocketEnd } from "../native/host-socket.ts";
import { HostWebSocket } from "../native/transport.ts";
import type { ServerSide } from "./server-side.ts";

/** The part of Bun's `Server` that we use. */
export interface BunServer {
  requestIP(request: Request): { readonly address: string } | null;
  upgrade(request: Request, options: { headers: Headers; data: unknown }): boolean;
}

/** The part of Bun's `ServerWebSocket` that we use. `pause` and `resume` are missing in older versions. */
export interface BunSocket {
  /** The transport of the WebSocket. */
  readonly data: unknown;
  /** Bytes that are unsent. */
  getBufferedAmount(): number;
  /** Sends a message: -1 if it waits, 0 if it is lost. */
  sendText(text: string): number;
  /** Sends a message of bytes. */
  sendBinary(bytes: Uint8Array): number;
  /** Sends a ping. */
  ping(data: Uint8Array): number;
  /** Runs a function whose sends leave as one write. */
  cork(run: () => void): void;
  /** Stops reading. */
  pause?(): void;
  /** Reads on. */
  resume?(): void;
  /** Sends a close frame, and ends the connection behind it. */
  close(code: number, reason: string): void;
  /** Drops the connection. */
  terminate(): void;
}

/** The object that `Bun.serve` takes as `websocket`: pass it on as it is. */
export interface BunWebSocketHandlers {
  /** A WebSocket is open. */
  readonly open: (socket: BunSocket) => void;
  /** A message has come. */
  readonly message: (socket: BunSocket, data: string | Uint8Array) => void;
  /** Some of the unsent bytes are sent. */
  readonly drain: (socket: BunSocket) => void;
  /** A WebSocket is closed. */
  readonly close: (socket: BunSocket, code: number, reason: string) => void;
  /** A ping has come; Bun answers it. */
  readonly ping: (socket: BunSocket, data: Uint8Array) => void;
  /** A pong has come. */
  readonly pong: (socket: BunSocket, data: Uint8Array) => void;
  /** `maxMessageBytes` of the host, in bytes. */
  readonly maxPayloadLength: number;
  /** No limit of Bun's: the host's own apply. */
  readonly backpressureLimit: number;
  /** False. */
  readonly closeOnBackpressureLimit: boolean;
  /** 0: the host's heartbeat finds clients that are gone. */
  readonly idleTimeout: number;
  /** False, for the same reason. */
  readonly sendPings: boolean;
  /** False: with true Bun would compress messages that the channel's options do not. */
  readonly perMessageDeflate: boolean;
}

/** Our own limits are lower, and say what to do. */
const NO_LIMIT = 0xffff_ffff;

/** Codes of the violations for which Bun ends a WebSocket: its `close` event has 1006 and a text. */
const VIOLATIONS: readonly (readonly [pattern: RegExp, code: number, reason: string])[] = [
  // "too big control frame" is another one.
  [/too big message/, 1009, new ChannelError("MESSAGE_TOO_BIG").message],
  [/UTF-8/, 1007, new ChannelError("BAD_UTF8").message],
];

export function bunSide(server: BunServer): ServerSide {
  return {
    addressOf: (request) => server.requestIP(request)?.address,
    upgrade(request, fields, transport) {
      const headers = new Headers();
      for (let i = 0; i < fields.length; i += 2) headers.append(fields[i]!, fields[i + 1]!);
      if (!server.upgrade(request, { headers, data: transport })) {
        throw new ChannelError(
          "BAD_HANDSHAKE",
          "Bun.serve does not switch: it has no websocket of createFetchHost, or the client has gone or sent data too early",
        );
      }
      return undefined;
    },
  };
}

/** The functions for the WebSockets of a host; those of other owners are ignored. */
export function bunWebSocketHandlers(maxMessageBytes: number): BunWebSocketHandlers {
  return {
    open: (socket) => transportOf(socket)?.socketOpened(toHostSocket(socket)),
    message: (socket, data) => transportOf(socket)?.socketMessage(data),
    drain: (socket) => transportOf(socket)?.socketDrained(),
    close: (socket, code, reason) => transportOf(socket)?.socketClosed(toEnd(code, reason)),
    ping: (socket, data) => transportOf(socket)?.socketPing(data),
    pong: (socket, data) => transportOf(socket)?.socketPong(data),
    maxPayloadLength: Math.min(maxMessageBytes, NO_LIMIT),
    backpressureLimit: NO_LIMIT,
    closeOnBackpressureLimit: false,
    // Our heartbeat finds clients that are gone.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
  };
}

function transportOf({ data }: BunSocket): HostWebSocket | undefined {
  return data instanceof HostWebSocket ? data : undefined;
}

function toHostSocket(socket: BunSocket): HostSocket {
  return {
    get bufferedAmount() {
      return socket.getBufferedAmount();
    },
    hasDrainEvent: true,
    sendText: (text) => toSent(socket.sendText(text), text.length),
    sendBinary: (bytes) => toSent(socket.sendBinary(bytes), bytes.length),
    cork: (send) => socket.cork(send),
    ping: (data) => void socket.ping(data),
    ...(socket.pause === undefined ? {} : { pause: () => socket.pause!(), resume: () => socket.resume?.() }),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

function toEnd(code: number, text: string): HostSocketEnd {
  if (code !== 1006) return { by: "client", code, reason: text };
  if (text === "") return { by: "network", code, reason: "" };
  const known = VIOLATIONS.find(([pattern]) => pattern.test(text));
  // RFC 6455 §7.4.1: 1002 for all other violations of the protocol.
  return { by: "server", code: known?.[1] ?? 1002, reason: known?.[2] ?? text };
}

/** Reads the answer of `send`: bytes, -1 for a message that waits, 0 for one that is lost. An empty one has 0 bytes, too. */
function toSent(answer: number, length: number): HostSent {
  if (answer > 0) return "sent";
  return answer < 0 || length === 0 ? "queued" : "dropped";
}
