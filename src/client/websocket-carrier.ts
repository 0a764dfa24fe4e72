// A session on a WebSocket: PROTOCOL.md, "Records on WebSocket".

import type { ClientRecord } from "../codec/session-record.ts";
import {
  decodeServerMessage,
  encodeClientMessage,
  type OpenRecord,
  SESSION_PROTOCOL,
} from "../codec/session-record.ts";
import type { Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierListener, Kept, Query } from "./carrier.ts";
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
  #session!: Session<Kept>;
  /** The number of the last record that was sent here. */
  #sent = 0;
  #isOver = false;

  /** `resumption`: the query that takes the session up. */
  constructor(endpoint: Endpoint, resumption: () => Query, listener: CarrierListener) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#connect(resumption()).catch((error) => this.#over({ error }));
  }

  async #connect(resumption: Query): Promise<void> {
    const { WebSocket, options } = this.#endpoint;
    const { url, headers } = await this.#endpoint.request(resumption);
    if (this.#isOver) return;
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = [SESSION_PROTOCOL, ...(options.protocols ?? [])];
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
    socket.onclose = (end) => this.#over(end);
    // `ws` throws what nobody listens to. `close` follows.
    socket.onerror = () => {};
  }

  begin(session: Session<Kept>, { received, resumed }: OpenRecord): void {
    this.#session = session;
    // A POST that was answered meanwhile has brought more than the server had when it said `received`.
    this.#sent = session.acknowledged;
    if (this.#sent !== received) this.#send({ type: "from", number: this.#sent + 1 });
    // So the server knows that we have the token (PROTOCOL.md, "Acknowledgements").
    if (!resumed) this.acknowledge();
    this.flush();
  }

  flush(): void {
    for (const record of this.#session.after(this.#sent)) {
      record.mayHaveLeft = true;
      this.#send(record);
    }
    this.#sent = this.#session.sent;
  }

  acknowledge(): void {
    this.#send({ type: "ack", received: this.#session.takeAck() });
  }

  beat(): void {
    this.#send({ type: "heartbeat" });
  }

  hold(): void {}

  finish(): void {
    if (this.#session.hasAck) this.acknowledge();
    this.flush();
    this.end();
  }

  end(): void {
    this.#isOver = true;
    this.#socket?.close(1000);
  }

  #send(record: ClientRecord): void {
    this.#socket!.send(encodeClientMessage(record));
  }

  #over(end: CarrierEnd): void {
    this.end();
    this.#listener.onEnd(end);
  }
}
