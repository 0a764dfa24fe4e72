// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import type { SessionRecord } from "../codec/session-record.ts";
import {
  decodeRecordMessage,
  encodeRecordMessage,
  type OpenRecord,
  SESSION_PROTOCOL,
} from "../codec/session-record.ts";
import type { Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierListener, Resumption } from "./carrier.ts";
import type { Endpoint } from "./endpoint.ts";

/** The part of a WebSocket that is used; the platform's and that of `ws` have it. */
interface Socket {
  binaryType: string;
  onmessage: (event: { readonly data: unknown }) => void;
  onclose: (event: { readonly code: number; readonly reason: string }) => void;
  onerror: () => void;
  send(data: string | Uint8Array): void;
  close(code?: number): void;
}

type SocketConstructor = new (url: string, protocols: readonly string[], options: object) => Socket;

export class WebSocketCarrier implements Carrier {
  readonly kind = "websocket";
  readonly #endpoint: Endpoint;
  readonly #listener: CarrierListener;
  #socket: Socket | undefined;
  #session: Session | undefined;
  written = 0;
  #isOver = false;

  constructor(endpoint: Endpoint, resumption: Resumption, listener: CarrierListener) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#connect(resumption).catch((error) => this.#over({ error }));
  }

  async #connect({ token, after }: Resumption): Promise<void> {
    const { WebSocket, options } = this.#endpoint;
    const url = await this.#endpoint.socketUrl(token === undefined ? {} : { session: token, after: `${after}` });
    const headers = await this.#endpoint.headers();
    if (this.#isOver) return;
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
    // A browser has no third parameter and takes no notice of it.
    const socket = new (WebSocket as unknown as SocketConstructor)(url.href, protocols, { headers });
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) =>
      this.#receive(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    socket.onclose = ({ code, reason }) => this.#over({ code, reason });
    // `ws` throws what nobody listens to. `close` follows.
    socket.onerror = () => {};
  }

  begin(session: Session, { received, resumed }: OpenRecord): void {
    this.#session = session;
    // A POST that was answered meanwhile has brought more than the server had when it said `received`.
    this.written = Math.max(received, session.acknowledged);
    if (this.written !== received) this.#send({ type: "from", number: this.written + 1 });
    // So the server knows that we have the token (PROTOCOL.md, "Acknowledgements").
    if (!resumed) this.acknowledge();
    this.flush();
  }

  flush(): void {
    const session = this.#session;
    if (session === undefined) return;
    for (const record of session.after(this.written)) this.#send(record);
    this.written = session.sent;
  }

  acknowledge(): void {
    if (this.#session !== undefined) this.#send({ type: "ack", received: this.#session.takeAck() });
  }

  beat(): void {
    this.#send({ type: "heartbeat" });
  }

  hold(): void {}

  finish(): void {
    this.flush();
    this.end();
  }

  end(): void {
    this.#isOver = true;
    this.#socket?.close(1000);
  }

  #send(record: SessionRecord): void {
    this.#socket?.send(encodeRecordMessage(record));
  }

  #receive(message: string | Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#listener.onAlive();
      this.#listener.onRecord(decodeRecordMessage(message));
    } catch (error) {
      this.#over({ error });
    }
  }

  #over(end: CarrierEnd): void {
    if (this.#isOver) return;
    this.end();
    this.#listener.onEnd(end);
  }
}
