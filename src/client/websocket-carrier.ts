// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import { decodeRecordMessage, encodeRecordMessage, type OpenRecord, SESSION_PROTOCOL } from "../codec/session-record.ts";
import type { SessionRecord } from "../codec/session-record.ts";
import type { Session } from "../protocol/session.ts";
import type { Carrier, CarrierListener, Resumption } from "./carrier.ts";
import type { Endpoint } from "./endpoint.ts";

/** The part of a WebSocket that is used; the platform's and that of `ws` have it. */
interface Socket {
  binaryType: string;
  onmessage: (event: { readonly data: unknown }) => void;
  onclose: () => void;
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
  /** The number of the last record that went up. */
  #sent = 0;
  #isOver = false;

  constructor(endpoint: Endpoint, resumption: Resumption, listener: CarrierListener) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#connect(resumption).catch((error) => this.#over(error));
  }

  async #connect(resumption: Resumption): Promise<void> {
    const { WebSocket, options } = this.#endpoint;
    const url = await this.#endpoint.url("websocket", resumption);
    const headers = await this.#endpoint.headers();
    if (this.#isOver) return;
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
    // A browser has no third parameter and takes no notice of it.
    const socket = new (WebSocket as unknown as SocketConstructor)(url.href, protocols, { headers });
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#receive(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
    socket.onclose = () => this.#over();
    // `ws` throws what nobody listens to.
    socket.onerror = () => this.#over();
  }

  begin(session: Session, { received }: OpenRecord): void {
    this.#session = session;
    this.#sent = received;
    this.flush();
  }

  flush(): void {
    const session = this.#session;
    if (session === undefined) return;
    for (const record of session.after(this.#sent)) this.#send(record);
    this.#sent = session.sent;
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
      this.#over(error);
    }
  }

  #over(error?: unknown): void {
    if (this.#isOver) return;
    this.end();
    this.#listener.onEnd({ error });
  }
}
