// An Exchange of two records, a request and its response, as an adapter for another server would bring one: no socket and
// no byte stream. The test says when the client leaves.

import type { ResponseHead } from "../../src/codec/http1-response.ts";
import type { ExchangeServer } from "../../src/server/exchange-server.ts";
import type { Exchange, ExchangeListener } from "../../src/transport/exchange.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { text } from "./pieces.ts";

interface MemoryRequest {
  readonly method?: string;
  readonly fields?: readonly string[];
}

export class MemoryExchange implements Exchange {
  readonly head: Exchange["head"];
  readonly httpVersion = "1.1";
  readonly scheme = "http";
  readonly remoteAddress = "192.0.2.1";
  readonly webSocketRequest = undefined;
  readonly hasBody = false;
  readonly bufferedAmount = 0;
  isClientGone = false;
  listener: ExchangeListener | undefined;
  corsFields: readonly string[] | undefined;
  refusalFields: readonly string[] = [];
  /** The response so far; undefined before it has begun. */
  response: ResponseHead | undefined;
  body = "";
  isEnded = false;
  readonly #server: ExchangeServer;

  /** Brings a request to the server. */
  constructor(server: ExchangeServer, target: string, { method = "GET", fields = [] }: MemoryRequest = {}) {
    this.#server = server;
    this.head = { method, target, fields, host: "memory.example", minor: 1 };
    server.onExchange(this);
  }

  get isAnswered(): boolean {
    return this.response !== undefined || this.isEnded;
  }

  /** The value of a field of the response. */
  field(name: string): string | undefined {
    const fields = this.response?.fields ?? [];
    return fields[fields.findIndex((one, i) => i % 2 === 0 && one.toLowerCase() === name) + 1];
  }

  /** The client leaves. */
  leave(): void {
    this.isClientGone = true;
    this.listener?.onGone(undefined);
    this.#end(false);
  }

  readBody(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  holdsBody(): boolean {
    return true;
  }

  respond(response: ResponseHead, body: string | Uint8Array | null): void {
    if (this.isEnded) return;
    this.response = response;
    if (body !== null) this.body = text(body);
    this.#end(true);
  }

  start(response: ResponseHead): boolean {
    this.response = response;
    return true;
  }

  write(part: string | Uint8Array): void {
    if (!this.isEnded) this.body += text(part);
  }

  end(): void {
    this.#end(true);
  }

  abort(): void {
    this.#end(false);
  }

  flush(): void {}

  probe(): void {}

  endWhenSilent(): void {}

  acceptWebSocket(): Transport {
    throw new Error("this exchange cannot be upgraded");
  }

  #end(isWhole: boolean): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (isWhole) this.#server.onExchangeEnd(this, this.response!.status);
    else this.#server.onExchangeCut(this, this.response?.status);
  }
}
