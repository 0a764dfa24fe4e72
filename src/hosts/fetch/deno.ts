// The side of `Deno.serve`: addresses, and WebSockets of the browser's interface, which has no pings, no pause and no drain event.

import { ChannelError } from "../../base/errors.ts";
import { fieldValue } from "../../codec/field-values.ts";
import type { HostSent, HostSocket, HostSocketEnd } from "../native/host-socket.ts";
import type { HostWebSocket } from "../native/transport.ts";
import type { ServerSide } from "./server-side.ts";

/** The part of Deno's `ServeHandlerInfo` that we use. */
export interface DenoInfo {
  readonly remoteAddr: { readonly hostname?: string };
}

/** The part of Deno's global object that we use. */
interface DenoNamespace {
  upgradeWebSocket(
    request: Request,
    options: { readonly protocol?: string; readonly idleTimeout: number },
  ): { readonly socket: DenoSocket; readonly response: Response };
}

interface DenoSocket {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: string | ArrayBuffer }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
}

const OPEN = 1;

/** `idleTimeoutSeconds`: after so long without a sign of life Deno asks for one. */
export function denoSide(info: DenoInfo, idleTimeoutSeconds: number): ServerSide {
  return {
    addressOf: () => info.remoteAddr.hostname,
    upgrade(request, fields, transport) {
      const { Deno } = globalThis as unknown as { readonly Deno: DenoNamespace };
      const protocol = fieldValue(fields, "sec-websocket-protocol");
      try {
        const options = { idleTimeout: idleTimeoutSeconds, ...(protocol === undefined ? {} : { protocol }) };
        const { socket, response } = Deno.upgradeWebSocket(request, options);
        for (let i = 0; i < fields.length; i += 2) {
          if (fields[i]!.toLowerCase() !== "sec-websocket-protocol")
            response.headers.append(fields[i]!, fields[i + 1]!);
        }
        connect(socket, transport);
        return response;
      } catch (error) {
        throw new ChannelError("BAD_HANDSHAKE", `Deno does not switch: ${(error as Error).message}`, { cause: error });
      }
    },
  };
}

function connect(socket: DenoSocket, transport: HostWebSocket): void {
  let violation = "";
  let isClosed = false;
  const closed = (end: HostSocketEnd): void => {
    if (isClosed) return;
    isClosed = true;
    transport.socketClosed(end);
  };
  socket.binaryType = "arraybuffer";
  socket.onopen = () => transport.socketOpened(toHostSocket(socket, closed));
  socket.onmessage = ({ data }) => transport.socketMessage(typeof data === "string" ? data : new Uint8Array(data));
  socket.onerror = ({ message = "" }) => {
    violation = message;
  };
  socket.onclose = ({ code, reason }) => closed(toEnd(code, reason, violation));
}

function toHostSocket(socket: DenoSocket, closed: (end: HostSocketEnd) => void): HostSocket {
  const send = (data: string | Uint8Array): HostSent => {
    if (socket.readyState !== OPEN) return "dropped";
    socket.send(data);
    return socket.bufferedAmount > 0 ? "queued" : "sent";
  };
  return {
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    hasDrainEvent: false,
    sendText: send,
    sendBinary: send,
    close(code, reason) {
      socket.close(code, reason);
      // Deno waits for the client's answer without a limit.
      closed({ by: "server", code, reason });
    },
    terminate() {
      closed({ by: "server", code: 1006, reason: "" });
      if (socket.readyState <= OPEN) socket.close(1011, "");
    },
  };
}

function toEnd(code: number, reason: string, violation: string): HostSocketEnd {
  // Deno ends a WebSocket for an error with a code of its own choice, and a lost one with 0.
  if (violation !== "" || code === 0 || code === 1006) return { by: "network", code: 1006, reason: violation };
  return { by: "client", code, reason };
}
